"""Log-mel spectrogram with the parameters of VGGish."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse

from soundalike.audio import front_end
from soundalike.errors import AudioTooShort, ParameterError
from soundalike.types import FloatArray


def hertz_to_mel(frequencies_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert frequencies to HTK's mel scale: ``1127 ln(1 + f / 700)``.

    Examples
    --------
    >>> round(float(hertz_to_mel(500.0)), 3)
    607.449
    """
    ratio = np.asarray(frequencies_hz, dtype=np.float64) / front_end.MEL_BREAK_HZ
    return front_end.MEL_HIGH_Q * np.log(1.0 + ratio)


@lru_cache(maxsize=1)
def mel_matrix() -> FloatArray:
    """Return the weights that turn a magnitude spectrum into mel bands.

    Returns
    -------
    weights : (257, 64) float32
        Triangles between 125 and 7500 Hz, evenly spaced and linear on the mel scale (librosa's are
        linear in hertz). Row 0, the constant component, is zero.
    """
    bins_hz = np.linspace(0.0, front_end.SAMPLE_RATE_HZ / 2, front_end.FFT_SAMPLES // 2 + 1)
    bins_mel = hertz_to_mel(bins_hz)[:, np.newaxis]
    lowest_mel, highest_mel = hertz_to_mel([front_end.MEL_MIN_HZ, front_end.MEL_MAX_HZ])
    edges_mel = np.linspace(lowest_mel, highest_mel, front_end.N_MEL_BANDS + 2)
    lower, centre, upper = edges_mel[:-2], edges_mel[1:-1], edges_mel[2:]
    rising = (bins_mel - lower) / (centre - lower)
    falling = (upper - bins_mel) / (upper - centre)
    weights: FloatArray = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    return weights


@lru_cache(maxsize=1)
def _sparse_mel_matrix() -> Any:
    """Return `mel_matrix` transposed and sparse.

    Nine in ten weights are zero. A dense product would also use BLAS, whose threads compete with those
    of the decoders and of TensorFlow.
    """
    return scipy.sparse.csr_array(mel_matrix().T)


@lru_cache(maxsize=1)
def _hann_window() -> npt.NDArray[np.float64]:
    """Return the periodic Hann window of one frame; NumPy has only the symmetric one."""
    phase = 2 * np.pi * np.arange(front_end.FRAME_SAMPLES) / front_end.FRAME_SAMPLES
    window: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(phase)
    return window


def log_mel_spectrogram(waveform: FloatArray, *, sample_rate: int) -> FloatArray:
    """Compute the log-magnitude mel spectrogram that VGGish was trained on.

    Parameters
    ----------
    waveform : (..., n_samples) float32 or float64
        Mono samples, nominally in [-1, 1]. Not modified.
    sample_rate : int, Hz
        Must be 16 000; `soundalike.audio.loading.load_audio` resamples.

    Returns
    -------
    log_mel : (..., n_frames, 64) float32
        Natural logarithm of (mel magnitude + 0.01). Row ``t`` depends only on
        ``waveform[160 * t : 160 * t + 400]``; ``n_frames == 1 + (n_samples - 400) // 160``. An
        incomplete last frame is dropped, not padded.

    Raises
    ------
    ParameterError
        `sample_rate` is not 16 000, or `waveform` is not an array of floating-point numbers.
    AudioTooShort
        Fewer than 400 samples (25 ms).

    Notes
    -----
    Magnitude, not power. Periodic Hann of 400 samples, 512-point FFT, 64 bands from 125 to 7500 Hz.

    References
    ----------
    Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017,
    arXiv:1609.09430. tensorflow/models, research/audioset/vggish/mel_features.py.

    Examples
    --------
    >>> log_mel = log_mel_spectrogram(np.zeros(16_000, dtype=np.float32), sample_rate=16_000)
    >>> log_mel.shape, round(float(log_mel.max()), 4)
    ((98, 64), -4.6052)
    """
    if sample_rate != front_end.SAMPLE_RATE_HZ:
        raise ParameterError(f"sample_rate is {sample_rate} Hz; resample to 16000 Hz first")
    if not np.issubdtype(waveform.dtype, np.floating):
        raise ParameterError(
            f"waveform has dtype {waveform.dtype}; convert integers to floats in [-1, 1] first"
        )
    if waveform.shape[-1] < front_end.FRAME_SAMPLES:
        raise AudioTooShort(
            f"waveform has {waveform.shape[-1]} samples; a frame needs {front_end.FRAME_SAMPLES}"
        )
    frames = np.lib.stride_tricks.sliding_window_view(waveform, front_end.FRAME_SAMPLES, axis=-1)
    windowed = frames[..., :: front_end.HOP_SAMPLES, :] * _hann_window()
    # In float64: next to a pure tone, the logarithm turns the rounding of a float32 transform into
    # errors of up to 3e-4 compared with the training data.
    spectrum = scipy.fft.rfft(windowed, front_end.FFT_SAMPLES)
    magnitude = np.abs(spectrum).astype(np.float32)
    mel = (_sparse_mel_matrix() @ magnitude.reshape(-1, magnitude.shape[-1]).T).T
    log_mel: FloatArray = np.log(mel + np.float32(front_end.LOG_OFFSET))
    return log_mel.reshape(*magnitude.shape[:-1], front_end.N_MEL_BANDS)
