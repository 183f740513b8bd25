"""Enrol, identify and verify speakers with a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from soundalike.audio.sources import recording_id_of, resolve_path, uri_of
from soundalike.faults import recording_error
from soundalike.speakers.judging import identify_voice, verify_voice
from soundalike.speakers.requests import Acceptance
from soundalike.speakers.values import (
    EnrolmentResult,
    Identification,
    Verification,
    failed_enrolment,
)
from soundalike.speakers.voice import VoiceEncoder
from soundalike.store.voices import SpeakerStore, checked_name
from soundalike.types import Utterance

_ANY = Acceptance()


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
