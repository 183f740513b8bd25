"""Speakers and their utterances: checks, and the interface of stores that keep them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from soundalike.errors import (
    DimensionMismatch,
    InvalidSamples,
    ModelMismatch,
    ParameterError,
    SpeakerNotFound,
)
from soundalike.store.base import checked_id, is_storable
from soundalike.types import (
    Candidate,
    Enrolment,
    FloatArray,
    Speaker,
    Utterance,
    VoiceSpec,
)

MAX_NAME = 100
#: Words that addresses of the service use in the place of a name.
RESERVED_NAMES = ("identify",)


class SpeakerStore(Protocol):
    """Stores speakers; all have one encoder. Every call is one transaction."""

    def enrol(self, name: str, utterance: Utterance, vector: FloatArray, spec: VoiceSpec) -> Enrolment:
        """Add an utterance to a speaker, who is created if missing.

        Parameters
        ----------
        name : str
        utterance : Utterance
            The same recording again changes at most its path.
        vector : (spec.dimension,) float32
        spec : VoiceSpec
            The first enrolment sets the encoder.

        Raises
        ------
        ModelMismatch
            Speakers were enrolled with another encoder.
        ParameterError, DimensionMismatch, InvalidSamples
            The name, the utterance or the vector cannot be stored.
        """
        ...

    def voice_spec(self) -> VoiceSpec | None:
        """Return the encoder of the enrolled speakers; None without speakers."""
        ...

    def speakers(self) -> list[Speaker]:
        """Return all speakers, sorted by name."""
        ...

    def utterances(self, name: str) -> list[Utterance]:
        """Return the utterances of a speaker, in the order of their enrolment.

        Raises
        ------
        SpeakerNotFound
            There is no speaker of this name.
        """
        ...

    def candidates(
        self, vector: FloatArray, spec: VoiceSpec, *, name: str | None = None, limit: int = 3
    ) -> list[Candidate]:
        """Return the speakers with the highest scores, best first; with `name`, this one alone.

        Raises
        ------
        ModelMismatch
            Speakers were enrolled with another encoder.
        SpeakerNotFound
            There is no speaker of this name.
        """
        ...

    def remove_speaker(self, name: str) -> list[Utterance]:
        """Delete a speaker; return the utterances, none if there was no such speaker."""
        ...

    def remove_utterance(self, name: str, recording_id: str) -> bool:
        """Delete an utterance, and the speaker with the last one; return whether it was enrolled."""
        ...

    def is_utterance(self, uri: str) -> bool:
        """Return whether a path is that of an enrolled utterance."""
        ...


def checked_name(name: str) -> str:
    """Return a speaker's name in its stored form.

    Raises
    ------
    ParameterError
        It is empty, too long, reserved, or has characters that cannot be printed or that separate parts
        of an address.

    Examples
    --------
    >>> checked_name("  Ann Example ")
    'Ann Example'
    """
    found = unicodedata.normalize("NFC", name).strip()
    is_usable = found.isprintable() and "/" not in found and is_storable(found)
    if not found or len(found) > MAX_NAME or not is_usable or found in (*RESERVED_NAMES, ".", ".."):
        raise ParameterError(
            f"the name of the speaker is {name[:MAX_NAME]!r}; give 1 to {MAX_NAME} printable characters "
            f"without '/', other than {', '.join(map(repr, RESERVED_NAMES))}"
        )
    return found


def check_voice_spec(stored: VoiceSpec | None, given: VoiceSpec) -> None:
    """Raise `ModelMismatch` unless vectors of both are comparable."""
    if stored is not None and stored != given:
        raise ModelMismatch(
            f"the speakers were enrolled with {stored.describe()}, this request uses "
            f"{given.describe()}; use the encoder of the speakers "
            f"(SOUNDALIKE_SPEAKER_MODEL={stored.encoder}), or remove them and enrol them again: "
            "soundalike speakers remove --all"
        )


def check_voice(vector: FloatArray, spec: VoiceSpec) -> None:
    """Raise `DimensionMismatch` or `InvalidSamples` unless a vector is one of the encoder's."""
    if vector.shape != (spec.dimension,):
        raise DimensionMismatch(
            f"the vector of the voice has shape {vector.shape}, the encoder {spec.encoder} gives "
            f"({spec.dimension},)"
        )
    if not np.isfinite(vector).all() or not vector.any():
        raise InvalidSamples("the vector of the voice is zero or not finite; check the recording")


def check_utterance(utterance: Utterance) -> None:
    """Raise `ParameterError` unless an utterance can be stored."""
    checked_id(utterance.recording_id)
    if not utterance.uri or not is_storable(utterance.uri):
        raise ParameterError(f"the path {utterance.uri[:80]!r} cannot be stored; rename the file")
    if not 0 < utterance.speech_s <= utterance.duration_s + 1:
        raise ParameterError(
            f"speech_s is {utterance.speech_s} and duration_s is {utterance.duration_s}; the first must "
            "be above 0 and at most the second"
        )


def speaker_not_found(name: str) -> SpeakerNotFound:
    """Return the error for a speaker who is not enrolled."""
    return SpeakerNotFound(
        f"there is no speaker {name!r}; see: soundalike speakers list, or enrol one: soundalike "
        "speakers enrol NAME FILE"
    )


def best(scores: Sequence[Candidate], limit: int) -> list[Candidate]:
    """Return the candidates with the highest scores; equal ones by name."""
    return sorted(scores, key=lambda found: (-found.score, found.speaker))[:limit]
