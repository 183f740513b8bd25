"""What is said when indexing is done: how many of what, and why which files failed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from soundalike.cli import output
from soundalike.cli.paths import LeftOut
from soundalike.errors import (
    AudioError,
    AudioNotFound,
    AudioTooShort,
    EmptyAudio,
    InvalidSamples,
    NoAudioTrack,
    UnreadableAudio,
    error_classes,
)

if TYPE_CHECKING:
    from soundalike.indexing.pipeline import IndexResult

#: Failures of a kind that are told one by one; with --json, each has a row on stdout.
SHOWN_FAILURES = 5
#: In the order in which they are told.
_OUTCOMES = ("added", "replaced", "updated", "linked", "unchanged", "pruned", "skipped", "failed")
_REMEDIES = {
    AudioNotFound.code: "check that the files are there and may be read",
    UnreadableAudio.code: "check that they play elsewhere; export them again, or move them out of the "
    "folder",
    NoAudioTrack.code: "give films with sound, or leave them out",
    EmptyAudio.code: "record or export them again, or delete them",
    AudioTooShort.code: "a recording needs at least 25 ms; leave shorter ones out",
    InvalidSamples.code: "export them again from the original",
}
_OTHER_REMEDY = "see docs/errors.md"


class Report:
    """Counts results, and says at the end what became of all files.

    Parameters
    ----------
    as_json : bool
        Write each result, and the summary, as a JSON object.
    is_dry_run : bool
        The results are what would happen.
    lists_left_out : bool
        Name the files that are left out.
    """

    def __init__(self, *, as_json: bool, is_dry_run: bool = False, lists_left_out: bool = False) -> None:
        self._as_json = as_json
        self._is_dry_run = is_dry_run
        self._left_out = LeftOut(is_listed=lists_left_out, as_json=as_json)
        #: Ignored files of folders, beside the files that were examined.
        self.n_left_out = 0
        self._counts: Counter[str] = Counter()
        self._failures: defaultdict[str, list[str]] = defaultdict(list)
        self._n_failed: Counter[str] = Counter()
        self._n_unsearchable = 0
        self._n_earlier, self._mend = 0, ""

    @property
    def n_failed(self) -> int:
        """How many files failed."""
        return self._n_failed.total()

    @property
    def exit_status(self) -> int:
        """What the command ends with."""
        return AudioError.exit_status if self.n_failed else 0

    @property
    def n_files(self) -> int:
        """How many files were looked at."""
        return self._counts.total() - self._counts["pruned"]

    def tell(self, result: IndexResult) -> None:
        """Take in the result of a file, write it to stdout for programs, and its warnings to stderr."""
        self.count(result)
        if self._as_json:
            output.json_line(asdict(result))
        for warning in result.warnings:
            self.warn(result.uri, warning)

    def warn(self, uri: str, warning: str) -> None:
        """Write a warning about a file to stderr."""
        output.note(f"warning: {output.short_path(uri)}: {warning}")

    def list_left_out(self, files: Mapping[str, str], n_more: int = 0) -> None:
        """Name files that are left out, with the reason of each, where that is asked for.

        Parameters
        ----------
        files : mapping of str to str
            Reasons by path.
        n_more : int
            How many more there are, whose names are not known.
        """
        self._left_out.tell(files)
        if n_more > 0 and self._left_out.is_listed:
            output.note(f"and {n_more} more are left out, which the service does not name")

    def count_more(self, outcome: str, n_files: int) -> None:
        """Take in files of which only this is known."""
        self._counts[outcome] += n_files

    def count_unsearchable(self, n_files: int) -> None:
        """Take in files that no search finds, and of which only their number is known."""
        self._n_unsearchable += n_files

    def note_earlier(self, n_recordings: int, mend: str) -> None:
        """Take in how many stored recordings an earlier decoder has decoded, and what mends it."""
        self._n_earlier, self._mend = n_recordings, mend

    def count(self, result: IndexResult) -> None:
        """Take in the result of a file."""
        self._counts[result.outcome] += 1
        self._n_unsearchable += result.is_unsearchable
        if result.outcome == "failed" and result.error_code is not None:
            self._n_failed[result.error_code] += 1
            if len(self._failures[result.error_code]) < SHOWN_FAILURES:
                self._failures[result.error_code].append(named_error(result))

    def write(self, took_s: float) -> None:
        """Write the report to stderr, for people, and for programs as one line of JSON."""
        known = {outcome: self._counts[outcome] for outcome in _OUTCOMES if self._counts[outcome]}
        summary = ", ".join(f"{count} {outcome}" for outcome, count in known.items())
        would = "would be " if self._is_dry_run and summary else ""
        output.note(f"{self.n_files} files in {took_s:.1f} s: {would}{summary or 'nothing to do'}")
        self._left_out.sum_up(self.n_left_out + self._counts["skipped"])
        if self._n_unsearchable:
            output.note(unsearchable(self._n_unsearchable))
        for code, count in self._n_failed.most_common():
            output.note(f"{count} x {code}: {_reason(code)} {_remedy(code)}")
            for error in self._failures[code]:
                output.note(f"  failed: {output.visible(error)} [{code}]")
            if count > SHOWN_FAILURES:
                output.note(f"  and {count - SHOWN_FAILURES} more; --json lists all")
        if self._n_earlier:
            from soundalike.store.renewal import earlier_decoder

            output.note(f"{earlier_decoder(self._n_earlier)}; {self._mend}")
        if self._is_dry_run:
            output.note("nothing was changed: this was a dry run")
        if self._as_json:
            output.note(json.dumps({"summary": self._summary(took_s)}, ensure_ascii=False))

    def _summary(self, took_s: float) -> dict[str, Any]:
        return {
            "files": self.n_files,
            "seconds": round(took_s, 3),
            "dry_run": self._is_dry_run,
            **{outcome: self._counts[outcome] for outcome in _OUTCOMES},
            "left_out": self.n_left_out,
            "unsearchable": self._n_unsearchable,
            "earlier_decoder": self._n_earlier,
            "failures": {
                code: {
                    "count": count,
                    "reason": _reason(code),
                    "remedy": _remedy(code),
                    "examples": self._failures[code],
                }
                for code, count in self._n_failed.most_common()
            },
        }


def unsearchable(count: int) -> str:
    """Return what is said of files that were stored, and that no search finds."""
    return f"{count} {'holds' if count == 1 else 'hold'} nothing that a search can find"


def named_error(result: IndexResult) -> str:
    """Return what is wrong with a file; not every error says with which."""
    error, uri = result.error or "", result.uri
    return error if repr(uri) in error else f"{uri}: {error}"


def _reason(code: str) -> str:
    found = (cls.__doc__ or "" for cls in error_classes() if cls.code == code)
    return next(found, "").strip().split("\n")[0]


def _remedy(code: str) -> str:
    remedy = _REMEDIES.get(code, _OTHER_REMEDY)
    return f"{remedy[0].upper()}{remedy[1:]}."
