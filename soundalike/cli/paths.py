"""The files that paths on the command line mean, and what is said of those that are left out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.errors import AudioNotFound, ParameterError

if TYPE_CHECKING:
    from soundalike.audio.files import FileList


def add_list_skipped(command: argparse.ArgumentParser) -> None:
    """Add the option that names what is left out."""
    command.add_argument(
        "--list-skipped",
        action="store_true",
        help="name the files of these folders that are left out, and say why, on stderr; with --json, a "
        "JSON object on each line",
    )


def add_metadata(command: argparse.ArgumentParser, what: str) -> None:
    """Add the options that name tables of the files, and that keep others from being looked for."""
    command.add_argument(
        "--metadata",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"table of the files: CSV, TSV or JSON lines with file_name (or filename, file, path; "
        f"relative to the table's folder or to the folders that are given), {what}; may be repeated; "
        "default: each metadata.csv and metadata.jsonl in these folders that names files",
    )
    command.add_argument(
        "--no-metadata", action="store_true", help="use no metadata.csv or metadata.jsonl found there"
    )


def metadata_tables(arguments: argparse.Namespace, files: FileList) -> tuple[list[Path], FileList]:
    """Return the tables that are named, else those found beside the files; and the files without them.

    Raises
    ------
    ParameterError
        Tables are named and refused at once.
    """
    from soundalike.indexing.metadata import find_tables

    if arguments.metadata and arguments.no_metadata:
        raise ParameterError("--metadata and --no-metadata exclude each other; leave one out")
    if arguments.metadata or arguments.no_metadata:
        return arguments.metadata, files
    tables = find_tables(files)
    for table in tables:
        shown = output.visible(output.short_path(str(table)))
        output.note(f"metadata: {shown} (found beside the files; --no-metadata leaves it out)")
    used = {str(table) for table in tables}
    left_out = {path: reason for path, reason in files.left_out.items() if path not in used}
    return tables, replace(files, left_out=left_out)


def sound_files(paths: Sequence[str]) -> FileList:
    """Return the sound files that are meant; say which folders cannot be read.

    Raises
    ------
    AudioNotFound
        A path names nothing, or a folder that cannot be read.
    """
    from soundalike.audio.files import find_files

    if not all(paths):
        # As of an unset variable; it would mean the working folder.
        raise AudioNotFound("a path is empty; give that of a file or folder, or . for this folder")
    found = find_files(paths)
    if found.missing:
        raise AudioNotFound(f"nothing is at {', '.join(found.missing)}; check the path")
    named = {Path(path).absolute() for path in paths}
    for folder, reason in found.unreadable.items():
        if folder in named:
            raise AudioNotFound(f"{str(folder)!r} cannot be read: {reason}; check its permissions")
        output.note(f"warning: {output.short_path(str(folder))} is left out: {reason}")
    return found


def note_left_out(n_files: int, *, is_listed: bool) -> None:
    """Say how many files of folders are left out, if there are any."""
    if n_files:
        what = (
            "1 file that is no sound was" if n_files == 1 else f"{n_files} files that are no sound were"
        )
        how = "" if is_listed else "; --list-skipped names " + ("it" if n_files == 1 else "them")
        output.note(f"{what} left out{how}")


def list_left_out(left_out: Mapping[str, str], *, as_json: bool) -> None:
    """Name files that are left out, by path, with the reason of each."""
    for path, reason in left_out.items():
        if as_json:
            output.note(json.dumps({"left_out": path, "reason": reason}))
        else:
            output.note(f"left out: {output.visible(output.short_path(path))}: {reason}")
