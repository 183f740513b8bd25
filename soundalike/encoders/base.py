"""Embed windows with any encoder: patches in, one vector per window out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from soundalike.audio import front_end
from soundalike.audio.loading import release_pages
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.audio.windows import SAMPLE_RATE_HZ, WindowPlan
from soundalike.errors import InvalidSamples, ParameterError, SoundalikeError
from soundalike.faults import recording_error
from soundalike.runtime.parallel import map_ahead
from soundalike.types import FloatArray, IndexSpec, Window

#: Default number of patches per batch.
BATCH_PATCHES = 64


class Encoder(Protocol):
    """Turns log-mel patches into vectors.

    Attributes
    ----------
    name : str
        Stable name, stored with the index and shown with every result.
    description : str
        Short description for users.
    fingerprint : str
        Hash of the weights or constants.
    """

    name: str
    description: str
    fingerprint: str

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed patches.

        Parameters
        ----------
        log_mel : (n, 96, 64) float32
            Patches of `soundalike.audio.log_mel.log_mel_spectrogram`.

        Returns
        -------
        embeddings : (n, 128) float32
        """
        ...


@dataclass(frozen=True, slots=True)
class CutRecording:
    """Decoded samples of a recording and the windows to embed.

    Attributes
    ----------
    samples : (n_samples,) float32
        Mono at 16 kHz, at least one window long.
    windows : sequence of Window
        The windows, in seconds of the whole recording.
    offset_s : float
        Start of `samples` in the recording, in seconds.
    """

    samples: FloatArray
    windows: Sequence[Window]
    offset_s: float = 0.0


def seconds_per_window(plan: WindowPlan, example_hop_s: float = 1.0) -> int:
    """Return the number of patches, and of 128-d vectors, per window.

    Examples
    --------
    >>> seconds_per_window(WindowPlan(4.0, 2.0)), seconds_per_window(WindowPlan(4.0, 2.0), 0.96)
    (4, 4)
    """
    if not 1 / SAMPLE_RATE_HZ <= example_hop_s < math.inf:
        raise ParameterError(f"example_hop_s is {example_hop_s}; it must be at least one sample")
    hop = round(example_hop_s * SAMPLE_RATE_HZ)
    return 1 + (plan.window_samples - front_end.PATCH_SAMPLES) // hop


def index_spec(encoder: Encoder, plan: WindowPlan, example_hop_s: float = 1.0) -> IndexSpec:
    """Return the specification of an index with this encoder and these windows."""
    hop = "" if example_hop_s == 1.0 else f"+hop{example_hop_s:g}"
    return IndexSpec(
        encoder=encoder.name,
        fingerprint=encoder.fingerprint + hop,
        dimension=front_end.EMBEDDING_DIM * seconds_per_window(plan, example_hop_s),
        window_s=plan.window_s,
        stride_s=plan.stride_s,
    )


