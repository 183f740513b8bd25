"""Where a recording differs from its own background, to some hundredths of a second."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from soundalike.audio import front_end
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.types import FloatArray

FRAMES_PER_S = front_end.SAMPLE_RATE_HZ // front_end.HOP_SAMPLES
#: Frames that are transformed together, to bound the memory.
_BLOCK_FRAMES = 6_000
#: Standard deviations above the background from which a band of a frame counts, and at most.
_QUIET, _CAP = 1.0, 10.0
#: Least deviation of a band, where the background is digital silence.
_LEAST_SPREAD = 0.05
#: Least spread of the profile.
_LEAST_RISE = 1e-3
#: Smoothing of the profile in frames: to find events, and to find their bounds.
_COARSE, _FINE = 12.0, 2.0
#: The coarse smoothing moves the bounds of a loud sound by this many frames at most.
_BLUR_FRAMES = round(3 * _COARSE)
#: An event rises this many deviations of the profile above its median somewhere, and stays above the
#: second everywhere.
_HIGH, _LOW = 8.0, 2.5
_SHORTEST_S = 0.08
#: The middle half of a normal distribution is this many standard deviations wide.
_TO_DEVIATION = 1.4826
#: Parts of a query that are this much quieter than its loudest moment are not looked for.
_QUERY_DROP_DB = 25.0
_QUERY_FRAMES = 5
#: Share of a query that is taken for its background, frames over which its level is averaged for that,
#: and frames that are kept on each side.
_QUIETEST, _LEVEL_FRAMES, _ROOM_FRAMES = 0.25, 25, 3
#: A quiet side is this much quieter than the rest; its level, averaged over so many frames, has this
#: standard deviation at most, in the natural logarithm of the amplitude.
_SIDE_DB, _SIDE_FRAMES, _STEADY = 5.0, 10, 0.1
#: Its halves differ by this much at most.
_TREND_DB = 3.0
_LEAST_QUERY_FRAMES = 2 * _LEVEL_FRAMES

#: Frames that are one column of `above_background`, and deviations from which a band counts there.
COLUMN_FRAMES = 4
_ABOVE = 2.0

Spans = npt.NDArray[np.int64]
#: ``(n_columns, 64)`` float16, a row each 40 ms.
Columns = npt.NDArray[np.float16]
#: Median and deviation of each band.
Background = tuple[FloatArray, FloatArray]


def log_mel_of(samples: FloatArray) -> FloatArray:
    """Return the log-mel frames of samples at 16 kHz, computed block by block."""
    step = _BLOCK_FRAMES * front_end.HOP_SAMPLES
    tail = front_end.FRAME_SAMPLES - front_end.HOP_SAMPLES
    parts = [
        log_mel_spectrogram(samples[begin : begin + step + tail], sample_rate=front_end.SAMPLE_RATE_HZ)
        for begin in range(0, len(samples) - front_end.FRAME_SAMPLES + 1, step)
    ]
    return np.concatenate(parts)


def background_of_bands(log_mel: FloatArray) -> Background:
    """Return the median of each band over a stretch, and the spread around it."""
    centre = np.median(log_mel, axis=0)
    spread = _TO_DEVIATION * np.median(np.abs(log_mel - centre), axis=0)
    return centre, spread


def above_background(log_mel: FloatArray, background: Background) -> Columns:
    """Return how far each band is above a background, from two deviations on, a row each 40 ms."""
    centre, spread = background
    count = len(log_mel) // COLUMN_FRAMES
    excess = np.clip(log_mel[: count * COLUMN_FRAMES] - (centre + _ABOVE * spread), 0.0, None)
    columns: Columns = excess.reshape(count, COLUMN_FRAMES, -1).mean(axis=1).astype(np.float16)
    return columns


def activity(log_mel: FloatArray, background: Background | None = None) -> Spans:
    """Return the parts of a stretch that differ from its background, ``(n, 2)`` frames.

    The background of a band is its median over the stretch; the spread is the median deviation. What
    sounds for more than half of the stretch is background.

    Parameters
    ----------
    log_mel : (n_frames, 64) float32
        A row each hundredth of a second.
    background : tuple, optional
        That of `log_mel`, to compute it once.

    Returns
    -------
    spans : (n_spans, 2) int64
        First frame, and first frame after, of each part; increasing.
    """
    everything = np.ones(len(log_mel), dtype=bool)
    return _active(log_mel, everything, background or background_of_bands(log_mel))


def without_noise(log_mel: FloatArray, powers: FloatArray) -> tuple[int, int]:
    """Return the bounds of a query without steady noise before and after, in frames.

    Noise is learned where the query is quietest, at its sides or in a gap. A side is left out only if
    it is much quieter than the rest and its level stays the same: it may also be the begin or the end of
    the sound, and rain has no quiet side.

    Parameters
    ----------
    log_mel : (n_frames, 64) float32
    powers : (n_frames,) float32
        Mean power of each frame.
    """
    count = len(log_mel)
    if count < _LEAST_QUERY_FRAMES:
        return 0, count
    # Here, as below: most processes that import this module never look for a sound.
    from scipy.ndimage import uniform_filter1d

    # Over a quarter of a second the level of noise hardly changes, so the quietest frames are typical.
    level = uniform_filter1d(log_mel.mean(axis=1), _LEVEL_FRAMES)
    is_quiet = level <= np.quantile(level, _QUIETEST)
    found = _active(log_mel, is_quiet, background_of_bands(log_mel[is_quiet]))
    if not len(found):
        return 0, count
    begin, end = max(0, int(found[0, 0]) - _ROOM_FRAMES), min(count, int(found[-1, 1]) + _ROOM_FRAMES)
    least = float(powers[begin:end].mean()) * 10 ** (-_SIDE_DB / 10)
    steps = uniform_filter1d(log_mel.mean(axis=1), _SIDE_FRAMES)

    def is_noise(side: slice) -> bool:
        inner = steps[side][_SIDE_FRAMES:-_SIDE_FRAMES]
        if not len(inner) or powers[side].mean() > least or float(inner.std()) > _STEADY:
            return False
        # A tone that fades in or out is in few bands.
        halves = [float(half.mean()) for half in np.array_split(powers[side], 2)]
        return max(halves) <= min(halves) * 10 ** (_TREND_DB / 10)

    return (begin if is_noise(slice(0, begin)) else 0), (end if is_noise(slice(end, count)) else count)


def _active(log_mel: FloatArray, is_background: npt.NDArray[np.bool_], background: Background) -> Spans:
    """Return the parts that differ from the frames of the background."""
    from scipy.ndimage import gaussian_filter1d

    centre, spread = background
    excess = (log_mel - centre) / np.maximum(spread, _LEAST_SPREAD)
    profile = np.clip(excess - _QUIET, 0.0, _CAP).mean(axis=1)
    coarse = gaussian_filter1d(profile, _COARSE)
    low, high = _thresholds(coarse[is_background])
    n_high = np.concatenate([[0], np.cumsum(coarse > high)])
    fine = gaussian_filter1d(profile, _FINE)
    loud = fine > _thresholds(fine[is_background])[1]
    found = [
        _trimmed(loud, begin, end) for begin, end in _runs(coarse > low) if n_high[end] > n_high[begin]
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def joined(spans: Spans, gap_s: float) -> list[tuple[float, float]]:
    """Return spans in seconds, those with at most a gap between them as one.

    Examples
    --------
    >>> joined(np.array([[0, 100], [150, 200], [300, 303], [500, 600]]), 0.5)
    [(0.0, 2.0), (5.0, 6.0)]
    """
    found: list[tuple[float, float]] = []
    for begin_s, end_s in spans / FRAMES_PER_S:
        if found and begin_s - found[-1][1] <= gap_s:
            found[-1] = (found[-1][0], float(end_s))
        else:
            found.append((float(begin_s), float(end_s)))
    return [(begin_s, end_s) for begin_s, end_s in found if end_s - begin_s >= _SHORTEST_S]


def _thresholds(profile: FloatArray) -> tuple[float, float]:
    middle = float(np.median(profile))
    spread = _TO_DEVIATION * float(np.median(np.abs(profile - middle)))
    spread = max(spread, _LEAST_RISE)
    return middle + _LOW * spread, middle + _HIGH * spread


def _runs(flags: npt.NDArray[np.bool_]) -> Spans:
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return np.flatnonzero(edges).reshape(-1, 2)


def _trimmed(loud: npt.NDArray[np.bool_], begin: int, end: int) -> tuple[int, int]:
    """Return the bounds without what only smoothing may have added, where nothing is loud."""
    rows = np.flatnonzero(loud[begin:end])
    if not len(rows):
        return begin, end
    most = min(_BLUR_FRAMES, (end - begin) // 2 - 1)
    first, last = min(int(rows[0]), most), max(int(rows[-1]) + 1, end - begin - most)
    return begin + first, begin + last


def active_part(samples: FloatArray, rate_hz: int) -> tuple[int, int]:
    """Return the bounds of a query without the quiet parts before and after, in samples."""
    size = rate_hz * _QUERY_FRAMES // FRAMES_PER_S
    count = len(samples) // size
    if not count:
        return 0, len(samples)
    powers = (samples[: count * size].reshape(count, size) ** 2).mean(axis=1)
    rows = np.flatnonzero(powers >= powers.max() * 10 ** (-_QUERY_DROP_DB / 10))
    end = len(samples) if rows[-1] == count - 1 else (int(rows[-1]) + 1) * size
    return int(rows[0]) * size, end
