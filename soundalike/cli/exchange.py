"""``soundalike export`` and ``soundalike import``: a collection on its way between machines."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.cli.commands import opened_store, settings_from
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.archive import Rebase


def export(arguments: argparse.Namespace) -> int:
    """Write a collection into a file."""
    from soundalike.archive import SUFFIX, export_collection

    target = Path(arguments.target)
    if target.is_dir():
        target /= f"{arguments.collection}{SUFFIX}"
    with opened_store(settings_from(arguments)) as store:
        show = output.progress(store.status(collection=arguments.collection).recordings, "exporting")
        found = export_collection(store, target, collection=arguments.collection, on_progress=show)
    values = {
        "file": str(target.absolute()),
        "bytes": target.stat().st_size,
        "collection": found.name,
        "recordings": found.recordings,
        "files": found.files,
        "windows": found.windows,
        **asdict(found.spec),
    }
    if arguments.json:
        output.json_line(values)
    output.note(
        f"{output.visible(str(target))}: {found.recordings} recordings, {found.windows} windows, "
        f"{values['bytes'] / 1e6:.1f} MB; {found.spec.describe()}"
    )
    return 0


def import_(arguments: argparse.Namespace) -> int:
    """Read a collection out of a file."""
    from soundalike.archive import import_collection, open_archive

    rebase = [_rebase(text) for text in arguments.rebase]
    with (
        open_archive(arguments.file) as archive,
        opened_store(settings_from(arguments)) as store,
    ):
        output.note(f"made with {archive.summary.spec.describe()}")
        show = output.progress(archive.summary.recordings, "importing")
        result = import_collection(
            store, archive, collection=arguments.collection, rebase=rebase, on_progress=show
        )
    if arguments.json:
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
