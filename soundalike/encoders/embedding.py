"""Embed windows with any encoder: recordings in, one vector per window out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soxr

from soundalike.audio.loading import release_pages
from soundalike.audio.segmenter import pad_to
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import Encoder, Network, sample_rate_hz
from soundalike.encoders.vectors import normalised
from soundalike.errors import InvalidSamples, ParameterError, SoundalikeError
from soundalike.faults import recording_error
from soundalike.runtime.parallel import map_ahead
from soundalike.runtime.stages import stage
from soundalike.types import FloatArray, Window

#: Default number of patches per batch.
BATCH_PATCHES = 64
#: Windows that are resampled together.
_PIECE_WINDOWS = 128


@dataclass(frozen=True, slots=True)
class CutRecording:
    """Decoded samples of a recording and the windows to embed.

    Attributes
    ----------
    samples : (n_samples,) float32
        Mono at the plan's rate, at least one window long.
    windows : sequence of Window
        The windows, in seconds of the whole recording.
    offset_s : float
        Start of `samples` in the recording, in seconds.
    """

    samples: FloatArray
    windows: Sequence[Window]
    offset_s: float = 0.0


def embed_windows(
    recordings: Sequence[CutRecording],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    example_hop_s: float | None = None,
    batch_patches: int = BATCH_PATCHES,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[FloatArray]:
    """Embed the windows of several recordings in full batches.

    Overlapping windows share the patches that start at the same sample, so each second is embedded once,
    and the patches of all recordings fill the batches together. The spectrograms of the next batches are
    computed while the encoder runs.

    Parameters
    ----------
    recordings : sequence of CutRecording
        Recordings to embed.
    encoder : Encoder
        Applied to every patch.
    plan : WindowPlan
        The plan of the windows.
    example_hop_s : float, optional
        Distance between the examples of a window, in seconds; default: the encoder's own. 0.96 is that
        of VGGish's published pipeline.
    batch_patches : int
        Patches in a batch, at least 1.
    on_progress : callable, optional
        Called after each batch with the number of finished patches and of all patches.

    Returns
    -------
    embeddings : list of (n_windows, d) float32
        One array per recording, in order; ``d`` is the dimension of `index_spec`. Rows have length 1.
        The vectors of several networks are scaled by the square roots of their weights and concatenated,
        so that a cosine is the weighted mean of the networks' cosines. A row is zero if the encoder
        returns only zeros.

    Raises
    ------
    ParameterError
        `batch_patches` is less than 1, or `example_hop_s` is not above 0.
    InvalidSamples
        A sample of one of the recordings is too large for the encoder.
    """
    if batch_patches < 1:
        raise ParameterError(f"batch_patches is {batch_patches}; it must be above 0")
    if plan.sample_rate_hz < sample_rate_hz(encoder):
        raise ParameterError(
            f"the recordings were cut at {plan.sample_rate_hz} Hz; the encoder {encoder.name} needs "
            f"sample_rate_hz={sample_rate_hz(encoder)} in the WindowPlan"
        )
    progress = _Progress(on_progress, recordings, encoder, plan, example_hop_s)
    found = [
        _embedded_windows(recordings, part.network, plan, example_hop_s, batch_patches, progress.add)
        for part in encoder.parts
    ]
    if len(found) == 1:
        return found[0]
    weights = [math.sqrt(part.weight) for part in encoder.parts]
    return [
        normalised(np.concatenate([w * rows for w, rows in zip(weights, parts, strict=True)], axis=1))
        for parts in zip(*found, strict=True)
    ]


class _Progress:
    """Counts the examples of all networks."""

    def __init__(
        self,
        tell: Callable[[int, int], None] | None,
        recordings: Sequence[CutRecording],
        encoder: Encoder,
        plan: WindowPlan,
        example_hop_s: float | None,
    ) -> None:
        self._tell = tell
        self._done = self._all = 0
        if tell is not None:
            for part in encoder.parts:
                for recording in recordings:
                    patches, _ = _example_layout(recording, part.network, plan, example_hop_s)
                    self._all += len(patches)

    def add(self, count: int) -> None:
        """Count examples that are done."""
        self._done += count
        if self._tell is not None:
            self._tell(self._done, self._all)


def _embedded_windows(
    recordings: Sequence[CutRecording],
    network: Network,
    plan: WindowPlan,
    example_hop_s: float | None,
    batch_patches: int,
    on_progress: Callable[[int], None],
) -> list[FloatArray]:
    """Embed windows with one network."""
    layout = network.layout
    per_window = layout.examples_per_window(plan, example_hop_s)
    if plan.sample_rate_hz != layout.sample_rate_hz:
        return [
            np.concatenate(
                [
                    _embedded_windows([piece], network, own, example_hop_s, batch_patches, on_progress)[
                        0
                    ]
                    for piece in _resampled(recording, plan, layout.sample_rate_hz)
                ]
            )
            for own in [replace(plan, sample_rate_hz=layout.sample_rate_hz)]
            for recording in recordings
        ]
    layouts = [_example_layout(recording, network, plan, example_hop_s) for recording in recordings]
    patches = [patch for own, _ in layouts for patch in own]
    vectors = np.empty((len(patches), layout.dimension), dtype=np.float32)
    done = 0
    for rows in _embedded(patches, network, batch_patches):
        vectors[done : done + len(rows)] = rows
        done += len(rows)
        on_progress(len(rows))
    offsets = np.cumsum([0, *(len(own) for own, _ in layouts)])
    return [
        normalised(network.pool(vectors[offset:][rows].reshape(len(rows), per_window, layout.dimension)))
        for offset, (_, rows) in zip(offsets, layouts, strict=False)
    ]


def _resampled(recording: CutRecording, plan: WindowPlan, rate_hz: int) -> Iterator[CutRecording]:
    """Yield pieces of a recording at a network's rate, where another network asked for a higher one.

    Pieces bound the memory. What a resampler makes of a piece's edges differs by less than its filter's
    tail, some milliseconds.
    """
    windows, from_hz = recording.windows, plan.sample_rate_hz
    for begin in range(0, len(windows), _PIECE_WINDOWS):
        part = windows[begin : begin + _PIECE_WINDOWS]
        first = round((part[0].start_s - recording.offset_s) * from_hz)
        last = round((part[-1].start_s - recording.offset_s) * from_hz) + plan.window_samples
        samples = soxr.resample(recording.samples[first:last], from_hz, rate_hz, quality="HQ")
        release_pages(recording.samples)
        yield CutRecording(samples, part, recording.offset_s + first / from_hz)


def embed_each(
    recordings: Sequence[CutRecording],
    names: Sequence[str],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    example_hop_s: float | None = None,
    batch_patches: int = BATCH_PATCHES,
) -> list[FloatArray | SoundalikeError]:
    """Embed recordings together; if that fails, one by one, so that only faulty ones fail.

    Parameters
    ----------
    recordings, encoder, plan, example_hop_s, batch_patches
        As for `embed_windows`.
    names : sequence of str
        Names of the recordings in errors.

    Returns
    -------
    results : list
        The result of `embed_windows` or an error for each recording.

    Raises
    ------
    ModelError
        The encoder cannot be used.
    """
    embed = partial(
        embed_windows,
        encoder=encoder,
        plan=plan,
        example_hop_s=example_hop_s,
        batch_patches=batch_patches,
    )

    def alone(recording: CutRecording, name: str) -> FloatArray | SoundalikeError:
        try:
            return embed([recording])[0]
        except Exception as exc:
            return recording_error(exc, name)

    if len(recordings) > 1:
        with suppress(Exception):
            return list(embed(recordings))
    return [alone(recording, name) for recording, name in zip(recordings, names, strict=True)]


def embed_patches_at(
    samples: FloatArray,
    starts: Sequence[int],
    encoder: Network,
    batch_patches: int = BATCH_PATCHES,
) -> FloatArray:
    """Return the encoder's raw vector of each patch of a recording; each counts as a window.

    Parameters
    ----------
    samples : (n_samples,) float32
        Mono at the network's rate.
    starts : sequence of int
        First sample of each example, at least one.
    encoder : Network
        Applied to every example.
    batch_patches : int
        Patches in a batch, at least 1.

    Returns
    -------
    vectors : (n_patches, dimension) float32

    Raises
    ------
    InvalidSamples
        A sample is too large for the encoder.
    """
    length = encoder.layout.n_samples
    patches = [
        _Patch(samples, start, encoder.window_gain(samples[start : start + length])) for start in starts
    ]
    return np.concatenate(list(_embedded(patches, encoder, batch_patches)))


class _Patch(NamedTuple):
    """First sample of a patch, and the factor for its samples."""

    samples: FloatArray
    start: int
    gain: float = 1.0


def _embedded(patches: Sequence[_Patch], network: Network, batch_patches: int) -> Iterator[FloatArray]:
    """Yield the vectors of each batch, ``(n, dimension)``, all finite."""
    for prepared in _prepared(patches, network, batch_patches):
        # Overflow is detected in the result; NumPy would print a warning.
        with np.errstate(over="ignore", invalid="ignore"):
            rows = network.embed_patches(prepared)
        if not np.isfinite(rows).all():
            raise InvalidSamples(
                "the recording's vectors are not finite, because its samples are too large; export it "
                "again with samples between -1 and 1"
            )
        yield rows


def _prepared(patches: Sequence[_Patch], network: Network, batch_patches: int) -> Iterator[FloatArray]:
    """Yield the network's input for each batch; several batches are computed in advance."""
    batches = [patches[begin : begin + batch_patches] for begin in range(0, len(patches), batch_patches)]
    prepare = partial(_prepare, network=network)
    if len(batches) == 1:
        return map(prepare, batches)
    return map_ahead(prepare, batches, workers=1)


