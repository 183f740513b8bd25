"""Log-mel spectrograms by the facts of a model's manifest.

Models differ in every detail of this computation, and a wrong detail goes unnoticed: the vectors only
get worse. Each detail is therefore a field, and none is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse

from soundalike.errors import AudioTooShort, ParameterError
from soundalike.types import FloatArray

_Float64 = npt.NDArray[np.float64]
#: Slaney's mel scale is linear up to 1 kHz and logarithmic above (Auditory Toolbox, as librosa has it).
_SLANEY_HZ_PER_MEL = 200.0 / 3
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_LOG_STEP = np.log(6.4) / 27.0
#: Exponent of Kaldi's window, a Hann window raised to it.
_POVEY_EXPONENT = 0.85


@dataclass(frozen=True, slots=True)
class Compression:
    """How mel energies are compressed.

    Attributes
    ----------
    kind : str
        ``none``; ``ln``: ``ln(max(gain * x, floor) + offset)``; ``log10``: the same to the base of ten;
        ``db``: ``10 log10`` of power (``20 log10`` of magnitude) over `reference`, not below `floor`.
    gain, offset, floor : float
    reference : float
        Of ``db``.
    top_db : float, optional
        Of ``db``: what lies further below the loudest value of the example is raised to this distance.
    """

    kind: Literal["none", "ln", "log10", "db"] = "none"
    gain: float = 1.0
    offset: float = 0.0
    floor: float = 0.0
    reference: float = 1.0
    top_db: float | None = None

    def apply(self, mel: _Float64, *, is_power: bool) -> _Float64:
        """Compress ``(..., n_frames, n_mels)`` float64 energies."""
        if self.kind == "none":
            return mel
        if self.kind == "db":
            return self._decibels(mel, 10.0 if is_power else 20.0)
        inner = np.maximum(self.gain * mel, self.floor) + self.offset
        compressed: _Float64 = np.log(inner) if self.kind == "ln" else np.log10(inner)
        return compressed

    def _decibels(self, mel: _Float64, factor: float) -> _Float64:
        levels: _Float64 = factor * np.log10(np.maximum(self.floor, mel))
        levels -= factor * np.log10(max(self.floor, self.reference))
        if self.top_db is not None:
            levels = np.maximum(levels, levels.max(axis=(-2, -1), keepdims=True) - self.top_db)
        return levels


@dataclass(frozen=True)
class LogMel:
    """A log-mel spectrogram, in every detail.

    Attributes
    ----------
    sample_rate_hz : int
    frame_length, fft_length, hop_length : int
        In samples; `fft_length` is at least `frame_length`.
    window : str
        ``hann``, ``hamming``, ``povey`` (Kaldi) or ``rectangular``.
    periodic : bool
        Whether the window is one period of its formula; else it is symmetric.
    cut : str
        How samples are framed: ``frame``, `frame_length` samples a frame, zeros behind them up to
        `fft_length` (TensorFlow, Kaldi); or ``fft``, `fft_length` samples a frame, and the window in
        their middle (librosa).
    padding : str
        ``none``: an incomplete last frame is dropped; ``reflect`` or ``zeros``: half an `fft_length` is
        added on both sides, so that frame ``t`` has its middle at sample ``t * hop_length``.
    n_mels : int
    min_hz, max_hz : float
    scale : str
        ``htk``, ``2595 log10(1 + f / 700)``, or ``slaney``.
    slopes : str
        Triangles are straight in ``hertz`` (librosa) or in ``mel`` (TensorFlow, Kaldi, Essentia).
    norm : str
        ``none``; ``slaney``: each triangle has the area 1 over hertz; ``unit_sum``: the weights of each
        band have the sum 1.
    spectrum : str
        ``magnitude`` or ``power``.
    compression : Compression
    input_gain : float
        Multiplied with the samples first; Kaldi expects those of 16 bits, hence 32768.
    remove_dc : bool
        Whether each frame's mean is subtracted.
    pre_emphasis : float
        Each frame's samples lose this share of their predecessor; the first one, of itself (Kaldi).
    centre_bands : bool
        Whether each band's mean over the example is subtracted at the end (CMN of speaker models).
    mean, deviation : float or tuple of float
        The result is ``(x - mean) / deviation``; one number, or one for each band.

    Raises
    ------
    ParameterError
        The numbers contradict each other.
    """

    sample_rate_hz: int
    frame_length: int
    fft_length: int
    hop_length: int
    n_mels: int
    min_hz: float
    max_hz: float
    window: Literal["hann", "hamming", "povey", "rectangular"] = "hann"
    periodic: bool = True
    cut: Literal["frame", "fft"] = "frame"
    padding: Literal["none", "reflect", "zeros"] = "none"
    scale: Literal["htk", "slaney"] = "htk"
    slopes: Literal["hertz", "mel"] = "mel"
    norm: Literal["none", "slaney", "unit_sum"] = "none"
    spectrum: Literal["magnitude", "power"] = "power"
    compression: Compression = Compression()
    input_gain: float = 1.0
    remove_dc: bool = False
    pre_emphasis: float = 0.0
    centre_bands: bool = False
    mean: float | tuple[float, ...] = 0.0
    deviation: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.frame_length <= self.fft_length:
            raise ParameterError(
                f"frame_length is {self.frame_length} and fft_length {self.fft_length}; a frame has at "
                "least one sample and no more than the transform"
            )
        if not 0 <= self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise ParameterError(
                f"the mel bands go from {self.min_hz} to {self.max_hz} Hz; give a range from 0 to half "
                f"the sample rate, {self.sample_rate_hz / 2} Hz"
            )
        if self.hop_length < 1 or self.n_mels < 1 or not np.all(np.asarray(self.deviation) > 0):
            raise ParameterError(
                f"hop_length is {self.hop_length}, n_mels {self.n_mels} and deviation {self.deviation}; "
                "all three must be above 0"
            )
        for name, value in (("mean", self.mean), ("deviation", self.deviation)):
            if np.shape(value) not in ((), (self.n_mels,)):
                raise ParameterError(
                    f"{name} has {np.size(value)} numbers; give one, or {self.n_mels}, one for each band"
                )

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames so many samples give; 0 where there are too few for one."""
        length = self.frame_length if self.cut == "frame" else self.fft_length
        if self.padding != "none":
            n_samples += 2 * (self.fft_length // 2)
        return max(0, 1 + (n_samples - length) // self.hop_length)

    def n_samples(self, n_frames: int) -> int:
        """Return the smallest number of samples that gives so many frames."""
        length = self.frame_length if self.cut == "frame" else self.fft_length
        needed = length + (n_frames - 1) * self.hop_length
        return needed if self.padding == "none" else needed - 2 * (self.fft_length // 2)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Compute the spectrogram.

        Parameters
        ----------
        samples : (..., n_samples) float32 or float64
            Mono at `sample_rate_hz`, nominally in [-1, 1]. Not modified.

        Returns
        -------
        log_mel : (..., n_frames, n_mels) float32

        Raises
        ------
        AudioTooShort
            There are too few samples for a frame.
        """
        if self.n_frames(samples.shape[-1]) < 1:
            raise AudioTooShort(
                f"{samples.shape[-1]} samples at {self.sample_rate_hz} Hz are too few for a frame"
            )
        # In float64: the logarithm shows the rounding of a float32 transform beside a pure tone.
        spectrum = np.abs(scipy.fft.rfft(self._frames(samples) * self._window, self.fft_length))
        if self.spectrum == "power":
            spectrum **= 2
        flat = spectrum.reshape(-1, spectrum.shape[-1])
        mel = (self._bands @ flat.T).T.reshape(*spectrum.shape[:-1], self.n_mels)
        result = self.compression.apply(mel, is_power=self.spectrum == "power")
        if self.centre_bands:
            result = result - result.mean(axis=-2, keepdims=True)
        scaled: _Float64 = (result - np.asarray(self.mean)) / np.asarray(self.deviation)
        return scaled.astype(np.float32)

    def _frames(self, samples: FloatArray) -> _Float64:
        if self.padding != "none":
            half = self.fft_length // 2
            around = [(0, 0)] * (samples.ndim - 1) + [(half, half)]
            samples = np.pad(
                samples, around, mode="reflect" if self.padding == "reflect" else "constant"
            )
        length = self.frame_length if self.cut == "frame" else self.fft_length
        view = np.lib.stride_tricks.sliding_window_view(samples, length, axis=-1)
        frames = view[..., :: self.hop_length, :].astype(np.float64)
        frames *= self.input_gain
        if self.remove_dc:
            frames -= frames.mean(axis=-1, keepdims=True)
        if self.pre_emphasis:
            before = np.concatenate([frames[..., :1], frames[..., :-1]], axis=-1)
            frames -= self.pre_emphasis * before
        return frames

    @cached_property
    def _window(self) -> _Float64:
        window = _window(self.window, self.frame_length, periodic=self.periodic)
        if self.cut == "frame":
            return window
        before = (self.fft_length - self.frame_length) // 2
        return np.pad(window, (before, self.fft_length - self.frame_length - before))

    @cached_property
    def _bands(self) -> Any:
        """Return ``(n_mels, n_bins)`` sparse weights; nine in ten are zero."""
        return scipy.sparse.csr_array(
            mel_bands(
                self.sample_rate_hz,
                self.fft_length,
                self.n_mels,
                self.min_hz,
                self.max_hz,
                scale=self.scale,
                slopes=self.slopes,
                norm=self.norm,
            ).T
        )


@lru_cache(maxsize=16)
def mel_bands(
    sample_rate_hz: int,
    fft_length: int,
    n_mels: int,
    min_hz: float,
    max_hz: float,
    *,
    scale: str = "htk",
    slopes: str = "mel",
    norm: str = "none",
) -> _Float64:
    """Return the weights that turn a spectrum into mel bands.

    Parameters
    ----------
    sample_rate_hz, fft_length, n_mels, min_hz, max_hz, scale, slopes, norm
        As for `LogMel`.

    Returns
    -------
    weights : (fft_length // 2 + 1, n_mels) float64
        Triangles whose corners are evenly spaced on the mel scale.
    """
    bins_hz = np.linspace(0.0, sample_rate_hz / 2, fft_length // 2 + 1)
    lowest, highest = hertz_to_mel(np.array([min_hz, max_hz]), scale)
    edges_mel = np.linspace(lowest, highest, n_mels + 2)
    edges_hz = mel_to_hertz(edges_mel, scale)
    edges = edges_mel if slopes == "mel" else edges_hz
    bins = (hertz_to_mel(bins_hz, scale) if slopes == "mel" else bins_hz)[:, np.newaxis]
    lower, middle, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (middle - lower)
    falling = (upper - bins) / (upper - middle)
    weights: _Float64 = np.maximum(0.0, np.minimum(rising, falling))
    if norm == "slaney":
        weights *= 2.0 / (edges_hz[2:] - edges_hz[:-2])
    elif norm == "unit_sum":
        sums = weights.sum(axis=0)
        np.divide(weights, sums, out=weights, where=sums > 0)
    return weights


def hertz_to_mel(frequencies_hz: _Float64, scale: str) -> _Float64:
    """Convert frequencies to mels on the scale ``htk`` or ``slaney``.

    Examples
    --------
    >>> hertz_to_mel(np.array([500.0, 1000.0, 6400.0]), "slaney").round(6).tolist()
    [7.5, 15.0, 42.0]
    """
    if scale == "htk":
        mels: _Float64 = 1127.0 * np.log1p(frequencies_hz / 700.0)
        return mels
    linear = frequencies_hz / _SLANEY_HZ_PER_MEL
    above = np.log(np.maximum(frequencies_hz, _SLANEY_BREAK_HZ) / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP
    logarithmic = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL + above
    return np.where(frequencies_hz < _SLANEY_BREAK_HZ, linear, logarithmic)


def mel_to_hertz(mels: _Float64, scale: str) -> _Float64:
    """Convert mels to frequencies: the inverse of `hertz_to_mel`."""
    if scale == "htk":
        hertz: _Float64 = 700.0 * np.expm1(mels / 1127.0)
        return hertz
    break_mel = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
    above = _SLANEY_BREAK_HZ * np.exp(_SLANEY_LOG_STEP * (np.maximum(mels, break_mel) - break_mel))
    return np.where(mels < break_mel, _SLANEY_HZ_PER_MEL * mels, above)


def _window(name: str, length: int, *, periodic: bool) -> _Float64:
    """Return a window of some samples."""
    if name == "rectangular" or length == 1:
        return np.ones(length)
    phase = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    if name == "hamming":
        return 0.54 - 0.46 * np.cos(phase)
    hann: _Float64 = 0.5 - 0.5 * np.cos(phase)
    return hann**_POVEY_EXPONENT if name == "povey" else hann
