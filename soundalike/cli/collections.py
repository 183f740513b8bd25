"""``soundalike collections``: list, create, drop and optimize collections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.errors import ParameterError, RecordingNotFound
from soundalike.ranges import LAYOUTS

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.ranges import Layout
    from soundalike.store.protocol import Store

#: Columns of the list.
_COLUMNS = (
    *("collection", "recordings", "windows", "encoder", "fingerprint", "dimension"),
    *("window_s", "stride_s", "layout"),
)


@make_command(
    "collections",
    click.Argument(
        ["action"],
        type=click.Choice(("list", "create", "drop", "optimize")),
        default="list",
        help="optimize rebuilds the vector index; default: list",
    ),
    click.Argument(["name"], required=False, help="name of the collection to create, drop or optimize"),
    options.flag("--yes", help="drop without asking"),
    click.Option(
        ["--layout"],
        type=click.Choice(LAYOUTS),
        help="of the vector index, for optimize: halfvec, bit (a quarter of the memory), or auto, which "
        "chooses by size and memory; default: as it is",
    ),
    *options.server(),
    *options.encoding(),
)
def command(
    place: Place, *, as_json: bool, action: str, name: str | None, yes: bool, layout: Layout | None
) -> int:
    """List, create, drop or optimize collections."""
    if layout is not None and action != "optimize":
        raise ParameterError(f"--layout is for collections optimize, not for {action}")
    if action == "list":
        if name is not None:
            raise ParameterError("collections list takes no name")
        return _list_all(place, as_json=as_json)
    if name is None:
        raise ParameterError(f"collections {action} needs a name")
    if service := place.service():
        if action == "drop":
            return _drop(name, service.drop, yes=yes)
        raise ParameterError(
            f"collections {action} does not go through {service.url}; run it on that machine"
        )
    with opening.opened_store(place.settings()) as store:
        if action == "create":
            return _create(name, store, place)
        if action == "drop":
            return _drop(name, store.drop_collection, yes=yes)
        store.optimize(collection=name, layout=layout)
        now = store.status(collection=name).layout
        output.note(f"collection {name}: the vector index is as it should be (layout {now})")
        return 0


def _list_all(place: Place, *, as_json: bool) -> int:
    if service := place.service():
        told = [{"collection": found["name"], **found} for found in service.collections()]
        # Earlier versions of the service do not report the layout.
        told = [{"layout": "halfvec", **row} for row in told]
        rows = [{name: row[name] for name in _COLUMNS} for row in told]
    else:
        with opening.opened_store(place.settings()) as store:
            rows = _rows(store)
    return _list(rows, as_json=as_json)


def _rows(store: Store) -> list[dict[str, Any]]:
    from soundalike.store.partial import missing_warning

    rows = []
    missing: dict[str, None] = {}
    for name, spec in store.collections().items():
        counts = store.status(collection=name)
        missing |= dict.fromkeys(counts.missing_shards)
        rows.append(
            {
                "collection": name,
                "recordings": counts.recordings,
                "windows": counts.windows,
                **asdict(spec),
                "layout": counts.layout,
            }
        )
    for name in missing:
        output.note(f"warning: {missing_warning(name)}")
    return rows


def _list(rows: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        for row in rows:
            output.json_line(row)
        return 0
    if not rows:
        output.note("there are none yet; the first index command makes one")
        return 0
    header = (
        "collection",
        "recordings",
        "windows",
        "encoder",
        "dimension",
        "window",
        "stride",
        "layout",
    )
    lines = [
        (
            row["collection"],
            str(row["recordings"]),
            str(row["windows"]),
            row["encoder"],
            str(row["dimension"]),
            f"{row['window_s']:g} s",
            f"{row['stride_s']:g} s",
            row["layout"],
        )
        for row in rows
    ]
    output.table(output.columns([header, *lines], right=(1, 2, 4, 5, 6)))
    return 0


def _create(name: str, store: Store, place: Place) -> int:
    from soundalike.encoders.base import index_spec

    spec = index_spec(opening.encoder_of(place.settings()), place.windows())
    store.create_collection(name, spec)
    output.note(f"collection {name}: {spec.describe()}")
    return 0


def _drop(name: str, drop: Callable[[str], bool], *, yes: bool) -> int:
    if not yes and not opening.confirmed(f"Delete the collection {name}? Type yes:"):
        output.note("nothing was deleted; confirm with --yes")
        return 2
    if not drop(name):
        raise RecordingNotFound(f"there is no collection {name!r}; see: soundalike collections")
    output.note(f"the collection {name} was deleted")
    return 0
