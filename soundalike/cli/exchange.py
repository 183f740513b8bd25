"""``soundalike export`` and ``soundalike import``: a collection on its way between machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.archive import Rebase
    from soundalike.cli.place import Place


@make_command(
    "export",
    click.Argument(
        ["target"],
        type=options.FileName(),
        metavar="FILE|FOLDER",
        help="file to write; in a folder it is called NAME.soundalike.zip",
    ),
    options.collection(),
    server="refused",
)
def export_command(place: Place, *, as_json: bool, target: Path, collection: str) -> int:
    """Write a collection into a file."""
    from soundalike.archive import SUFFIX, export_collection

    if target.is_dir():
        target /= f"{collection}{SUFFIX}"
    with opening.opened_store(place.settings()) as store:
        show = output.progress(store.status(collection=collection).recordings, "exporting")
        found = export_collection(store, target, collection=collection, on_progress=show)
    values = {
        "file": str(target.absolute()),
        "bytes": target.stat().st_size,
        "collection": found.name,
        "recordings": found.recordings,
        "files": found.files,
        "windows": found.windows,
        **asdict(found.spec),
    }
    if as_json:
        output.json_line(values)
    output.note(
        f"{output.visible(str(target))}: {found.recordings} recordings, {found.windows} windows, "
        f"{values['bytes'] / 1e6:.1f} MB; {found.spec.describe()}"
    )
    return 0


@make_command(
    "import",
    click.Argument(
        ["file"], type=options.FileName(), metavar="FILE", help="a file that export has written"
    ),
    click.Option(
        ["--collection"],
        metavar="NAME",
        help="name of the collection; an existing one gets the recordings added; default: the file's",
    ),
    click.Option(
        ["rebases", "--rebase"],
        multiple=True,
        metavar="OLD=NEW",
        help="replace the folder OLD in paths by the folder NEW; repeatable",
    ),
    server="refused",
)
def import_command(
    place: Place, *, as_json: bool, file: Path, collection: str | None, rebases: Sequence[str]
) -> int:
    """Read a collection out of a file."""
    from soundalike.archive import import_collection, open_archive

    rebase = [_rebase(text) for text in rebases]
    with open_archive(file) as archive, opening.opened_store(place.settings()) as store:
        output.note(f"made with {archive.summary.spec.describe()}")
        show = output.progress(archive.summary.recordings, "importing")
        result = import_collection(
            store, archive, collection=collection, rebase=rebase, on_progress=show
        )
    if as_json:
        output.json_line(asdict(result))
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.outcomes.items()))
    made = "made" if result.created else "was there already"
    output.note(f"collection {result.collection} {made}; files: {counts or 'none'}")
    return 0


def _rebase(text: str) -> Rebase:
    from soundalike.archive import Rebase

    old, separator, new = text.partition("=")
    if not separator:
        raise ParameterError(f"--rebase {text!r} is not of the form OLD=NEW, two absolute folders")
    return Rebase(old, new)
