"""Embed sounds and files without an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.audio.arrays import array_to_wav
from soundalike.audio.sandbox import IsolatedDecoding, shared
from soundalike.audio.segmenter import Segments, cut_seconds, segment
from soundalike.audio.sources import AudioSource, resolve_path, uri_of
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.base import Encoder, Network, only_network, plan_for
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.embedding import CutRecording, embed_patches_at, embed_windows
from soundalike.encoders.vectors import normalised
from soundalike.encoders.vggish.postprocess import Postprocessor
from soundalike.encoders.weights import PCA_PARAMS, verified_path
from soundalike.errors import ParameterError, SoundalikeError, WeightsMissing
from soundalike.faults import recording_error
from soundalike.ranges import GRANULARITIES, POOLINGS, Granularity, Pooling
from soundalike.runtime.parallel import map_ahead
from soundalike.types import FloatArray, Window

_POOL: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum}


def embed_audio(
    source: str | Path | bytes | npt.NDArray[Any] | None = None,
    pooling: Pooling | None = None,
    postprocess: bool = False,
    *,
    sample_rate: int | None = None,
    encoder: Encoder | None = None,
    example_hop_s: float = 1.0,
    decoding: IsolatedDecoding | None = None,
    path: str | Path | None = None,
) -> npt.NDArray[Any]:
    """Embed a sound, second by second or as one vector.

    Parameters
    ----------
    source : str, Path, bytes, or (n,) or (n, channels) array
        A path, the bytes of a sound file in any supported format, or samples: floats between -1 and 1,
        or int16, int32 or uint8 as in PCM files. Sound is mixed down and resampled to 16 kHz.
    pooling : {"mean", "sum"}, optional
        Pool the seconds into one vector of length 1. None: one vector per second.
    postprocess : bool
        Apply PCA, whitening and 8-bit quantisation as in the AudioSet release. VGGish only.
    sample_rate : int, optional
        Sample rate of an array in hertz; required for arrays, and an error for other sources.
    encoder : Encoder, optional
        By default the configured encoder, which is loaded once.
    example_hop_s : float
        Seconds between vectors: 1.0, or 0.96 as in the published pipeline.
    decoding : IsolatedDecoding, optional
        Decoding processes; by default the shared ones of this program.
    path : str or Path, optional
        Alias of `source`.

    Returns
    -------
    embedding : (128,) float32, or (n_seconds, 128) float32 or uint8
        Dimensionless; uint8 with `postprocess` and without pooling. A sound shorter than 0.975 s is
        repeated to this length, and has one second.

    Raises
    ------
    ParameterError
        `pooling` or `example_hop_s` is invalid, `postprocess` is set for an encoder other than VGGish,
        `source` has another type, or an array's type, shape or rate is invalid.
    WeightsMissing
        `postprocess` needs ``vggish_pca_params.npz``, which is missing.
    AudioError
        The sound cannot be used: `InvalidSamples` if a sample is NaN or infinite, `AudioTooShort`
        below 25 ms, and so on.

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * 44_100) / 44_100)
    >>> embed_audio(tone, sample_rate=44_100).shape
    (3, 128)
    """
    if pooling is not None and pooling not in POOLINGS:
        raise ParameterError(f"pooling is {pooling!r}; choose mean or sum, or leave it out")
    used = encoder or _configured_encoder()
    if postprocess:
        check_postprocess(used)
    network = only_network(used)
    cut = _cut_by_second(
        _sound(path if source is None else source, sample_rate), network, decoding, example_hop_s
    )
    vectors = _second_vectors(cut, network, _postprocessor() if postprocess else None)
    return vectors if pooling is None else _pooled(vectors, pooling)


def _sound(source: object, sample_rate: int | None) -> AudioSource:
    """Return a source for the decoders."""
    if isinstance(source, np.ndarray):
        return array_to_wav(source, sample_rate)
    if sample_rate is not None:
        raise ParameterError("sample_rate is for arrays only; a sound file has its own rate, so omit it")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, Path)):
        return resolve_path(source)
    raise ParameterError(
        f"the sound is of type {type(source).__name__}; give a path, the bytes of a sound file, or a "
        "NumPy array with sample_rate="
    )


def _cut_by_second(
    source: AudioSource,
    network: Network,
    decoding: IsolatedDecoding | None,
    example_hop_s: float = 1.0,
) -> Segments:
    return (decoding or shared()).run(
        cut_seconds,
        source,
        example_hop_s=example_hop_s,
        example_samples=network.layout.n_samples,
        sample_rate_hz=network.layout.sample_rate_hz,
    )


@dataclass(frozen=True, slots=True)
class FileEmbedding:
    """Vectors of a file, or its error.

    Attributes
    ----------
    uri : str
        Absolute path, as stored in an index.
    windows : sequence of Window
        The part of the file for each vector, in seconds from its start.
    vectors : (n, dimension) float32 or uint8
        One vector per window; the dimension is 128, or 128 per second for ``per="window"``.
    warnings : tuple of str
        Damage that did not stop the decoding.
    error : SoundalikeError or None
        Set if the file cannot be used; there are no windows then.
    """

    uri: str
    windows: Sequence[Window] = ()
    vectors: npt.NDArray[Any] | None = None
    warnings: tuple[str, ...] = ()
    error: SoundalikeError | None = None


def embed_files(
    paths: Iterable[str | Path],
    encoder: Encoder | None = None,
    *,
    per: Granularity = "window",
    plan: WindowPlan | None = None,
    pooling: Pooling = "mean",
    postprocessor: Postprocessor | None = None,
    decoding: IsolatedDecoding | None = None,
) -> Iterator[FileEmbedding]:
    """Embed files, and yield their results in order.

    A file that cannot be used yields its error, and the rest goes on. Memory stays bounded for any
    number of files.

    Parameters
    ----------
    paths : iterable of str or Path
    encoder : Encoder, optional
        By default the configured encoder, which is loaded once.
    per : {"window", "second", "file"}
        One vector per window as in an index (the concatenated vectors of its seconds, of length 1), the
        encoder's raw vector per second, or one pooled vector of length 1.
    plan : WindowPlan, optional
        The windows; by default those of a new index.
    pooling : {"mean", "sum"}
        How to pool seconds into the vector of a file.
    postprocessor : Postprocessor, optional
        Applied to the vectors of seconds, before pooling; VGGish only.
    decoding : IsolatedDecoding, optional
        Decoding processes; by default the shared ones of this program.

    Raises
    ------
    ParameterError
        `paths` is a single path, or `per` or `pooling` is unknown.
    ModelError, ServiceError
        The encoder or the decoding processes cannot be used.
    """
    if isinstance(paths, (str, bytes, Path)):
        raise ParameterError(f"paths is {paths!r}; give a list of paths, or use embed_audio")
    if per not in GRANULARITIES or pooling not in POOLINGS:
        raise ParameterError(
            f"per is {per!r} and pooling is {pooling!r}; choose one of {', '.join(GRANULARITIES)}, and "
            f"one of {', '.join(POOLINGS)}"
        )
    encoder = encoder or _configured_encoder()
    if per == "window":
        embed = partial(_by_window, plan=plan or WindowPlan(), encoder=encoder, decoding=decoding)
    else:
        pool = pooling if per == "file" else None
        embed = partial(
            _by_second,
            encoder=encoder,
            pooling=pool,
            postprocessor=postprocessor,
            decoding=decoding,
        )

    def embed_or_fail(path: str | Path) -> FileEmbedding:
        try:
            return embed(resolve_path(path))
        except Exception as exc:
            return FileEmbedding(uri_of(Path(path).absolute()), error=recording_error(exc, str(path)))

    return map_ahead(embed_or_fail, paths)


def _by_window(
    path: Path, *, plan: WindowPlan, encoder: Encoder, decoding: IsolatedDecoding | None
) -> FileEmbedding:
    plan = plan_for(encoder, plan)
    cut = (decoding or shared()).run(segment, path, plan)
    (vectors,) = embed_windows([CutRecording(cut.samples, cut.windows)], encoder, plan)
    return FileEmbedding(uri_of(path), cut.windows, vectors, cut.warnings)


def _by_second(
    path: Path,
    *,
    encoder: Encoder,
    pooling: Pooling | None,
    postprocessor: Postprocessor | None,
    decoding: IsolatedDecoding | None,
) -> FileEmbedding:
    network = only_network(encoder)
    cut = _cut_by_second(path, network, decoding)
    windows, vectors = cut.windows, _second_vectors(cut, network, postprocessor)
    if pooling is not None:
        is_silent = all(window.is_silent for window in windows)
        windows = [Window(0, 0.0, cut.duration_s, is_silent)]
        vectors = _pooled(vectors, pooling)[np.newaxis]
    return FileEmbedding(uri_of(path), windows, vectors, cut.warnings)


def _second_vectors(
    cut: Segments, network: Network, postprocessor: Postprocessor | None = None
) -> npt.NDArray[Any]:
    starts = [round(window.start_s * network.layout.sample_rate_hz) for window in cut.windows]
    vectors = embed_patches_at(cut.samples, starts, network)
    return vectors if postprocessor is None else postprocessor(vectors)


def _pooled(vectors: npt.NDArray[Any], pooling: Pooling) -> FloatArray:
    # As floats: the sum of 8-bit numbers would overflow.
    return normalised(_POOL[pooling](vectors.astype(np.float32), axis=0))


def check_postprocess(encoder: Encoder) -> None:
    """Raise `ParameterError` unless post-processing supports the encoder."""
    if encoder.name != "vggish":
        raise ParameterError(f"postprocess works with vggish only; the encoder is {encoder.name}")


@lru_cache(maxsize=1)
def _configured_encoder() -> Encoder:
    settings = Settings.from_env()
    return load_encoder(
        settings.model, settings.weights_dir, settings.checkpoint, precision=settings.precision
    )


@lru_cache(maxsize=1)
def _postprocessor() -> Postprocessor:
    return load_postprocessor(Settings.from_env().weights_dir)


def load_postprocessor(folder: Path) -> Postprocessor:
    """Load the post-processing of the AudioSet release from the parameters in a folder.

    Raises
    ------
    WeightsMissing
        The parameters are missing.
    WeightsCorrupt
        The file is not the published one.
    """
    path = verified_path(PCA_PARAMS, folder)
    if path is None:
        raise WeightsMissing(
            f"{PCA_PARAMS.name} is not in {folder}; download it with: soundalike models download"
        )
    return Postprocessor(path)


def embed_searchable(
    source: AudioSource,
    encoder: Encoder,
    plan: WindowPlan,
    *,
    example_hop_s: float | None = None,
    decoding: IsolatedDecoding | None = None,
) -> tuple[list[Window], FloatArray]:
    """Return the searchable windows of a recording and their embeddings.

    Returns
    -------
    windows : list of Window
        Windows that are neither silent nor clipped; may be empty.
    embeddings : (n_windows, 128 * k) float32
    """
    plan = plan_for(encoder, plan)
    segments = (decoding or shared()).run(segment, source, plan)
    recording = CutRecording(segments.samples, segments.windows)
    (embeddings,) = embed_windows([recording], encoder, plan, example_hop_s=example_hop_s)
    windows = [window for window in segments.windows if window.quality == "ok"]
    return windows, np.take(embeddings, [window.index for window in windows], axis=0)
