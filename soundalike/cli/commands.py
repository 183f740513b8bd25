"""What the commands do. Each takes the parsed arguments and returns an exit status."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.audio.allowed_roots import forget_indexed
from soundalike.audio.files import looks_like_audio
from soundalike.cli import output
from soundalike.cli.server import service_from
from soundalike.config import DEFAULT_COLLECTION, Settings
from soundalike.errors import AudioError, ModelError, ParameterError

if TYPE_CHECKING:
    from soundalike.audio.windows import WindowPlan
    from soundalike.clock.wall_clock import StartTimeRules
    from soundalike.encoders.base import Encoder
    from soundalike.filters import Filters
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.store import Store
    from soundalike.types import IndexSpec

_PARTIAL_FAILURE = AudioError.exit_status
#: For `start_decoding` where nobody has counted yet: as many as there may be.
UNKNOWN = sys.maxsize


def version_or_help(arguments: argparse.Namespace) -> int:
    """Print the version, or the help where no command was given."""
    if arguments.version:
        output.data(f"soundalike {version('soundalike')}")
        return 0
    arguments.parser.print_help(sys.stderr)
    return 2


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Return the settings of the environment, overridden by the options."""
    settings = Settings.from_env()
    if arguments.data_dir:
        settings = settings.moved_to(arguments.data_dir)
    changes = {
        "database_url": arguments.database_url,
        "model": getattr(arguments, "model", None),
        "checkpoint": getattr(arguments, "checkpoint", None),
        "precision": getattr(arguments, "precision", None),
        "time_zone": getattr(arguments, "time_zone", None),
    }
    settings = replace(settings, **{name: value for name, value in changes.items() if value})
    settings.validate()
    return settings


def start_decoding(n_files: int) -> None:
    """Start the processes that so many files need at most, while nothing else runs in this one.

    Forked from here they are there at once, with what this process needs itself.
    """
    import soundfile  # noqa: F401

    import soundalike.audio.segmenter  # noqa: F401
    from soundalike.audio.sandbox import shared

    shared().start(n_files, may_fork=True)


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """Yield the store and close it in any case."""
    from soundalike.store import open_store

    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened_pipeline(
    arguments: argparse.Namespace, start_rules: StartTimeRules | None = None, *, make: bool = True
) -> Iterator[Pipeline]:
    """Yield a pipeline with the index's own windows unless the options give others.

    Parameters
    ----------
    arguments : Namespace
    start_rules : StartTimeRules, optional
        How to find out when recordings began.
    make : bool
        Make the embedded server's database where there is none yet.
    """
    from soundalike.clock.wall_clock import StartTimeRules
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.store import MemoryStore, is_made

    settings = settings_from(arguments)
    collection = arguments.collection
    opened = opened_store(settings) if make or is_made(settings) else nullcontext(MemoryStore())
    with opened as store:
        plan = window_plan(arguments, store.status(collection=collection).spec)
        yield Pipeline(store, encoder_of(settings), plan, collection, start_rules or StartTimeRules())


def window_plan(arguments: argparse.Namespace, spec: IndexSpec | None) -> WindowPlan:
    """Return the windows that the options ask for; the index's, else the standard ones."""
    from soundalike.audio.windows import WindowPlan

    standard = WindowPlan(spec.window_s, spec.stride_s) if spec else WindowPlan()
    return WindowPlan(
        standard.window_s if arguments.window_size is None else arguments.window_size,
        standard.stride_s if arguments.stride is None else arguments.stride,
    )


def encoder_of(settings: Settings) -> Encoder:
    """Load the encoder and say which one it is."""
    from soundalike.encoders.choice import load_encoder
    from soundalike.encoders.weights import GET_WEIGHTS

    encoder = load_encoder(
        settings.model, settings.weights_dir, settings.checkpoint, precision=settings.precision
    )
    hint = "" if encoder.name == "vggish" else f"; for VGGish run: {GET_WEIGHTS}"
    output.note(f"encoder: {encoder.name} ({encoder.description}{hint})")
    return encoder


