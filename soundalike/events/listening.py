"""Read sound again: recordings and queries as tracks of an encoder's vectors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from soundalike.audio import front_end
from soundalike.audio.loading import load_audio
from soundalike.audio.parts import Part
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sources import resolve_path, snapshot
from soundalike.encoders.base import Encoder, Network, sample_rate_hz
from soundalike.encoders.embedding import embed_patches_at
from soundalike.errors import AudioError, ParameterError
from soundalike.events.activity import (
    FRAMES_PER_S,
    Columns,
    Spans,
    above_background,
    active_part,
    activity,
    background_of_bands,
    log_mel_of,
    without_noise,
)
from soundalike.types import FileStat, FloatArray

if TYPE_CHECKING:
    from soundalike.search.queries import Query

#: Distance between the examples of a track, in seconds.
HOP_S = 0.25
#: The query is heard in the recording's own background at two levels: that of the loudest parts, but at
#: least so far above the background, and one so much lower.
_LOUD_DB, _STEP_DB = 20.0, 10.0
#: Percentile of the levels of active parts that stands for the loudest.
_LOUDEST = 90
#: Frames beside an active part that are not taken for background.
_MARGIN = 20
_KEPT = 16
#: Background that is mixed with a query, in seconds.
_LONGEST_NOISE_S = 60.0
_SHORTEST_NOISE_S = 0.5
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Track:
    """Vectors of consecutive examples of one network.

    Attributes
    ----------
    vectors : (n, dimension) float32
        An example each `HOP_S`.
    length_s : float
        Length of an example.
    weight : float
        Weight of the network.
    """

    vectors: FloatArray
    length_s: float
    weight: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording, heard again.

    Attributes
    ----------
    active : (n_spans, 2) int64
        Frames that differ from the background; see `soundalike.events.activity.activity`.
    tracks : list of Track
        One for each network.
    noise : (n_samples,) float32
        Some of the background.
    contrast_db : float
        Level of the loudest active parts above the background.
    duration_s : float
    above : (n_columns, 64) float16
        The spectrogram above the background; see `soundalike.events.activity.above_background`.
    """

    active: Spans
    tracks: list[Track]
    noise: FloatArray
    contrast_db: float
    duration_s: float
    above: Columns


@dataclass(frozen=True, slots=True)
class QuerySound:
    """The loud part of a query.

    Attributes
    ----------
    samples : (n_samples,) float32
    start_s, end_s : float
        Its bounds in the query's recording.
    """

    samples: FloatArray
    start_s: float
    end_s: float


