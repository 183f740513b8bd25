"""``soundalike normal list``, ``show`` and ``remove``: the models, of this machine or of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from soundalike.cli import opening, output

if TYPE_CHECKING:
    from soundalike.cli.place import Place


def show(place: Place, name: str | None, *, as_json: bool) -> int:
    """Show all models, or one with its recordings."""
    if service := place.service():
        rows = service.normal.models() if name is None else [service.normal.model(name)]
    else:
        rows = _rows(place, name)
    if as_json:
        for row in rows:
            output.json_line(row)
    elif not rows:
        output.note("there are no models; learn one: soundalike normal learn NAME FOLDER")
    elif name is None:
        output.table(_table(rows))
    else:
        _show_one(rows[0])
    return 0


def _rows(place: Place, name: str | None) -> list[dict[str, Any]]:
    """Return the models of this machine."""
    from soundalike.anomalies.detector import Detector
    from soundalike.anomalies.summary import learned_rows
    from soundalike.store.normal_models import normal_not_found

    with opening.opened_store(place.settings()) as store:
        found = [one for one in store.normal_models() if name in (None, one.name)]
        if name is not None and not found:
            raise normal_not_found(name)
        rows = [
            {
                "name": one.name,
                "version": one.version,
                **one.summary,
                "created_at": one.created_at.isoformat(),
                "updated_at": one.updated_at.isoformat(),
            }
            for one in found
        ]
        if name is not None:
            rows[0]["learned"] = learned_rows(Detector(store).model(name))
    return rows


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    header = ("model", "recordings", "method", "threshold", "false alarms", "encoder")
    lines = [
        (
            row["name"],
            str(row["recordings"]),
            row["method"],
            f"{row['threshold']:.3f}",
            f"{row['false_alarm_rate']:.1%}",
            row["encoder"],
        )
        for row in rows
    ]
    return output.columns([header, *lines], right=(1, 3, 4))


def _show_one(row: dict[str, Any]) -> None:
    learned = row.pop("learned")
    for line in output.columns([(key, _shown(value)) for key, value in row.items()]):
        output.data(line)
    output.data("")
    header = ("score without itself", "recording", "")
    lines = [
        (
            f"{found['score']:.3f}",
            output.visible(output.short_path(found["uri"])),
            "accepted" if found["accepted"] else "",
        )
        for found in sorted(learned, key=lambda one: -one["score"])
    ]
    output.table(output.columns([header, *lines], right=(0,)))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(f"{part:g}" for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {part:g}" for key, part in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def remove(place: Place, name: str, *, yes: bool) -> int:
    """Remove a model with its events."""
    from soundalike.store.normal_models import checked_model_name, normal_not_found

    checked_model_name(name)
    service = place.service()
    if not yes and not opening.confirmed(f"Remove the model {name} with its events? Type yes:"):
        output.note("nothing was removed; confirm with --yes")
        return 2
    if service is not None:
        service.normal.remove(name)
    else:
        with opening.opened_store(place.settings()) as store:
            if not store.remove_normal_model(name):
                raise normal_not_found(name)
    output.note(f"the model {name} was removed; the recordings stay")
    return 0
