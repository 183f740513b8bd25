"""``soundalike searches review``, ``estimate`` and ``propose``: decide on hits one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from soundalike.audio.excerpt import Excerpt
from soundalike.cli import output
from soundalike.errors import ParameterError
from soundalike.search.examples import Example
from soundalike.searches.review_requests import PROPOSED_FROM, EstimateRequest, ReviewRequest

if TYPE_CHECKING:
    from soundalike.client.searches import RemoteSearches
    from soundalike.searches.searches import Searches

_KEYS = "y: right, n: wrong, s: skip, u: take back, q: stop"
_NOTHING = "nothing is left to review"
_NO_PROPOSALS = (
    "there are no proposals: no hit without a mark has the expected precision, or marks are too few; "
    "see: soundalike searches estimate NAME"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A review, an estimate or proposals, as they were asked for.

    Attributes
    ----------
    request : ReviewRequest or EstimateRequest
    label : str or None
        Label of proposals.
    by : str
        Name of the person who decides.
    """

    request: ReviewRequest | EstimateRequest
    label: str | None
    by: str

    @classmethod
    def from_options(cls, action: str, given: Mapping[str, Any]) -> Asked | None:
        """Return what an action asks for; None if it is another action.

        Raises
        ------
        ParameterError
            A value is out of its range, or the label of proposals is missing.
        """
        by = given["by"] or ""
        if action == "estimate":
            return cls(EstimateRequest(**_given(given, EstimateRequest)), None, by)
        if action == "review":
            return cls(ReviewRequest(**_given(given, ReviewRequest)), None, by)
        if action != "propose":
            return None
        if len(given["labels"]) != 1:
            raise ParameterError("searches propose needs one --label LABEL")
        (label,) = given["labels"]
        values = {"min_precision": PROPOSED_FROM, **_given(given, ReviewRequest)}
        return cls(ReviewRequest(**{**values, "order": "score", "label": label}), label, by)


def run(searches: Searches | RemoteSearches, name: str, asked: Asked, *, as_json: bool) -> int:
    """Print an estimate, or the hits to review; on a terminal, ask for decisions."""
    if isinstance(asked.request, EstimateRequest):
        found = searches.estimate(name, asked.request)
        if as_json:
            output.json_line(found)
        else:
            _print_estimate(found)
        return 0
    rows = searches.review(name, asked.request)
    if as_json:
        for row in rows:
            output.json_line(row)
    elif not rows:
        output.note(_NOTHING if asked.label is None else _NO_PROPOSALS)
    elif sys.stdin.isatty():
        Session(searches, name, asked.label, asked.by).run(rows, sys.stdin.readline)
    else:
        output.table(_table(rows))
    return 0


class Session:
    """Asks for decisions on hits, and stores each at once.

    Parameters
    ----------
    searches : Searches or RemoteSearches
    name : str
    label : str or None
        Label of the annotations that right places get; without it they get none.
    by : str
        Name of the person who decides.
    """

    def __init__(
        self, searches: Searches | RemoteSearches, name: str, label: str | None, by: str
    ) -> None:
        self._searches = searches
        self._name = name
        self._label = label
        self._by = by
        #: Hits decided on, and the steps that `undo` needs for each.
        self._steps: list[tuple[int, int]] = []

    def run(self, rows: Sequence[Mapping[str, Any]], read: Callable[[], str]) -> None:
        """Ask for each hit; `read` returns a line, and an empty text at the end of the input."""
        output.note(_KEYS)
        at = 0
        while at < len(rows):
            output.note(f"{at + 1}/{len(rows)}  {_line(rows[at])}")
            line = read()
            key = line.strip().lower()
            if not line or key == "q":
                break
            if key in ("y", "n"):
                self._steps.append((at, self._decide(rows[at], is_right=key == "y")))
                at += 1
            elif key == "s":
                at += 1
            elif key == "u":
                at = self._take_back(at)
            else:
                output.note(_KEYS)
        output.note(
            f"{len(self._steps)} decisions stored; see: soundalike searches estimate {self._name}"
        )

    def _decide(self, row: Mapping[str, Any], *, is_right: bool) -> int:
        place = Example(row["recording_id"], Excerpt(row["start_s"], row["end_s"]))
        self._searches.mark(self._name, place, is_right=is_right, by=self._by)
        if not is_right or self._label is None:
            return 1
        # An acceptance that adds nothing has nothing to take back.
        return 1 + (self._searches.accept(self._name, self._label, by=self._by).added > 0)

    def _take_back(self, at: int) -> int:
        if not self._steps:
            output.note("there is nothing to take back")
            return at
        row, steps = self._steps.pop()
        for _ in range(steps):
            self._searches.undo(self._name)
        return row


def _print_estimate(found: Mapping[str, Any]) -> None:
    output.data(f"{found['hits']} hits, {found['reviewed']} reviewed, {found['right']} right")
    shown = _share(found, "precision") or "unknown; review at least one hit of each band"
    output.data(f"precision: {shown}")
    right = _interval(found, "expected_right", "{:.0f}")
    output.data(f"expected right: {right or 'unknown; mark at least 8 hits, 2 right and 2 wrong ones'}")
    if right:
        output.data(f"hits with expected precision {found['min_precision']:g}: {found['likely_right']}")
    if found["auc_plain"] is not None:
        output.data(
            f"right before wrong marks: {found['auc_plain']:.3f} of pairs by the query alone, "
            f"{found['auc_combined']:.3f} with marks"
        )
    header = ("band", "scores", "hits", "reviewed", "right", "precision")
    lines = [
        (
            str(band["band"]),
            f"{band['low']:.3f} to {band['high']:.3f}",
            *(str(band[key]) for key in ("hits", "reviewed", "right")),
            _share(band, "precision"),
        )
        for band in found["bands"]
    ]
    output.table(output.columns([header, *lines], right=(0, 2, 3, 4)))


def _given(values: Mapping[str, Any], request: type) -> dict[str, Any]:
    names = (one.name for one in fields(request))
    return {name: values[name] for name in names if values.get(name) is not None}


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        (
            f"{row['score']:.3f}",
            str(row["band"]),
            _share(row, "expected_precision"),
            output.seconds(row["start_s"], row["end_s"]),
            output.visible(output.short_path(row["uri"])),
        )
        for row in rows
    ]
    return output.columns([("score", "band", "expected", "at", "clip"), *lines], right=(0, 1))


def _line(row: Mapping[str, Any]) -> str:
    at = output.seconds(row["start_s"], row["end_s"])
    expected = _share(row, "expected_precision")
    shown = f"  expected {expected}" if expected else ""
    return f"{output.visible(output.short_path(row['uri']))}  {at}  score {row['score']:.3f}{shown}"


def _share(row: Mapping[str, Any], name: str) -> str:
    return _interval(row, name, "{:.2f}")


def _interval(row: Mapping[str, Any], name: str, form: str) -> str:
    """Return a value with its interval; an empty text if it is unknown."""
    if row[name] is None:
        return ""
    value, low, high = (form.format(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} ({low} to {high})"
