"""Map the time stamps of a track's frames to the time axis of a player."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

#: Formats that store the time of packets. In others it follows from the samples before.
_WITH_TIMES = {
    *("mov", "matroska", "mpegts", "mpeg", "flv", "asf", "nut", "mxf", "rm", "avi", "flac", "ogg"),
}
#: A track that begins this much after the others is silent until then.
_SHORTEST_LEAD_S, _LONGEST_LEAD_S = 0.15, 6 * 3600.0
#: A larger jump means that the clock was set or that a second file begins. Time stamps counted in bytes
#: or milliseconds differ by less than the jitter.
_LONGEST_GAP_S, _LONGEST_OVERLAP_S = 60.0, 1.0
_JITTER_S = {"asf": 0.5, "rm": 0.5, "avi": 0.5}
_USUAL_JITTER_S = 0.1
#: Maximum seconds of silence per second of sound: a small file may pretend to be long.
_MOST_SILENCE = 10.0


class Timeline:
    """Computes the silence before each frame.

    FFmpeg silently skips frames that it cannot decode, and recorders pause. Silence in these gaps keeps
    later times correct. Frames without a time stamp are consecutive.

    Parameters
    ----------
    formats : collection of str
        FFmpeg's names of the container.
    first : av.AudioFrame or None
        The first frame of the track.
    container_s : float or None
        Start of the earliest track, by the clock of the container.

    Attributes
    ----------
    position_s : float
        Expected position of the next frame in the recording, in seconds.
    lead_s : float
        Time between the start of the earliest track and this one.
    shift_s : float
        Difference between the clock of the container and the time of the recording.
    gaps_s : list of float
        Gaps found so far, without the one before the first frame.
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
        """Begin with the frame at this time of the container's clock instead of the first frame."""
        self.position_s = begins_s - self.shift_s
        self._is_begun = True

    def silence_before(self, frame: Any, *, is_after_damage: bool) -> float:
        """Return the length of the silence before the next frame, in seconds."""
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
        """Return the part of a gap to fill: all of it or nothing."""
        left_s = _LONGEST_GAP_S + _MOST_SILENCE * self._sound_s - sum(self.gaps_s)
        most_s = min(_LONGEST_GAP_S, left_s)
        if least_s < gap_s < most_s:
            self.gaps_s.append(gap_s)
            return gap_s
        if not self._has_times or not -_LONGEST_OVERLAP_S < gap_s < most_s:
            # The clock was set, or only counts the samples.
            self.shift_s += gap_s
        return 0.0

    def _least_gap_s(self, length_s: float, is_after_damage: bool) -> float:
        """Return the minimum length of a gap; shorter ones are rounding errors of time stamps."""
        if is_after_damage:
            return length_s / 2
        return max(length_s / 2, self._jitter_s) if self._has_times else math.inf


def time_of(frame: Any) -> float | None:
    """Return the start of a frame by its container's clock, in seconds; None if it has no time stamp."""
    if frame is None or frame.pts is None or frame.time_base is None:
        return None
    return float(frame.pts * frame.time_base)
