"""Enrol, identify and verify speakers with a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from soundalike.audio.sources import recording_id_of, resolve_path, uri_of
from soundalike.errors import SoundalikeError, SpeakerNotFound
from soundalike.faults import recording_error
from soundalike.speakers.requests import Acceptance
from soundalike.speakers.thresholds import Threshold, threshold_for
from soundalike.speakers.voice import Voice, VoiceEncoder
from soundalike.store.voices import (
    Candidate,
    Enrolment,
    SpeakerStore,
    Utterance,
    VoiceSpec,
    checked_name,
)

_MOST_CANDIDATES = 3
_ANY = Acceptance()


@dataclass(frozen=True, slots=True)
class EnrolmentResult:
    """What became of a recording that was to be enrolled.

    Attributes
    ----------
    uri : str
        Absolute path.
    speaker : str
    outcome : str
        ``added``, ``unchanged``, ``updated`` or ``failed``.
    recording_id : str or None
        None if it failed.
    speech_s : float
        Seconds of speech.
    warnings : tuple of str
        Damage that did not stop the decoding.
    error_code, error : str or None
        Set if it failed.
    """

    uri: str
    speaker: str
    outcome: Enrolment | Literal["failed"]
    recording_id: str | None = None
    speech_s: float = 0.0
    warnings: tuple[str, ...] = ()
    error_code: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Identification:
    """Who speaks in a recording.

    Attributes
    ----------
    uri : str
    speaker : str or None
        None if no enrolled speaker has a score of at least the threshold.
    score : float
        Of the best candidate.
    threshold : Threshold
    candidates : tuple of Candidate
        The best three.
    speech_s : float
        Seconds of speech.
    encoder : str
        Name of the encoder.
    warnings : tuple of str
        Damage that did not stop the decoding.
    """

    uri: str
    speaker: str | None
    score: float
    threshold: Threshold
    candidates: tuple[Candidate, ...]
    speech_s: float
    encoder: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a speaker is the one in a recording.

    Attributes
    ----------
    uri : str
    speaker : str
        The claimed one.
    accepted : bool
    score : float
    threshold : Threshold
    speech_s : float
        Seconds of speech.
    encoder : str
        Name of the encoder.
    warnings : tuple of str
        Damage that did not stop the decoding.
    """

    uri: str
    speaker: str
    accepted: bool
    score: float
    threshold: Threshold
    speech_s: float
    encoder: str
    warnings: tuple[str, ...] = ()


class Recognition:
    """Enrols, identifies and verifies speakers.

    Parameters
    ----------
    store : SpeakerStore
    encoder : VoiceEncoder
    """

    def __init__(self, store: SpeakerStore, encoder: VoiceEncoder) -> None:
        self.store = store
        self.encoder = encoder

    def enrol(self, name: str, files: Iterable[str | Path]) -> Iterator[EnrolmentResult]:
        """Enrol recordings of a speaker, and yield their results in order.

        A recording that cannot be used yields a ``failed`` result, and the rest goes on.

        Raises
        ------
        ParameterError
            The name cannot be used.
        ModelMismatch
            Speakers were enrolled with another encoder.
        StoreError, ModelError
            The database or the encoder cannot be used; the yielded results are stored.
        """
        name = checked_name(name)
        for file in files:
            try:
                yield self._enrol_one(name, resolve_path(file))
            except Exception as exc:
                yield failed_enrolment(
                    uri_of(Path(file).absolute()), name, recording_error(exc, str(file))
                )

    def _enrol_one(self, name: str, path: Path) -> EnrolmentResult:
        recording_id = recording_id_of(path)
        voice = self.encoder.voice_in(path)
        utterance = Utterance(recording_id, uri_of(path), voice.duration_s, voice.speech_s)
        outcome = self.store.enrol(name, utterance, voice.vector, self.encoder.spec)
        return EnrolmentResult(
            utterance.uri, name, outcome, recording_id, round(voice.speech_s, 3), voice.warnings
        )

    def identify(self, file: str | Path, acceptance: Acceptance = _ANY) -> Identification:
        """Return who speaks in a recording.

        Raises
        ------
        SpeakerNotFound
            No speakers are enrolled.
        AudioError, ModelMismatch, ParameterError
            The recording or the encoder cannot be used, or no threshold was measured.
        """
        path = resolve_path(file)
        voice = self.encoder.voice_in(path)
        return identify_voice(self.store, voice, self.encoder.spec, acceptance, uri=uri_of(path))

    def verify(self, file: str | Path, name: str, acceptance: Acceptance = _ANY) -> Verification:
        """Return whether a speaker is the one in a recording; raises the errors of `identify`."""
        path = resolve_path(file)
        # A wrong name is found before anything is decoded.
        self.store.utterances(name)
        voice = self.encoder.voice_in(path)
        return verify_voice(self.store, voice, self.encoder.spec, name, acceptance, uri=uri_of(path))


def failed_enrolment(uri: str, name: str, error: SoundalikeError) -> EnrolmentResult:
    """Return the result of a recording that cannot be enrolled."""
    return EnrolmentResult(uri, name, "failed", error_code=error.code, error=error.message)


def identify_voice(
    store: SpeakerStore, voice: Voice, spec: VoiceSpec, acceptance: Acceptance = _ANY, *, uri: str = ""
) -> Identification:
    """Return who has a voice; see `Recognition.identify`."""
    found = store.candidates(voice.vector, spec, limit=_MOST_CANDIDATES)
    if not found:
        raise SpeakerNotFound("no speakers are enrolled; enrol one: soundalike speakers enrol NAME FILE")
    threshold = threshold_for(spec.encoder, acceptance, len(store.speakers()))
    first = found[0]
    return Identification(
        uri,
        first.speaker if threshold.accepts(first.score) else None,
        first.score,
        threshold,
        tuple(found),
        round(voice.speech_s, 3),
        spec.encoder,
        voice.warnings,
    )


def verify_voice(
    store: SpeakerStore,
    voice: Voice,
    spec: VoiceSpec,
    name: str,
    acceptance: Acceptance = _ANY,
    *,
    uri: str = "",
) -> Verification:
    """Return whether a speaker has a voice; see `Recognition.verify`."""
    threshold = threshold_for(spec.encoder, acceptance)
    (found,) = store.candidates(voice.vector, spec, name=name)
    return Verification(
        uri,
        found.speaker,
        threshold.accepts(found.score),
        found.score,
        threshold,
        round(voice.speech_s, 3),
        spec.encoder,
        voice.warnings,
    )
