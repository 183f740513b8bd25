"""The clips of an evaluation that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soundalike.cli import output

if TYPE_CHECKING:
    from soundalike.evaluation.results import Failure

_SHOWN_FAILURES = 20


def note_failures(failed: Sequence[Failure]) -> None:
    """Say which clips could not be used, the first of them by name."""
    for path, code, message in failed[:_SHOWN_FAILURES]:
        shown = output.visible(output.short_path(path))
        output.note(f"failed: {shown}: {output.visible(message)} [{code}]")
    if len(failed) > _SHOWN_FAILURES:
        output.note(f"and {len(failed) - _SHOWN_FAILURES} more; --json and --report list all")
