"""Files that paths on the command line name, and reports of ignored files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.errors import AudioNotFound

if TYPE_CHECKING:
    from soundalike.audio.files import FileList
    from soundalike.indexing.requests import TableChoice


def metadata_tables(choice: TableChoice, files: FileList) -> tuple[Sequence[Path], FileList]:
    """Return the tables that are named, else those beside the files; and the files without them."""
    from soundalike.indexing.metadata import find_tables

    if choice.named or not choice.finds:
        return choice.named, files
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


@dataclass(frozen=True)
class LeftOut:
    """How files that are left out are told: by name where that is asked for, else by their number.

    Attributes
    ----------
    is_listed : bool
    as_json : bool
    """

    is_listed: bool
    as_json: bool

    def tell(self, files: Mapping[str, str]) -> None:
        """Name files, by path with the reason of each, where that is asked for."""
        for path, reason in files.items() if self.is_listed else ():
            if self.as_json:
                output.note(json.dumps({"left_out": path, "reason": reason}))
            else:
                output.note(f"left out: {output.visible(output.short_path(path))}: {reason}")

    def sum_up(self, n_files: int) -> None:
        """Say how many files of folders are left out, if there are any."""
        if n_files:
            what = (
                "1 file that is not a sound was"
                if n_files == 1
                else f"{n_files} files that are not sounds were"
            )
            how = (
                "" if self.is_listed else "; --list-skipped names " + ("it" if n_files == 1 else "them")
            )
            output.note(f"{what} left out{how}")
