"""Speakers in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from soundalike.store.base import as_id
from soundalike.store.voices import (
    SpeakerStore,
    best,
    check_utterance,
    check_voice,
    check_voice_spec,
    checked_name,
    speaker_not_found,
)
from soundalike.types import Candidate, Enrolment, FloatArray, Speaker, Utterance, VoiceSpec

_Enrolled = dict[str, tuple[Utterance, FloatArray]]


class MemorySpeakers(SpeakerStore):
    """The part of `soundalike.store.MemoryStore` that keeps speakers."""

    def __init__(self) -> None:
        super().__init__()
        self._voice_spec: VoiceSpec | None = None
        self._speakers: dict[str, _Enrolled] = {}

    def enrol(self, name: str, utterance: Utterance, vector: FloatArray, spec: VoiceSpec) -> Enrolment:
        """Add an utterance to a speaker; see `soundalike.store.voices.SpeakerStore.enrol`."""
        name = checked_name(name)
        check_utterance(utterance)
        check_voice(vector, spec)
        check_voice_spec(self._voice_spec, spec)
        self._voice_spec = spec
        enrolled = self._speakers.setdefault(name, {})
        known = enrolled.get(utterance.recording_id)
        if known is None:
            added = replace(utterance, enrolled_at=datetime.now(UTC))
            enrolled[utterance.recording_id] = added, vector
            return "added"
        if known[0].uri == utterance.uri:
            return "unchanged"
        enrolled[utterance.recording_id] = replace(known[0], uri=utterance.uri), known[1]
        return "updated"

    def voice_spec(self) -> VoiceSpec | None:
        """Return the encoder of the enrolled speakers; None without speakers."""
        return self._voice_spec

    def speakers(self) -> list[Speaker]:
        """Return all speakers, sorted by name."""
        return [_summary(name, self._speakers[name]) for name in sorted(self._speakers)]

    def utterances(self, name: str) -> list[Utterance]:
        """Return the utterances of a speaker, in the order of their enrolment."""
        name = checked_name(name)
        if name not in self._speakers:
            raise speaker_not_found(name)
        return [utterance for utterance, _ in self._speakers[name].values()]

    def candidates(
        self, vector: FloatArray, spec: VoiceSpec, *, name: str | None = None, limit: int = 3
    ) -> list[Candidate]:
        """Return the speakers with the highest scores; see `soundalike.store.voices.SpeakerStore`."""
        name = None if name is None else checked_name(name)
        check_voice(vector, spec)
        check_voice_spec(self._voice_spec, spec)
        if name is not None and name not in self._speakers:
            raise speaker_not_found(name)
        wanted = self._speakers if name is None else [name]
        return best([Candidate(one, self._score(one, vector)) for one in wanted], limit)

    def _score(self, name: str, vector: FloatArray) -> float:
        mean = np.mean([own for _, own in self._speakers[name].values()], axis=0, dtype=np.float64)
        length = np.linalg.norm(mean) * np.linalg.norm(vector.astype(np.float64))
        return float(mean @ vector / length) if length > 0 else 0.0

    def remove_speaker(self, name: str) -> list[Utterance]:
        """Delete a speaker; return the utterances, none if there was no such speaker."""
        enrolled = self._speakers.pop(checked_name(name), {})
        self._forget()
        return [utterance for utterance, _ in enrolled.values()]

    def remove_utterance(self, name: str, recording_id: str) -> bool:
        """Delete an utterance, and the speaker with the last one; return whether it was enrolled."""
        enrolled = self._speakers.get(checked_name(name), {})
        is_removed = enrolled.pop(as_id(recording_id) or "", None) is not None
        self._forget()
        return is_removed

    def is_utterance(self, uri: str) -> bool:
        """Return whether a path is that of an enrolled utterance."""
        return any(
            utterance.uri == uri
            for enrolled in self._speakers.values()
            for utterance, _ in enrolled.values()
        )

    def forget_speakers(self) -> None:
        """Delete all speakers."""
        self._speakers.clear()
        self._forget()

    def _forget(self) -> None:
        """Delete speakers without utterances, and the encoder once no speaker is left."""
        self._speakers = {name: enrolled for name, enrolled in self._speakers.items() if enrolled}
        if not self._speakers:
            self._voice_spec = None


def _summary(name: str, enrolled: _Enrolled) -> Speaker:
    utterances = [utterance for utterance, _ in enrolled.values()]
    first = min(utterance.enrolled_at for utterance in utterances if utterance.enrolled_at)
    return Speaker(name, len(utterances), sum(one.speech_s for one in utterances), first)
