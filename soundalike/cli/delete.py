"""``soundalike delete``: remove files, folders or recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.errors import AudioError

if TYPE_CHECKING:
    from soundalike.cli.place import Place

_PARTIAL_FAILURE = AudioError.exit_status


@make_command(
    "delete",
    click.Argument(
        ["keys"],
        nargs=-1,
        required=True,
        type=options.FileName(str),
        metavar="PATH...",
        help="file, folder (all below it), or recording id",
    ),
    options.collection(),
    *options.server(),
)
def command(place: Place, *, as_json: bool, keys: Sequence[str], collection: str) -> int:
    """Delete files, folders or recordings."""
    from soundalike.audio.sources import stored_names

    missing = 0
    with _deleting(place, collection) as delete_names:
        for key in keys:
            is_id = not Path(key).exists() and len(key) == 36 and key.count("-") == 4
            names = [key] if is_id else stored_names(key)
            name, gone = names[0], delete_names(names, is_id)
            missing += gone == 0
            if as_json:
                output.json_line({"key": name, "deleted": gone})
            output.note(f"{output.short_path(name)}: {gone} files removed from the index")
    if missing:
        output.note(f"{missing} of {len(keys)} were not in the index")
    return _PARTIAL_FAILURE if missing else 0


@contextmanager
def _deleting(place: Place, collection: str) -> Iterator[Callable[[list[str], bool], int]]:
    """Yield what deletes whatever has one of these names, and tells how many paths went."""
    if service := place.service():
        yield lambda names, is_id: service.delete(names[0], is_id=is_id, collection=collection)
        return
    with opening.opened_store(place.settings()) as store:
        yield lambda names, _: sum(store.delete(name, collection=collection) for name in names)