def embed_windows(
    recordings: Sequence[CutRecording],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    example_hop_s: float = 1.0,
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
    example_hop_s : float
        Distance between the patches of a window, in seconds: 1.0, or 0.96 as in the published
        pipeline.
    batch_patches : int
        Patches in a batch, at least 1.
    on_progress : callable, optional
        Called after each batch with the number of finished patches and of all patches.

    Returns
    -------
    embeddings : list of (n_windows, 128 * k) float32
        One array per recording, in order; ``k`` is `seconds_per_window`. A row is the concatenation of
        the vectors of the window's seconds, in order of time, and has length 1. It is zero if the
        encoder returns only zeros.

    Raises
    ------
    ParameterError
        `batch_patches` is less than 1, or `example_hop_s` is not above 0.
    InvalidSamples
        A sample of one of the recordings is too large for the encoder.
    """
    if batch_patches < 1 or example_hop_s <= 0:
        raise ParameterError(
            f"batch_patches is {batch_patches} and example_hop_s is {example_hop_s}; "
            "both must be above 0"
        )
    per_window = seconds_per_window(plan, example_hop_s)
    hop = round(example_hop_s * SAMPLE_RATE_HZ)
    layouts = [_patch_layout(recording, per_window, hop) for recording in recordings]
    patches = [
        _Patch(recording.samples, int(start))
        for recording, (starts, _) in zip(recordings, layouts, strict=True)
        for start in starts
    ]
    vectors = np.empty((len(patches), front_end.EMBEDDING_DIM), dtype=np.float32)
    done = 0
    for rows in _embedded(patches, encoder, batch_patches):
        vectors[done : done + len(rows)] = rows
        done += len(rows)
        if on_progress is not None:
            on_progress(done, len(patches))
    offsets = np.cumsum([0, *(len(starts) for starts, _ in layouts)])
    return [
        normalised(vectors[offset:][rows].reshape(len(rows), per_window * front_end.EMBEDDING_DIM))
        for offset, (_, rows) in zip(offsets, layouts, strict=False)
    ]


def embed_each(
    recordings: Sequence[CutRecording],
    names: Sequence[str],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    example_hop_s: float = 1.0,
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
    encoder: Encoder,
    batch_patches: int = BATCH_PATCHES,
) -> FloatArray:
    """Return the encoder's raw vector of each patch of a recording.

    Parameters
    ----------
    samples : (n_samples,) float32
        Mono at 16 kHz.
    starts : sequence of int
        First sample of each patch, at least one; a patch has 15 600 samples.
    encoder : Encoder
        Applied to every patch.
    batch_patches : int
        Patches in a batch, at least 1.

    Returns
    -------
    vectors : (n_patches, 128) float32

    Raises
    ------
    InvalidSamples
        A sample is too large for the encoder.
    """
    patches = [_Patch(samples, start) for start in starts]
    return np.concatenate(list(_embedded(patches, encoder, batch_patches)))


class _Patch(NamedTuple):
    """First sample of a patch."""

    samples: FloatArray
    start: int


def _embedded(patches: Sequence[_Patch], encoder: Encoder, batch_patches: int) -> Iterator[FloatArray]:
    """Yield the vectors of each batch, ``(n, 128)``, all finite."""
    for log_mel in _spectrograms(patches, batch_patches):
        # Overflow is detected in the result; NumPy would print a warning.
        with np.errstate(over="ignore", invalid="ignore"):
            rows = encoder.embed_patches(log_mel)
        if not np.isfinite(rows).all():
            raise InvalidSamples(
                "the recording's vectors are not finite, because its samples are too large; export it "
                "again with samples between -1 and 1"
            )
        yield rows


def _spectrograms(patches: Sequence[_Patch], batch_patches: int) -> Iterator[FloatArray]:
    """Yield the spectrograms of each batch, ``(n, 96, 64)``; several batches are computed in advance."""
    batches = [patches[begin : begin + batch_patches] for begin in range(0, len(patches), batch_patches)]
    if len(batches) == 1:
        return map(_spectrogram, batches)
    return map_ahead(_spectrogram, batches, workers=1)


def _spectrogram(batch: Sequence[_Patch]) -> FloatArray:
    samples = np.stack([patch.samples[patch.start :][: front_end.PATCH_SAMPLES] for patch in batch])
    release_pages(batch[-1].samples)
    with np.errstate(over="ignore", invalid="ignore"):
        return log_mel_spectrogram(samples, sample_rate=SAMPLE_RATE_HZ)


def _patch_layout(
    recording: CutRecording, per_window: int, hop: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the distinct patch starts of a recording and, per window, the rows of its patches."""
    offset_s = recording.offset_s
    starts = np.array(
        [round((window.start_s - offset_s) * SAMPLE_RATE_HZ) for window in recording.windows]
    )
    wanted = starts[:, np.newaxis] + hop * np.arange(per_window)
    distinct, rows = np.unique(wanted, return_inverse=True)
    return distinct, rows.reshape(wanted.shape)


def normalised(vectors: FloatArray) -> FloatArray:
    """Return each row divided by its length; rows of zeros stay zeros.

    Examples
    --------
    >>> normalised(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result = np.zeros_like(vectors)
    np.divide(vectors, lengths, out=result, where=lengths > 0)
    return result
