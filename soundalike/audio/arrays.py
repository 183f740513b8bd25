"""Convert sample arrays to WAV bytes, so that arrays and files share one path."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.audio.streams import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from soundalike.errors import EmptyAudio, ParameterError

#: Offset and divisor that convert PCM integers to floats.
_SCALES = {"uint8": (-128.0, 128.0), "int16": (0.0, 2.0**15), "int32": (0.0, 2.0**31)}
_FLOATS = ("float16", "float32", "float64")


def array_to_wav(samples: npt.NDArray[Any], sample_rate: float | None) -> bytes:
    """Return samples as the bytes of a WAV file of 32-bit floats.

    Parameters
    ----------
    samples : (n,) or (n, channels) array
        In the layout of `soundfile.read`: float16, float32 or float64 between -1 and 1, or int16, int32
        or uint8 as in PCM files.
    sample_rate : int
        In hertz.

    Raises
    ------
    ParameterError
        The type, shape or rate is invalid, or the rate is missing.
    EmptyAudio
        The array is empty.
    """
    import soundfile

    rate_hz = _checked_rate(sample_rate)
    _check_shape(samples)
    buffer = io.BytesIO()
    soundfile.write(buffer, _as_float(samples), rate_hz, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def _checked_rate(sample_rate: float | None) -> int:
    if sample_rate is None:
        raise ParameterError("an array does not hold its sample rate; give sample_rate=, in hertz")
    # Whole floats like 44100.0 are allowed.
    is_whole = isinstance(sample_rate, (int, float, np.integer, np.floating)) and sample_rate % 1 == 0
    if not is_whole or not MIN_RATE_HZ <= sample_rate <= MAX_RATE_HZ:
        raise ParameterError(
            f"sample_rate is {sample_rate!r}; give a whole number of hertz from {MIN_RATE_HZ} to "
            f"{MAX_RATE_HZ}"
        )
    return int(sample_rate)


def _check_shape(samples: npt.NDArray[Any]) -> None:
    shape = samples.shape
    if samples.dtype.name not in (*_FLOATS, *_SCALES):
        raise ParameterError(
            f"the samples are {samples.dtype}; give floats from -1 to 1, or int16, int32 or uint8"
        )
    if len(shape) not in (1, 2):
        raise ParameterError(f"the samples have shape {shape}; give (n,) or (n, channels)")
    if not samples.size:
        raise EmptyAudio(f"the samples have shape {shape}; there is nothing to embed")
    if len(shape) == 2 and shape[1] > MAX_CHANNELS:
        hint = "; transpose them" if shape[0] <= MAX_CHANNELS else ""
        raise ParameterError(
            f"the samples have shape {shape}, which is {shape[1]} channels; give (n, channels){hint}"
        )


def _as_float(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if samples.dtype.name in _FLOATS:
        # Values too large for float32 become infinite; decoding rejects them.
        with np.errstate(over="ignore"):
            return samples.astype(np.float32)
    offset, divisor = _SCALES[samples.dtype.name]
    scaled: npt.NDArray[np.float32] = ((samples + offset) / divisor).astype(np.float32)
    return scaled