def parse_tags(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn ``KEY=VALUE`` into tags; a value that reads as JSON is taken as such, else as text.

    Examples
    --------
    >>> parse_tags(["site=pond", "depth_m=1.5"])
    {'site': 'pond', 'depth_m': 1.5}
    """
    tags: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ParameterError(f"tag {pair!r} is not of the form KEY=VALUE")
        try:
            tags[key] = json.loads(value, parse_constant=_no_constant)
        except ValueError:
            tags[key] = value
    return tags


def _no_constant(name: str) -> Any:
    """Refuse NaN and Infinity, which Python reads but JSON does not know."""
    raise ValueError(name)


def filters_from(arguments: argparse.Namespace) -> Filters:
    """Return what the options narrow a search to.

    Raises
    ------
    ParameterError
        A time cannot be read, or nothing lies between two of them.
    """
    from soundalike.clock.wall_clock import with_times
    from soundalike.filters import Filters, parse_conditions
    from soundalike.store.base import check_filters

    filters = Filters(
        labels=tuple(arguments.label),
        tags=parse_tags(arguments.tag),
        uri_prefix=_prefix(arguments.under),
        where=parse_conditions(arguments.where),
    )
    filters = with_times(
        filters,
        settings_from(arguments).time_zone,
        since=arguments.since,
        until=arguments.until,
        time_of_day=arguments.time_of_day,
    )
    # Before the encoder is loaded.
    check_filters(filters)
    return filters


def _prefix(under: str) -> str:
    """Return what the paths under a file or folder begin with; a folder's neighbours do not.

    What is there no more was a folder, unless its name is that of a sound.
    """
    path = Path(under).absolute()
    is_file = path.is_file() or (not path.exists() and looks_like_audio(path))
    return "" if not under else str(path) if is_file else str(path).rstrip("/") + "/"


def status(arguments: argparse.Namespace) -> int:
    """Print what is indexed, with what, and where."""
    from soundalike.clock.start_time import zone_named
    from soundalike.search.match_json import local_time

    settings = settings_from(arguments)
    zone = zone_named(settings.time_zone)
    service = service_from(arguments)
    values = service.status(arguments.collection) if service else _stored(settings, arguments.collection)
    for name in ("earliest_start", "latest_start"):
        values[name] = local_time(values[name], zone)
    _print_values(values, as_json=arguments.json)
    if values["encoder"] != values["configured_encoder"]:
        output.note(
            f"the index was made with {values['encoder']}, but {values['configured_encoder']} is "
            f"configured: set SOUNDALIKE_MODEL={values['encoder']}, or rebuild it with: soundalike "
            "reindex"
        )
    return 0


def _stored(settings: Settings, collection: str) -> dict[str, Any]:
    """Return what the index on this machine holds, and what it is made with."""
    from soundalike.encoders.choice import chosen_name
    from soundalike.store.base import not_indexed

    with opened_store(settings) as store:
        stored = store.status(collection=collection)
    if stored.spec is None and collection != DEFAULT_COLLECTION:
        raise not_indexed(collection)
    try:
        configured = chosen_name(settings.model, settings.weights_dir, settings.checkpoint)
    except ModelError as exc:
        output.note(f"{exc.message} [{exc.code}]")
        configured = settings.model
    return {
        "collection": collection,
        "encoder": stored.spec.encoder if stored.spec else configured,
        "configured_encoder": configured,
        "recordings": stored.recordings,
        "files": stored.files,
        "windows": stored.windows,
        "window_s": stored.spec.window_s if stored.spec else None,
        "stride_s": stored.spec.stride_s if stored.spec else None,
        "dimension": stored.spec.dimension if stored.spec else None,
        "index": stored.index,
        "database": stored.database,
        "extensions": stored.extensions,
        "starts": stored.starts,
        "earliest_start": stored.earliest_start,
        "latest_start": stored.latest_start,
        "earlier_decoder": stored.earlier_decoder,
        "unsearchable": stored.unsearchable,
    }


def _print_values(values: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.json_line(values)
        return
    rows = [(name, _shown(value)) for name, value in values.items() if value is not None]
    for line in output.columns(rows):
        output.data(line)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def delete(arguments: argparse.Namespace) -> int:
    """Delete files, folders or recordings."""
    from soundalike.audio.sources import stored_names

    missing = 0
    with _deleting(arguments) as delete_names:
        for key in arguments.keys:
            is_id = not Path(key).exists() and len(key) == 36 and key.count("-") == 4
            names = [key] if is_id else stored_names(key)
            name, gone = names[0], delete_names(names)
            missing += gone == 0
            if arguments.json:
                output.json_line({"key": name, "deleted": gone})
            output.note(f"{output.short_path(name)}: {gone} files removed from the index")
    if missing:
        output.note(f"{missing} of {len(arguments.keys)} were not in the index")
    return _PARTIAL_FAILURE if missing else 0


@contextmanager
def _deleting(arguments: argparse.Namespace) -> Iterator[Callable[[list[str]], int]]:
    """Yield what deletes whatever has one of these names, and tells how many paths went."""
    collection = arguments.collection
    if service := service_from(arguments):
        yield lambda names: service.delete(names[0], is_id=len(names) == 1, collection=collection)
        return
    with opened_store(settings_from(arguments)) as store:
        yield lambda names: sum(store.delete(name, collection=collection) for name in names)


def reset(arguments: argparse.Namespace) -> int:
    """Delete the whole index, after asking."""
    settings = settings_from(arguments)
    with opened_store(settings) as store:
        if not arguments.yes and not confirmed("Delete the whole index? Type yes:"):
            output.note("nothing was deleted; confirm with --yes")
            return 2
        store.reset()
    forget_indexed(settings.data_dir)
    if arguments.json:
        output.json_line({"reset": True})
    output.note("the index was deleted")
    return 0


def confirmed(question: str) -> bool:
    """Ask for a yes; where nobody can answer it is a no."""
    if not sys.stdin.isatty():
        return False
    output.note(question)
    return sys.stdin.readline().strip() == "yes"
