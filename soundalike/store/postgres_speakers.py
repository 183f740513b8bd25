"""Speakers in PostgreSQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from soundalike.store.base import as_id
from soundalike.store.connection import Cursor
from soundalike.store.reading import PostgresReader
from soundalike.store.schema import ensure_schema, has_schema, lock_schema
from soundalike.store.voices import (
    SpeakerStore,
    check_utterance,
    check_voice,
    check_voice_spec,
    checked_name,
    speaker_not_found,
)
from soundalike.types import Candidate, Enrolment, FloatArray, Speaker, Utterance, VoiceSpec


class PostgresSpeakers(PostgresReader, SpeakerStore):
    """The part of `soundalike.store.PostgresStore` that keeps speakers; thread-safe."""

    def enrol(self, name: str, utterance: Utterance, vector: FloatArray, spec: VoiceSpec) -> Enrolment:
        """Add an utterance to a speaker; see `soundalike.store.voices.SpeakerStore.enrol`."""
        name = checked_name(name)
        check_utterance(utterance)
        check_voice(vector, spec)

        def work(cursor: Cursor) -> Enrolment:
            if not has_schema(cursor):
                lock_schema(cursor)
                ensure_schema(cursor, spec.dimension)
            cursor.execute(self._sql["lock_speakers"])
            check_voice_spec(self._voice_spec(cursor), spec)
            cursor.execute(self._sql["put_voice_encoder"], asdict(spec))
            cursor.execute(self._sql["put_speaker"], {"name": name})
            cursor.execute(self._sql["find_speaker"], {"name": name})
            ((speaker,),) = cursor.fetchall()
            return self._put(cursor, speaker, utterance, vector)

        return self._run(work)

    def _put(self, cursor: Cursor, speaker: int, utterance: Utterance, vector: FloatArray) -> Enrolment:
        names = {"speaker": speaker, **asdict(utterance), "vector": _text(vector)}
        cursor.execute(self._sql["uri_of_utterance"], names)
        known = cursor.fetchone()
        if known == (utterance.uri,):
            return "unchanged"
        cursor.execute(self._sql["put_utterance"], names)
        return "updated" if known else "added"

    def voice_spec(self) -> VoiceSpec | None:
        """Return the encoder of the enrolled speakers; None without speakers."""
        return self._with_schema(self._voice_spec, None, reads=True)

    def speakers(self) -> list[Speaker]:
        """Return all speakers, sorted by name."""

        def work(cursor: Cursor) -> list[Speaker]:
            cursor.execute(self._sql["list_speakers"])
            return [Speaker(*row) for row in cursor.fetchall()]

        return self._with_schema(work, [], reads=True)

    def utterances(self, name: str) -> list[Utterance]:
        """Return the utterances of a speaker, in the order of their enrolment."""
        name = checked_name(name)
        none: list[Utterance] = []
        found = self._with_schema(lambda cursor: self._utterances(cursor, name), none, reads=True)
        if not found:
            raise speaker_not_found(name)
        return found

    def candidates(
        self, vector: FloatArray, spec: VoiceSpec, *, name: str | None = None, limit: int = 3
    ) -> list[Candidate]:
        """Return the speakers with the highest scores; see `soundalike.store.voices.SpeakerStore`."""
        name = None if name is None else checked_name(name)
        check_voice(vector, spec)

        def work(cursor: Cursor) -> list[Candidate]:
            check_voice_spec(self._voice_spec(cursor), spec)
            names = {"vector": _text(vector), "name": name, "limit": limit}
            cursor.execute(self._sql["score_speakers"], names)
            return [Candidate(*row) for row in cursor.fetchall()]

        none: list[Candidate] = []
        found = self._with_schema(work, none, reads=True)
        if name is not None and not found:
            raise speaker_not_found(name)
        return found

    def remove_speaker(self, name: str) -> list[Utterance]:
        """Delete a speaker; return the utterances, none if there was no such speaker."""
        name = checked_name(name)

        def work(cursor: Cursor) -> list[Utterance]:
            cursor.execute(self._sql["lock_speakers"])
            found = self._utterances(cursor, name)
            cursor.execute(self._sql["remove_speaker"], {"name": name})
            cursor.execute(self._sql["forget_voice_encoder"])
            return found

        return self._with_schema(work, [])

    def remove_utterance(self, name: str, recording_id: str) -> bool:
        """Delete an utterance, and the speaker with the last one; return whether it was enrolled."""
        names = {"name": checked_name(name), "recording_id": as_id(recording_id)}

        def work(cursor: Cursor) -> bool:
            cursor.execute(self._sql["lock_speakers"])
            cursor.execute(self._sql["remove_utterance"], names)
            is_removed = cursor.rowcount > 0
            cursor.execute(self._sql["forget_silent_speakers"])
            cursor.execute(self._sql["forget_voice_encoder"])
            return is_removed

        return self._with_schema(work, False)

    def is_utterance(self, uri: str) -> bool:
        """Return whether a path is that of an enrolled utterance."""

        def work(cursor: Cursor) -> bool:
            cursor.execute(self._sql["is_utterance"], {"uri": uri})
            return cursor.fetchone() == (True,)

        return self._with_schema(work, False)

    def _voice_spec(self, cursor: Cursor) -> VoiceSpec | None:
        cursor.execute(self._sql["voice_encoder"])
        row = cursor.fetchone()
        return VoiceSpec(*row) if row else None

    def _utterances(self, cursor: Cursor, name: str) -> list[Utterance]:
        cursor.execute(self._sql["list_utterances"], {"name": name})
        return [Utterance(*row) for row in cursor.fetchall()]


def _text(vector: FloatArray) -> Any:
    """Return a vector as pgvector reads it, exact for float32."""
    return "[" + ",".join(map(repr, vector.astype(float).tolist())) + "]"
