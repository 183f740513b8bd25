"""A page or picture that a command writes besides its output."""

from __future__ import annotations

import os
from pathlib import Path

from soundalike.cli import output
from soundalike.errors import ParameterError


def check_place(what: str, path: Path, *suffixes: str) -> None:
    """Check before the work where a page will be written.

    Raises
    ------
    ParameterError
        The name has none of the suffixes, or the folder cannot be written to.
    """
    if path.suffix.lower() not in suffixes:
        # So that a slip does not overwrite a recording or the metadata.
        raise ParameterError(f"{what} is {str(path)!r}; give a file that ends in {suffixes[0]}")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ParameterError(f"{what} {str(path)!r} cannot be written there; give a file in a folder")


def write_page(what: str, path: Path, page: str) -> None:
    """Write a page, and say where it is.

    Raises
    ------
    ParameterError
        It cannot be written.
    """
    try:
        # Names that are not UTF-8 are shown escaped, as on stdout.
        path.write_bytes(page.encode("utf-8", errors="backslashreplace"))
    except OSError as exc:
        raise ParameterError(
            f"{what} {str(path)!r} cannot be written: {exc.strerror}; give another place"
        ) from exc
    output.note(f"{what}: {output.visible(str(path))}")
