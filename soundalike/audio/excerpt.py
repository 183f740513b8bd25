"""Excerpts: a slice of a recording, or the window around a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from soundalike.errors import ParameterError
from soundalike.parameters import about
from soundalike.types import Window

#: Thirty years; some decoders cannot count the samples before a later second.
LATEST_S = 1e9


#: Half the usual length of a window.
_AROUND_S = 2.0


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a recording, in seconds from its start; the whole recording by default.

    Attributes
    ----------
    start_s, end_s : float or None
        A slice; None for the start and the end of the recording.
    at_s : float or None
        A moment: selects the one window around it.

    Raises
    ------
    ParameterError
        A number is negative or above 1e9, the slice is empty, or both a slice and a moment are given.
    """

    start_s: float | None = field(
        default=None, metadata=about("search only with the part from this second on")
    )
    end_s: float | None = field(
        default=None, metadata=about("search only with the part before this second")
    )
    at_s: float | None = field(
        default=None, metadata=about("search only with the one window around this second")
    )

    def __post_init__(self) -> None:
        for name in ("start_s", "end_s", "at_s"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= LATEST_S:
                raise ParameterError(f"{name} is {value}; give seconds from the recording's start")
        if self.at_s is not None and (self.start_s, self.end_s) != (None, None):
            raise ParameterError(
                f"at_s is {self.at_s:g} and start_s or end_s is set; give a slice or a moment"
            )
        if self.stop_s <= self.begin_s:
            raise ParameterError(
                f"end_s is {self.end_s:g} and start_s is {self.begin_s:g}; the end must be after "
                "the start"
            )

    @property
    def is_whole(self) -> bool:
        """Whether this is the whole recording."""
        return (self.start_s, self.end_s, self.at_s) == (None, None, None)

    @property
    def begin_s(self) -> float:
        """First second of the slice."""
        return self.start_s or 0.0

    @property
    def stop_s(self) -> float:
        """Last second of the slice; infinite for the end of the recording."""
        return math.inf if self.end_s is None else self.end_s

    @property
    def bounds_s(self) -> tuple[float, float]:
        """First and last second; for a moment those of the four seconds around it."""
        if self.at_s is not None:
            return max(0.0, self.at_s - _AROUND_S), self.at_s + _AROUND_S
        return self.begin_s, self.stop_s

    def windows_of(self, windows: Sequence[Window]) -> list[Window]:
        """Select the windows of the excerpt.

        Parameters
        ----------
        windows : sequence of Window
            All windows of the recording, in order; at least one.

        Returns
        -------
        chosen : list of Window
            For a moment, the window with the nearest centre. For a slice, the windows that are at least
            half inside, or else the one with the largest overlap.

        Raises
        ------
        ParameterError
            The excerpt contains no window.

        Examples
        --------
        >>> windows = [Window(0, 0.0, 4.0), Window(1, 2.0, 6.0), Window(2, 4.0, 8.0)]
        >>> [window.index for window in Excerpt(start_s=2.0, end_s=8.0).windows_of(windows)]
        [0, 1, 2]
        >>> [window.index for window in Excerpt(start_s=4.5, end_s=5.5).windows_of(windows)]
        [1]
        >>> [window.index for window in Excerpt(at_s=6.5).windows_of(windows)]
        [2]
        """
        if self.is_whole:
            return list(windows)
        self.check_begins_before(windows[-1].end_s)
        if self.at_s is not None:
            at_s = self.at_s
            return [min(windows, key=lambda window: abs(window.start_s + window.end_s - 2 * at_s))]
        inside = {window.index: self._overlap_s(window) for window in windows}
        chosen = [
            window
            for window in windows
            if inside[window.index] >= (window.end_s - window.start_s) / 2 - 1e-9
        ]
        most = max(windows, key=lambda window: inside[window.index])
        if not chosen and inside[most.index] <= 0:
            raise ParameterError(
                f"the recording has no window from {self.begin_s:g} s to {self.end_s:g} s; "
                "its windows are further apart than they are long"
            )
        return chosen or [most]

    def check_begins_before(self, duration_s: float) -> None:
        """Raise `ParameterError` if a recording of this length ends before the excerpt begins."""
        if self.at_s is not None and self.at_s > duration_s:
            raise past_end_error(self.at_s, duration_s)
        if self.begin_s >= duration_s:
            raise past_end_error(self.begin_s, duration_s)

    def _overlap_s(self, window: Window) -> float:
        return min(window.end_s, self.stop_s) - max(window.start_s, self.begin_s)


def past_end_error(begin_s: float, duration_s: float) -> ParameterError:
    """Return the error for an excerpt after the end of a recording."""
    return ParameterError(
        f"there is nothing at {begin_s:g} s: the recording ends at {duration_s:g} s; give an earlier "
        "time"
    )


#: The whole recording.
WHOLE = Excerpt()


def check_whole(excerpt: Excerpt, kind: str) -> None:
    """Raise `ParameterError` where a part of a vector or of a text is asked for."""
    if not excerpt.is_whole:
        raise ParameterError(f"a {kind} has no time axis; omit start_s, end_s and at_s")