class Hearing:
    """Embeds samples in small steps.

    Parameters
    ----------
    encoder : Encoder
        That of the collection.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.rate_hz = sample_rate_hz(encoder)

    def hear(self, samples: FloatArray) -> Stretch | None:
        """Return a part of a recording; None if it is too short.

        Parameters
        ----------
        samples : (n_samples,) float32
            Mono at `rate_hz`.
        """
        heard = _resampled(samples, self.rate_hz, front_end.SAMPLE_RATE_HZ)
        if len(heard) < front_end.PATCH_SAMPLES:
            return None
        log_mel = log_mel_of(heard)
        background = background_of_bands(log_mel)
        active = activity(log_mel, background)
        quiet = np.ones(len(samples), dtype=bool)
        per_frame = self.rate_hz // FRAMES_PER_S
        for begin, end in active:
            quiet[max(0, (begin - _MARGIN) * per_frame) : (end + _MARGIN) * per_frame] = False
        noise = samples[quiet][: round(_LONGEST_NOISE_S * self.rate_hz)]
        powers = [
            float((samples[begin * per_frame : end * per_frame] ** 2).mean()) for begin, end in active
        ]
        power = float((noise**2).mean()) if len(noise) else 0.0
        loudest = float(np.percentile(powers, _LOUDEST)) if powers else 0.0
        contrast_db = 10 * np.log10(loudest / power) if power and loudest else 0.0
        tracks = self.tracks(samples, log_mel)
        duration_s = len(samples) / self.rate_hz
        above = above_background(log_mel, background)
        return Stretch(active, tracks, noise, contrast_db, duration_s, above)

    def loud_part(self, samples: FloatArray, start_s: float) -> QuerySound | None:
        """Return the loud part of a query whose samples begin at a second; None if it is silent."""
        if not samples.any():
            return None
        begin, end = active_part(samples, self.rate_hz)
        heard = _resampled(samples[begin:end], self.rate_hz, front_end.SAMPLE_RATE_HZ)
        if len(heard) >= front_end.PATCH_SAMPLES:
            frames = log_mel_of(heard)
            per_frame = self.rate_hz // FRAMES_PER_S
            loud = samples[begin : begin + len(frames) * per_frame].reshape(len(frames), per_frame)
            first, last = without_noise(frames, (loud**2).mean(axis=1))
            end = end if last == len(frames) else begin + last * per_frame
            begin += first * per_frame
        return QuerySound(
            samples[begin:end], start_s + begin / self.rate_hz, start_s + end / self.rate_hz
        )

    def tracks(self, samples: FloatArray, log_mel: FloatArray | None = None) -> list[Track]:
        """Return the vectors of samples, one track for each network.

        Parameters
        ----------
        samples : (n_samples,) float32
        log_mel : (n_frames, 64) float32, optional
            Of the same samples, to compute them once.
        """
        return [
            Track(
                _vectors(part.network, samples, self.rate_hz, log_mel),
                part.network.layout.n_samples / part.network.layout.sample_rate_hz,
                part.weight,
            )
            for part in self._encoder.parts
        ]

    def masked(self, query: QuerySound, stretch: Stretch) -> list[FloatArray]:
        """Return the query as it would sound in a stretch: as loud as the loudest there, and less loud.

        The query alone is returned where there is hardly any background.
        """
        noise = stretch.noise
        power = float((query.samples**2).mean())
        noise_power = float((noise**2).mean()) if len(noise) else 0.0
        if not noise_power or not power or len(noise) < _SHORTEST_NOISE_S * self.rate_hz:
            return [query.samples]
        bed = np.resize(noise, query.samples.shape)
        loud_db = max(_LOUD_DB, stretch.contrast_db)
        gains = [
            np.sqrt(noise_power / power) * 10 ** (level / 20) for level in (loud_db, loud_db - _STEP_DB)
        ]
        return [(query.samples * gain + bed).astype(np.float32) for gain in gains]


class Listener(Hearing):
    """Reads parts of recordings and embeds them in small steps.

    Parameters
    ----------
    encoder : Encoder
        That of the collection.
    decoding : IsolatedDecoding
        Processes that decode.
    locate : callable, optional
        Returns the path of a stored recording that may be read, or raises an `AudioError`.
    n_kept : int
        Stretches that are kept for the next query.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoding: IsolatedDecoding,
        locate: Callable[[str], Path] = resolve_path,
        n_kept: int = _KEPT,
    ) -> None:
        super().__init__(encoder)
        self._decoding = decoding
        self._locate = locate
        self._n_kept = n_kept
        self._kept: OrderedDict[tuple[str, float, float], Stretch | None] = OrderedDict()

    @staticmethod
    def stat(uri: str) -> FileStat | None:
        """Return size and time of a recording's file; None if it is gone."""
        try:
            return snapshot(uri).stat
        except AudioError:
            return None

    def stretch(self, uri: str, start_s: float, end_s: float) -> Stretch | None:
        """Return a part of a stored recording; None if its file is gone or cannot be read."""
        key = (uri, start_s, end_s)
        if key not in self._kept:
            samples = self._stored(uri, start_s, end_s)
            while len(self._kept) >= self._n_kept:
                self._kept.popitem(last=False)
            self._kept[key] = None if samples is None else self.hear(samples)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _stored(self, uri: str, start_s: float, end_s: float) -> FloatArray | None:
        try:
            return self._loaded(self._locate(uri), start_s, end_s)
        except (AudioError, ParameterError):
            return None

    def query_sound(self, query: Query, uri: str) -> QuerySound | None:
        """Return the loud part of a query; None for a vector or a text, and if its file is gone.

        Parameters
        ----------
        query : Query
        uri : str
            Path of the query if it is a stored recording.
        """
        if query.source is None and query.recording_id is None:
            return None
        start_s, end_s = query.excerpt.bounds_s
        if isinstance(query.source, bytes):
            samples: FloatArray | None = self._loaded(query.source, start_s, end_s)
        elif query.source is not None:
            samples = self._loaded(resolve_path(query.source), start_s, end_s)
        else:
            samples = self._stored(uri, start_s, end_s)
        return None if samples is None else self.loud_part(samples, start_s)

    def _loaded(self, source: Path | bytes, start_s: float, end_s: float) -> FloatArray:
        waveform = self._decoding.run(
            load_audio, source, Part(start_s, end_s), sample_rate_hz=self.rate_hz
        )
        samples: FloatArray = waveform.samples
        return samples


def _resampled(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    if from_hz == to_hz:
        return samples
    found: FloatArray = soxr.resample(samples, from_hz, to_hz, quality="HQ")
    return found


def _vectors(
    network: Network, samples: FloatArray, rate_hz: int, log_mel: FloatArray | None
) -> FloatArray:
    layout = network.layout
    samples = _resampled(samples, rate_hz, layout.sample_rate_hz)
    if len(samples) < layout.n_samples:
        samples = np.concatenate([samples, np.zeros(layout.n_samples - len(samples), np.float32)])
        log_mel = None
    hop = round(HOP_S * layout.sample_rate_hz)
    starts = range(0, len(samples) - layout.n_samples + 1, hop)
    if log_mel is None or not network.takes_log_mel:
        return embed_patches_at(samples, starts, network)
    # The frames of overlapping examples are the same.
    frames = np.lib.stride_tricks.sliding_window_view(log_mel, front_end.PATCH_FRAMES, axis=0)
    frames = frames[:: round(HOP_S * FRAMES_PER_S)][: len(starts)].transpose(0, 2, 1)
    return np.concatenate(
        [
            network.embed_patches(np.ascontiguousarray(frames[begin : begin + _BATCH]))
            for begin in range(0, len(frames), _BATCH)
        ]
    )


def pooled(track: Track, spans_s: Sequence[tuple[float, float]]) -> FloatArray:
    """Return the mean vector of each span, weighted by how much of an example lies in it."""
    starts_s = np.arange(len(track.vectors)) * HOP_S
    rows = []
    for begin_s, end_s in spans_s:
        first = max(0, int((begin_s - track.length_s) / HOP_S))
        last = min(len(starts_s), int(np.ceil(end_s / HOP_S)) + 1)
        near = starts_s[first:last]
        shared = np.minimum(near + track.length_s, end_s) - np.maximum(near, begin_s)
        weights = np.clip(shared, 0.0, None)
        rows.append(weights @ track.vectors[first:last] / max(float(weights.sum()), 1e-9))
    return np.array(rows, dtype=np.float32).reshape(len(rows), track.vectors.shape[1])
