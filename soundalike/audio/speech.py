"""Find speech in a recording by its energy.

A frame counts as speech if it is at most 30 dB quieter than the loud frames of the recording (T.
Kinnunen and H. Li, "An overview of text-independent speaker recognition: From features to
supervectors", Speech Communication 52, 2010). Energy tells speech from pauses, not from other sounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.audio.loading import load_audio
from soundalike.audio.parts import Part
from soundalike.audio.sources import AudioSource, shown_source
from soundalike.errors import TooLittleSpeech
from soundalike.types import FloatArray

#: Rate of speech for the encoders of voices.
SPEECH_RATE_HZ = 16_000
#: Less speech than this does not tell a voice.
MIN_SPEECH_S = 1.0
#: Speech after this second is not used; a voice needs no more, and memory stays bounded.
LONGEST_S = 300.0
#: Level of the speech that is returned, so that the gain of a microphone makes no difference.
LEVEL_DBFS = -30.0

_FRAME_S = 0.03
_BELOW_LOUD_DB = 30.0
_LOUD_QUANTILE = 0.95
#: Quieter frames are silence in any recording.
_SILENCE_DBFS = -60.0
#: Frames kept on both sides of speech (0.24 s): words begin and end in them, and pauses of up to half a
#: second stay as they are. Shorter margins cost more errors; see docs/adr/0034.
_MARGIN_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Speech:
    """The speech of a recording.

    Attributes
    ----------
    samples : (n_samples,) float32
        Mono at 16 kHz and -30 dBFS; pauses of more than half a second are shortened.
    speech_s : float
        Seconds of speech, without any pauses.
    duration_s : float
        Length of the recording, at most 300 s.
    warnings : tuple of str
        Damage that did not stop the decoding.
    """

    samples: FloatArray
    speech_s: float
    duration_s: float
    warnings: tuple[str, ...] = ()


def cut_speech(source: AudioSource) -> Speech:
    """Decode the first five minutes of a recording and return their speech.

    Parameters
    ----------
    source : Path or bytes
        As for `soundalike.audio.loading.load_audio`.

    Raises
    ------
    TooLittleSpeech
        Less than a second.
    UnreadableAudio, EmptyAudio, InvalidSamples, AudioTooShort
        As for `soundalike.audio.loading.load_audio`.
    """
    waveform = load_audio(source, Part(end_s=LONGEST_S), sample_rate_hz=SPEECH_RATE_HZ)
    samples, speech_s = speech_in(waveform.samples)
    if speech_s < MIN_SPEECH_S:
        raise TooLittleSpeech(
            f"{shown_source(source)} has {speech_s:.1f} s of speech in {waveform.duration_s:.1f} s; "
            f"give a recording in which one person speaks for at least {MIN_SPEECH_S:g} s, better 5 s"
        )
    return Speech(at_level(samples), speech_s, waveform.duration_s, waveform.warnings)


def speech_in(samples: FloatArray) -> tuple[FloatArray, float]:
    """Return the samples of speech with short pauses, and the seconds of speech alone.

    Parameters
    ----------
    samples : (n_samples,) float32
        Mono at 16 kHz.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> loud, quiet = rng.normal(0, 0.1, 16_000), rng.normal(0, 1e-4, 32_000)
    >>> found, speech_s = speech_in(np.concatenate([quiet, loud, quiet]).astype(np.float32))
    >>> 1.4 < len(found) / 16_000 < 1.6, 0.9 < speech_s < 1.1
    (True, True)
    """
    n_frame = round(_FRAME_S * SPEECH_RATE_HZ)
    n_frames = len(samples) // n_frame
    if not n_frames:
        return samples[:0], 0.0
    frames = samples[: n_frames * n_frame].reshape(n_frames, n_frame)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    # A constant offset is not loud.
    power -= np.square(frames.mean(axis=1, dtype=np.float64))
    levels = 10 * np.log10(np.maximum(power, 1e-20))
    loud = float(np.quantile(levels, _LOUD_QUANTILE))
    is_speech = levels > max(loud - _BELOW_LOUD_DB, _SILENCE_DBFS)
    kept: FloatArray = frames[_widened(is_speech)].reshape(-1)
    return kept, float(is_speech.sum()) * _FRAME_S


def _widened(is_speech: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    near = np.convolve(is_speech, np.ones(2 * _MARGIN_FRAMES + 1), mode="full")
    return near[_MARGIN_FRAMES : _MARGIN_FRAMES + len(is_speech)] > 0.5


def at_level(samples: FloatArray) -> FloatArray:
    """Return samples with a mean power of -30 dBFS and without a constant offset."""
    centred = samples - samples.mean(dtype=np.float64)
    power = float(np.square(centred, dtype=np.float64).mean())
    if power <= 0:
        return samples
    scaled: FloatArray = (centred * 10 ** (LEVEL_DBFS / 20) / np.sqrt(power)).astype(np.float32)
    return scaled
