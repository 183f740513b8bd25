"""Start and length of windows."""

from __future__ import annotations

from dataclasses import dataclass

from soundalike.audio import front_end
from soundalike.errors import ParameterError

SAMPLE_RATE_HZ = front_end.SAMPLE_RATE_HZ
#: A remainder up to this long moves the last window instead of adding one. MP3 and AAC decoders output
#: up to 70 ms more than was recorded (encoder delay and padding), and a 10 s clip must have the same
#: four windows in every format.
TAIL_TOLERANCE_S = 0.1
#: One VGGish patch, the shortest input of an encoder: 96 frames of 10 ms, the last one 25 ms.
MIN_WINDOW_S = 0.975


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Length of a window and distance between window starts.

    Attributes
    ----------
    window_s : float
        Length of a window in seconds, at least 0.975 (one VGGish patch).
    stride_s : float
        Distance between two starts in seconds, 0.01 to 3600. A stride longer than the window leaves
        gaps.

    Raises
    ------
    ParameterError
        A value is out of range.
    """

    window_s: float = 4.0
    stride_s: float = 2.0

    def __post_init__(self) -> None:
        if not MIN_WINDOW_S <= self.window_s <= 3600:
            raise ParameterError(
                f"window_size is {self.window_s!r} s; give a length from {MIN_WINDOW_S} s "
                "(one VGGish patch) to 3600 s"
            )
        if not 0.01 <= self.stride_s <= 3600:
            raise ParameterError(f"stride is {self.stride_s!r} s; give a distance from 0.01 s to 3600 s")

    @property
    def window_samples(self) -> int:
        """Length of a window at 16 kHz, in samples."""
        return round(self.window_s * SAMPLE_RATE_HZ)

    @property
    def stride_samples(self) -> int:
        """Distance between two starts at 16 kHz, in samples."""
        return round(self.stride_s * SAMPLE_RATE_HZ)

    def starts(self, n_samples: int) -> list[int]:
        """Return the first sample of every window of a recording.

        Parameters
        ----------
        n_samples : int
            Length of the recording at 16 kHz, at least 1.

        Returns
        -------
        starts : list of int
            Increasing, from 0. The distance is `stride_samples`, except for the last start, which makes
            the last window end with the recording. If the stride is at most the window, every sample
            is in at least one window. A recording shorter than a window has one window at 0.

        Examples
        --------
        A 10 s recording, 4 s windows, 2 s stride: exactly four windows.

        >>> [start / 16_000 for start in WindowPlan(4, 2).starts(160_000)]
        [0.0, 2.0, 4.0, 6.0]
        >>> [start / 16_000 for start in WindowPlan(4, 2).starts(176_000)]
        [0.0, 2.0, 4.0, 6.0, 7.0]
        """
        window, stride = self.window_samples, self.stride_samples
        if n_samples <= window:
            return [0]
        starts = list(range(0, n_samples - window + 1, stride))
        remainder = n_samples - (starts[-1] + window)
        if remainder == 0:
            return starts
        # Moving the last window must neither leave a gap before it nor uncover the recording's start.
        may_move = (
            remainder <= TAIL_TOLERANCE_S * SAMPLE_RATE_HZ
            and len(starts) > 1
            and stride + remainder <= window
        )
        if may_move:
            starts.pop()
        starts.append(n_samples - window)
        return starts
