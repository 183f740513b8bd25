"""``soundalike status``: size, encoder and place of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ModelError

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.config import Settings


@make_command("status", options.collection(), *options.server())
def command(place: Place, *, as_json: bool, collection: str) -> int:
    """Print what is indexed, with what, and where."""
    from soundalike.clock.start_time import zone_named
    from soundalike.search.match_json import local_time
    from soundalike.store.partial import missing_warning

    settings = place.settings()
    zone = zone_named(settings.time_zone)
    service = place.service()
    values = service.status(collection) if service else _stored(settings, collection)
    for name in ("earliest_start", "latest_start"):
        values[name] = local_time(values[name], zone)
    _print_values(values, as_json=as_json)
    for name in values.get("missing_shards", ()):
        output.note(f"warning: {missing_warning(name)}")
    if values["encoder"] != values["configured_encoder"]:
        output.note(
            f"the index was made with {values['encoder']}, but {values['configured_encoder']} is "
            f"configured: set SOUNDALIKE_MODEL={values['encoder']}, or rebuild it with: soundalike "
            "reindex"
        )
    return 0


def _stored(settings: Settings, collection: str) -> dict[str, Any]:
    """Return what the index on this machine holds, and what it is made with."""
    from soundalike.encoders.choice import chosen_level, chosen_name
    from soundalike.store.base import not_indexed

    with opening.opened_store(settings) as store:
        stored = store.status(collection=collection)
    if stored.spec is None and collection != DEFAULT_COLLECTION:
        raise not_indexed(collection)
    level = None
    try:
        configured = chosen_name(settings.model, settings.weights_dir, settings.checkpoint)
        level = chosen_level(settings.model, settings.weights_dir, settings.checkpoint)
    except ModelError as exc:
        output.note(f"{exc.message} [{exc.code}]")
        configured = settings.model
    return {
        "collection": collection,
        "encoder": stored.spec.encoder if stored.spec else configured,
        "configured_encoder": configured,
        "encoder_level": level,
        "recordings": stored.recordings,
        "files": stored.files,
        "windows": stored.windows,
        "window_s": stored.spec.window_s if stored.spec else None,
        "stride_s": stored.spec.stride_s if stored.spec else None,
        "dimension": stored.spec.dimension if stored.spec else None,
        "index": stored.index,
        "layout": stored.layout,
        "database": stored.database,
        "extensions": stored.extensions,
        "starts": stored.starts,
        "earliest_start": stored.earliest_start,
        "latest_start": stored.latest_start,
        "earlier_decoder": stored.earlier_decoder,
        "unsearchable": stored.unsearchable,
        "missing_shards": list(stored.missing_shards),
        "unrelated_scores": stored.null_model.summary() if stored.null_model else {},
        "unrelated_events": stored.unrelated_events,
    }


def _print_values(values: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.json_line(values)
        return
    rows = [(name, _shown(value)) for name, value in values.items() if value not in (None, [])]
    for line in output.columns(rows):
        output.data(line)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        parts = (
            f"{name} {f'({_shown(item)})' if isinstance(item, dict) else item}"
            for name, item in value.items()
        )
        return ", ".join(parts) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
