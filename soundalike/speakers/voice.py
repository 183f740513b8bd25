"""From a recording to the vector of the voice in it."""

from __future__ import annotations

import numpy as np

from soundalike.audio.sandbox import IsolatedDecoding, shared
from soundalike.audio.sources import AudioSource
from soundalike.audio.speech import SPEECH_RATE_HZ, Speech, cut_speech
from soundalike.config import Settings
from soundalike.encoders.base import Encoder, Network, only_network
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.embedding import embed_patches_at
from soundalike.encoders.vectors import normalised
from soundalike.errors import ParameterError
from soundalike.types import FloatArray, Voice, VoiceSpec

#: Raised when the same recording gives another vector than before.
_VERSION = 1
#: Encoders that were trained to tell speakers apart.
MADE_FOR_VOICES = ("resemblyzer",)


class VoiceEncoder:
    """Turns recordings into vectors of voices.

    Parameters
    ----------
    encoder : Encoder
        One network that takes samples at 16 kHz.
    decoding : IsolatedDecoding, optional
        Decoding processes; by default the shared ones of this program.

    Raises
    ------
    ParameterError
        The encoder has several networks or takes another rate.
    """

    def __init__(self, encoder: Encoder, decoding: IsolatedDecoding | None = None) -> None:
        self._network = only_network(encoder)
        rate_hz = self._network.layout.sample_rate_hz
        if rate_hz != SPEECH_RATE_HZ:
            raise ParameterError(
                f"the encoder {encoder.name} takes samples at {rate_hz} Hz; speakers need one that "
                f"takes {SPEECH_RATE_HZ} Hz, like resemblyzer"
            )
        self.encoder = encoder
        self.spec = voice_spec(encoder)
        self._decoding = decoding

    def voice_in(self, source: AudioSource) -> Voice:
        """Return the voice in a recording.

        Raises
        ------
        TooLittleSpeech
            There is less than a second of speech.
        AudioError
            The recording cannot be used.
        """
        speech = (self._decoding or shared()).run(cut_speech, source)
        return self.voice_of(speech)

    def voice_of(self, speech: Speech) -> Voice:
        """Return the voice in speech."""
        vector = speech_vector(speech.samples, self._network)
        return Voice(vector, speech.speech_s, speech.duration_s, speech.warnings)


def open_voice_encoder(settings: Settings, decoding: IsolatedDecoding | None = None) -> VoiceEncoder:
    """Load the encoder of voices.

    Raises
    ------
    WeightsMissing
        It is not installed.
    ModelError, ParameterError
        As for `soundalike.encoders.choice.load_encoder` and `VoiceEncoder`.
    """
    encoder = load_encoder(
        settings.speaker_model, settings.weights_dir, settings.checkpoint, precision=settings.precision
    )
    return VoiceEncoder(encoder, decoding)


def voice_spec(encoder: Encoder) -> VoiceSpec:
    """Return the specification of an encoder's voices."""
    return VoiceSpec(
        encoder.name, f"{encoder.fingerprint}+voice{_VERSION}", only_network(encoder).layout.dimension
    )


def speech_vector(samples: FloatArray, network: Network) -> FloatArray:
    """Return the mean of the network's vectors of overlapping parts of speech, of length 1.

    Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018, section 3.2.

    Parameters
    ----------
    samples : (n_samples,) float32
        Speech at the network's rate; shorter than a part it is repeated.
    network : Network
    """
    layout = network.layout
    hop = round(layout.hop_s * layout.sample_rate_hz)
    last = max(0, len(samples) - layout.n_samples)
    # The last part ends with the speech.
    starts = sorted({*range(0, last + 1, hop), last})
    vectors = normalised(embed_patches_at(samples, starts, network))
    mean: FloatArray = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return normalised(mean)
