"""Annotations: labels of spans inside recordings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from soundalike.errors import ParameterError

#: Maximum length of a label in characters.
MAX_LABEL = 500
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Annotation:
    """A label of a span inside a recording, as a label file contains it.

    Attributes
    ----------
    start_s, end_s : float
        Bounds in seconds from the start of the recording; equal for a point.
    label : str
    low_hz, high_hz : float or None
        Bounds in hertz; None if unknown.
    file : str
        Path or name of the recording as the label file names it; empty if it does not.
    line : int
        Line of the label file, from 1; 0 if it comes from elsewhere.
    """

    start_s: float
    end_s: float
    label: str
    low_hz: float | None = None
    high_hz: float | None = None
    file: str = ""
    line: int = 0

    def check(self, duration_s: float = math.inf) -> None:
        """Raise `ParameterError` unless the values are possible in a recording of this length."""
        if not self.label.strip():
            raise ParameterError("the label is empty; give a name")
        if len(self.label) > MAX_LABEL:
            raise ParameterError(
                f"the label {self.label[:_SHOWN]!r}... has {len(self.label)} characters; give up to "
                f"{MAX_LABEL}"
            )
        if not 0 <= self.start_s <= self.end_s < math.inf:
            raise ParameterError(
                f"the span is from {self.start_s:g} to {self.end_s:g} s; give a begin of 0 or more and "
                "an end that is not before it"
            )
        if self.start_s >= duration_s:
            raise ParameterError(
                f"the span begins at {self.start_s:g} s, the recording has {duration_s:g} s"
            )
        bounds = [bound for bound in (self.low_hz, self.high_hz) if bound is not None]
        if any(not 0 <= bound < math.inf for bound in bounds) or bounds != sorted(bounds):
            raise ParameterError(
                f"the frequencies are {self.low_hz} to {self.high_hz} Hz; give the lower one first"
            )


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """An annotation in the database.

    Attributes
    ----------
    annotation_id : int
        0 before it is stored.
    recording_id : str
        The recording.
    uri : str
        First path of the recording; empty before it is stored.
    annotation : Annotation
        The span and its label; `file` and `line` are empty.
    source : str
        Origin: path of the label file, or a name.
    created_at : datetime or None
        Time of storing.
    duration_s : float
        Length of the recording; 0.0 before the annotation is stored.
    """

    annotation_id: int
    recording_id: str
    uri: str
    annotation: Annotation
    source: str
    created_at: datetime | None = None
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a label file that cannot be used.

    Attributes
    ----------
    line : int
        From 1.
    reason : str
    """

    line: int
    reason: str
