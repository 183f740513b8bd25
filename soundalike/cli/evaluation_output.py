"""The page of an evaluation as a file, and the clips that failed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.evaluation.results import Failure

_SHOWN_FAILURES = 20


def check_report(path: Path) -> None:
    """Raise `ParameterError` unless a report can be written to this file."""
    if path.suffix.lower() not in (".html", ".htm"):
        # So that a slip does not overwrite a recording or the metadata.
        raise ParameterError(f"report is {str(path)!r}; give a file that ends in .html")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ParameterError(f"report {str(path)!r} cannot be written there; give a file in a folder")


def write_page(path: Path, page: str) -> None:
    """Write a report, and say where it is.

    Raises
    ------
    ParameterError
        It cannot be written there.
    """
    try:
        # Names that are no UTF-8 are shown escaped, as on stdout.
        path.write_bytes(page.encode("utf-8", errors="backslashreplace"))
    except OSError as exc:
        raise ParameterError(
            f"report {str(path)!r} cannot be written: {exc.strerror}; give another place"
        ) from exc
    output.note(f"report: {output.visible(str(path))}")


def note_failures(failed: Sequence[Failure]) -> None:
    """Say which clips could not be used, the first of them by name."""
    for path, code, message in failed[:_SHOWN_FAILURES]:
        shown = output.visible(output.short_path(path))
        output.note(f"failed: {shown}: {output.visible(message)} [{code}]")
    if len(failed) > _SHOWN_FAILURES:
        output.note(f"and {len(failed) - _SHOWN_FAILURES} more; --json and --report list all")
