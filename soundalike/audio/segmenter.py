"""Split recordings into windows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from soundalike.audio import front_end
from soundalike.audio.excerpt import WHOLE, Excerpt, past_end_error
from soundalike.audio.loading import INLINE_LIMIT_S, Waveform, load_audio, release_pages
from soundalike.audio.parts import Part
from soundalike.audio.sources import AudioSource
from soundalike.audio.windows import SAMPLE_RATE_HZ, WindowPlan
from soundalike.errors import AudioTooShort, ParameterError
from soundalike.types import FloatArray, Window

#: One analysis frame of VGGish's front end.
MIN_DURATION_S = front_end.FRAME_SAMPLES / front_end.SAMPLE_RATE_HZ
#: Peak-to-peak amplitude of a sine at -80 dBFS. The front end adds 0.01 to every mel band before the
#: logarithm, which masks quieter sounds.
SILENCE_PEAK_TO_PEAK = 2e-4
#: A window is clipped if this share of its samples reaches this level; loud music has a few such
#: samples.
CLIPPED_SHARE = 0.1
CLIPPED_LEVEL = 0.98
#: Samples beyond this level are unscaled integers in a float file; a loud float mix exceeds full scale
#: only slightly.
UNSCALED_PEAK = 2.0
_RELEASE_EVERY = 64


@dataclass(frozen=True, slots=True)
class Segments:
    """A recording, or a part of it, split into windows.

    Attributes
    ----------
    samples : (n_samples,) float32
        Mono at the plan's rate; at least one window long.
    windows : list of Window
        At least one, in order, in seconds of the whole recording.
    duration_s : float
        Length of the decoded sound before padding, in seconds.
    warnings : tuple of str
        Damage that did not stop the decoding, and reasons why searches skip the windows.
    offset_s : float
        Start of `samples` in the recording, in seconds.
    """

    samples: FloatArray
    windows: list[Window]
    duration_s: float
    warnings: tuple[str, ...] = ()
    offset_s: float = 0.0


def segment(
    source: AudioSource,
    plan: WindowPlan,
    excerpt: Excerpt = WHOLE,
    *,
    inline_limit_s: float = INLINE_LIMIT_S,
    spool_dir: Path | None = None,
    longest_s: float = math.inf,
) -> Segments:
    """Decode a recording, or a part of it, and split it into windows.

    Parameters
    ----------
    source : Path or bytes
        A file that `soundalike.audio.sources.resolve_path` has approved, or an upload.
    plan : WindowPlan
        Length of the windows and distance between their starts.
    excerpt : Excerpt
        A slice is split like a separate recording. A moment has one window, which lies within the
        recording if that is long enough.
    inline_limit_s, spool_dir
        As for `soundalike.audio.loading.load_audio`.
    longest_s : float
        Maximum number of seconds to decode.

    Raises
    ------
    AudioTooShort
        Less than 25 ms.
    UnreadableAudio, EmptyAudio, InvalidSamples, AudioTooLarge
        As for `soundalike.audio.loading.load_audio`.
    ParameterError
        The recording ends before the part begins.
    """
    if excerpt.at_s is not None:
        return _around(source, plan, excerpt.at_s, longest_s)
    waveform = load_audio(
        source,
        Part(excerpt.begin_s, excerpt.stop_s, longest_s),
        inline_limit_s=inline_limit_s,
        spool_dir=spool_dir,
        sample_rate_hz=plan.sample_rate_hz,
    )
    check_long_enough(waveform)
    return _cut(waveform, plan.starts(len(waveform.samples)), plan, excerpt.begin_s)


def _around(source: AudioSource, plan: WindowPlan, at_s: float, longest_s: float) -> Segments:
    """Return the window centred at a second, moved as far as needed to lie within the recording."""
    window_s = plan.window_s
    begin_s = max(0.0, at_s - window_s / 2)
    # Start earlier, so that a whole window remains if the recording ends inside this one.
    from_s = max(0.0, at_s - window_s)
    part = Part(from_s, begin_s + window_s, longest_s, at_s)
    waveform = load_audio(source, part, sample_rate_hz=plan.sample_rate_hz)
    ends_s = from_s + waveform.duration_s
    if ends_s < at_s:
        raise past_end_error(at_s, ends_s)
    begin_s = max(0.0, min(begin_s, ends_s - window_s))
    first = round((begin_s - from_s) * plan.sample_rate_hz)
    samples = waveform.samples[first : first + plan.window_samples]
    wanted = replace(waveform, samples=samples, duration_s=len(samples) / plan.sample_rate_hz)
    check_long_enough(wanted)
    return _cut(wanted, [0], plan, begin_s)


def cut_seconds(
    source: AudioSource,
    *,
    example_hop_s: float = 1.0,
    example_samples: int = front_end.PATCH_SAMPLES,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Segments:
    """Decode a recording and split it into examples of an encoder, one per second.

    A remainder shorter than an example is dropped.

    Parameters
    ----------
    source : Path or bytes
        As for `segment`.
    example_hop_s : float
        Seconds between two starts: 1.0, or 0.96 as in VGGish's published pipeline.
    example_samples, sample_rate_hz : int
        Length of an example, and the rate of its samples.

    Raises
    ------
    ParameterError
        `example_hop_s` is less than one sample.
    AudioTooShort, UnreadableAudio, EmptyAudio, InvalidSamples
        As for `segment`.
    """
    hop = round(example_hop_s * sample_rate_hz)
    if hop < 1:
        raise ParameterError(f"example_hop_s is {example_hop_s}; it must be above 0")
    waveform = load_audio(source, sample_rate_hz=sample_rate_hz)
    check_long_enough(waveform)
    last = max(0, len(waveform.samples) - example_samples)
    plan = WindowPlan(example_samples / sample_rate_hz, max(0.01, example_hop_s), sample_rate_hz)
    return _cut(waveform, range(0, last + 1, hop), plan)


def _cut(waveform: Waveform, starts: Iterable[int], plan: WindowPlan, offset_s: float = 0.0) -> Segments:
    n_samples, window_samples, rate_hz = len(waveform.samples), plan.window_samples, plan.sample_rate_hz
    samples = pad_to(waveform.samples, window_samples)
    windows, peak = [], 0.0
    for index, start in enumerate(starts):
        stop = start + window_samples
        part = samples[start:stop]
        windows.append(
            Window(
                index=index,
                start_s=offset_s + start / rate_hz,
                end_s=offset_s + min(stop, n_samples) / rate_hz,
                is_silent=_is_silent(part),
                is_clipped=_is_clipped(part),
            )
        )
        if windows[-1].is_clipped:
            peak = max(peak, float(np.abs(part).max()))
        if index % _RELEASE_EVERY == 0:
            release_pages(samples)
    warnings = (*waveform.warnings, *unsearchable_warning(windows, peak))
    return Segments(samples, windows, waveform.duration_s, warnings, offset_s)


def unsearchable_warning(windows: Sequence[Window], peak: float) -> tuple[str, ...]:
    """Return a warning if searches skip all windows of a recording, or most because of a missing scale.

    Parameters
    ----------
    windows : sequence of Window
        At least one.
    peak : float
        Highest absolute sample of the clipped windows; 1 is full scale.

    Examples
    --------
    >>> unsearchable_warning([Window(0, 0.0, 4.0, is_silent=True), Window(1, 2.0, 6.0)], 0.0)
    ()
    >>> unsearchable_warning([Window(0, 0.0, 4.0, is_silent=True)], 0.0)
    ('silent: the only window is silent, and no search can find it',)
    """
    count = len(windows)
    found = Counter(window.quality for window in windows)
    clipped = found["clipped"]
    if peak > UNSCALED_PEAK and 2 * clipped > count:
        return (
            f"unscaled: samples reach {peak:.0f} times full scale, so {clipped} of {count} windows are "
            "clipped, and no search can find them; export it with normal levels",
        )
    if found["ok"]:
        return ()
    kind = " or ".join(name for name in ("silent", "clipped") if found[name])
    if count == 1:
        return (f"{kind}: the only window is {kind}, and no search can find it",)
    return (f"{kind}: all {count} windows are {kind}, and no search can find them",)


def check_long_enough(waveform: Waveform) -> None:
    """Raise `AudioTooShort` for less than 25 ms."""
    if waveform.duration_s < MIN_DURATION_S:
        raise AudioTooShort(
            f"the recording is {waveform.duration_s * 1e3:.1f} ms long; at least "
            f"{MIN_DURATION_S * 1e3:.0f} ms are needed"
        )


def pad_to(samples: FloatArray, n_samples: int) -> FloatArray:
    """Return `samples`, repeated until they have at least `n_samples`.

    A short sound is looped instead of padded with silence: with silence, the shared padding would
    dominate the similarity of short clips.

    Examples
    --------
    >>> pad_to(np.array([1, 2, 3], dtype=np.float32), 7).tolist()
    [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]
    """
    if len(samples) >= n_samples:
        return samples
    return np.resize(samples, n_samples)


def _is_silent(samples: FloatArray) -> bool:
    return bool(samples.max() - samples.min() < SILENCE_PEAK_TO_PEAK)


def _is_clipped(samples: FloatArray) -> bool:
    loud = np.count_nonzero(np.abs(samples) >= CLIPPED_LEVEL)
    return bool(loud >= CLIPPED_SHARE * len(samples))
