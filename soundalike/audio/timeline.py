"""Where the frames of a track belong by their time stamps: at the times that a player shows."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

#: Formats that note the time of packets. In the others it follows from what was read before.
_WITH_TIMES = {
    *("mov", "matroska", "mpegts", "mpeg", "flv", "asf", "nut", "mxf", "rm", "avi", "flac", "ogg"),
}
#: A track that begins this much after the others is silent until then.
_SHORTEST_LEAD_S, _LONGEST_LEAD_S = 0.15, 6 * 3600.0
#: Above this a clock was set, or a second file begins. Time stamps that are counted in bytes or
#: milliseconds are off by less than the jitter.
_LONGEST_GAP_S, _LONGEST_OVERLAP_S = 60.0, 1.0
_JITTER_S = {"asf": 0.5, "rm": 0.5, "avi": 0.5}
_USUAL_JITTER_S = 0.1
#: Seconds of silence for each second of sound, at most: a small file may claim to be a long one.
_MOST_SILENCE = 10.0


class Timeline:
    """Tells how long nothing is to be heard before each frame.

    FFmpeg leaves out frames that it cannot decode without a word, and recorders pause. Silence in their
    place keeps the times of everything after them right. Frames without a time stamp follow one another.

    Parameters
    ----------
    formats : collection of str
        FFmpeg's names of the container.
    first : av.AudioFrame or None
        The first frame of the track.
    container_s : float or None
        When the first of all tracks begins, by the clock of the container.

    Attributes
    ----------
    position_s : float
        Where in the recording the next frame would be, in seconds.
    lead_s : float
        How long other tracks play before this one begins.
    shift_s : float
        From the clock of the container to the time of the recording.
    gaps_s : list of float
        The gaps that were found so far, but for the one before the first frame.
    """

    def __init__(self, formats: Collection[str], first: Any, container_s: float | None) -> None:
        self._has_times = not _WITH_TIMES.isdisjoint(formats)
        self._jitter_s = max(_JITTER_S.get(name, _USUAL_JITTER_S) for name in formats)
        begins_s = time_of(first)
        self.lead_s = self._lead_before(begins_s, container_s)
        self.shift_s = 0.0 if begins_s is None else begins_s - self.lead_s
        self.position_s = 0.0
        self.gaps_s: list[float] = []
        self._sound_s = 0.0
        self._is_begun = False

    def _lead_before(self, begins_s: float | None, container_s: float | None) -> float:
        if not self._has_times or begins_s is None or container_s is None:
            return 0.0
        lead_s = begins_s - container_s
        return lead_s if _SHORTEST_LEAD_S < lead_s < _LONGEST_LEAD_S else 0.0

    def begin_at(self, begins_s: float) -> None:
        """Begin with a frame of this time by the clock of the container, and not with the first."""
        self.position_s = begins_s - self.shift_s
        self._is_begun = True

    def silence_before(self, frame: Any, *, is_after_damage: bool) -> float:
        """Return how long nothing is to be heard before the next frame, in seconds."""
        begins_s, length_s = time_of(frame), frame.samples / frame.sample_rate
        silence_s = 0.0
        if not self._is_begun:
            silence_s, self._is_begun = self.lead_s, True
        elif begins_s is not None:
            gap_s = begins_s - self.shift_s - self.position_s
            silence_s = self._filled(gap_s, self._least_gap_s(length_s, is_after_damage))
        self.position_s += silence_s + length_s
        self._sound_s += length_s
        return silence_s

    def _filled(self, gap_s: float, least_s: float) -> float:
        """Return as much of a gap as is filled: all of it or nothing."""
        left_s = _LONGEST_GAP_S + _MOST_SILENCE * self._sound_s - sum(self.gaps_s)
        most_s = min(_LONGEST_GAP_S, left_s)
        if least_s < gap_s < most_s:
            self.gaps_s.append(gap_s)
            return gap_s
        if not self._has_times or not -_LONGEST_OVERLAP_S < gap_s < most_s:
            # The clock was set, or only counts what was read.
            self.shift_s += gap_s
        return 0.0

    def _least_gap_s(self, length_s: float, is_after_damage: bool) -> float:
        """Return how long a gap must be to be one; what is shorter is the rounding of time stamps."""
        if is_after_damage:
            return length_s / 2
        return max(length_s / 2, self._jitter_s) if self._has_times else math.inf


def time_of(frame: Any) -> float | None:
    """Return when a frame begins by its container's clock, in seconds; None where it does not say."""
    if frame is None or frame.pts is None or frame.time_base is None:
        return None
    return float(frame.pts * frame.time_base)