def _prepare(batch: Sequence[_Patch], network: Network) -> FloatArray:
    n_samples = network.layout.n_samples
    samples = np.stack([pad_to(patch.samples[patch.start :][:n_samples], n_samples) for patch in batch])
    release_pages(batch[-1].samples)
    if any(patch.gain != 1.0 for patch in batch):
        samples = samples * np.array([[patch.gain] for patch in batch], dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"), stage("mel"):
        return network.front_end(samples)


def _example_layout(
    recording: CutRecording, network: Network, plan: WindowPlan, example_hop_s: float | None
) -> tuple[list[_Patch], npt.NDArray[np.int64]]:
    """Return the distinct patches of a recording and, per window, the rows of its patches.

    Windows share a patch that starts at the same sample, if both have the same gain.
    """
    layout = network.layout
    hop_s = layout.hop_s if example_hop_s is None else example_hop_s
    hop, rate_hz = round(hop_s * layout.sample_rate_hz), layout.sample_rate_hz
    seconds = [window.start_s - recording.offset_s for window in recording.windows]
    starts = np.array([round(second * rate_hz) for second in seconds])
    per_window = layout.examples_per_window(plan, example_hop_s)
    wanted = starts[:, np.newaxis] + hop * np.arange(per_window)
    gains = [network.window_gain(part) for part in _windows_of(recording, plan)]
    pairs = np.stack([wanted, np.broadcast_to(np.array(gains)[:, np.newaxis], wanted.shape)], axis=-1)
    distinct, rows = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    patches = [_Patch(recording.samples, int(start), float(gain)) for start, gain in distinct]
    return patches, rows.reshape(wanted.shape)


def _windows_of(recording: CutRecording, plan: WindowPlan) -> Iterator[FloatArray]:
    """Yield the samples of each window."""
    for number, window in enumerate(recording.windows):
        if number % _PIECE_WINDOWS == 0:
            release_pages(recording.samples)
        start = round((window.start_s - recording.offset_s) * plan.sample_rate_hz)
        yield recording.samples[start : start + plan.window_samples]
