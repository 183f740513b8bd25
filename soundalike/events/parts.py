"""Parts of recordings that resemble a query, on their way to events."""

from __future__ import annotations

from dataclasses import dataclass, field

from soundalike.types import Recording

#: Begins and ends in seconds, increasing, without overlaps.
Stretches = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Found:
    """A part of a recording that resembles a part of the query; positions in seconds.

    `is_reread` tells whether its sound was read again, which gives scores of another scale.
    """

    start_s: float
    end_s: float
    query_start_s: float
    query_end_s: float
    score: float
    is_reread: bool = False

    def overlaps(self, other: Found) -> bool:
        """Return whether two parts share some time."""
        return self.start_s < other.end_s and other.start_s < self.end_s


@dataclass(slots=True)
class Screened:
    """Where a recording may have events, by its stored vectors.

    Attributes
    ----------
    recording : Recording
    found : list of Found
    stretches : list of (float, float)
        Begins and ends in seconds of the parts whose sound should be read again.
    """

    recording: Recording
    found: list[Found] = field(default_factory=list)
    stretches: Stretches = field(default_factory=list)
