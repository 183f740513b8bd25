"""Speakers of a running service, with the methods of this machine's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from soundalike.audio.sources import resolve_path, uri_of
from soundalike.client.connection import Connection
from soundalike.client.form import Form
from soundalike.errors import AudioError, SpeakerNotFound
from soundalike.faults import recording_error
from soundalike.speakers.requests import Acceptance
from soundalike.speakers.thresholds import Threshold
from soundalike.speakers.values import (
    EnrolmentResult,
    Identification,
    Verification,
    failed_enrolment,
)
from soundalike.types import Candidate, Speaker, Utterance, VoiceSpec

_ROOT = "/api/speakers"


class RemoteSpeakers:
    """Enrols, identifies, verifies, lists and removes speakers of a service; files are sent.

    Methods raise `ServiceError` if the service cannot be reached, or the error that it reports.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enrol(self, name: str, files: Iterable[str | Path]) -> Iterator[EnrolmentResult]:
        """Enrol recordings; see `soundalike.speakers.recognition.Recognition.enrol`."""
        for file in files:
            uri = uri_of(Path(file).absolute())
            try:
                found = self._send(f"{_path(name)}/upload", file, {})
            except AudioError as exc:
                yield failed_enrolment(uri, name, recording_error(exc, str(file)))
                continue
            with self._connection.expected_form():
                yield EnrolmentResult(**{**found, "uri": uri, "warnings": tuple(found["warnings"])})

    def identify(self, file: str | Path, acceptance: Acceptance) -> Identification:
        """Return who speaks in a recording."""
        found = self._send(f"{_ROOT}/identify/upload", file, _fields(acceptance))
        with self._connection.expected_form():
            candidates = tuple(Candidate(one["speaker"], one["score"]) for one in found["candidates"])
            return Identification(
                uri_of(resolve_path(file)),
                found["speaker"],
                found["score"],
                _threshold(found),
                candidates,
                found["speech_s"],
                found["encoder"],
                tuple(found["warnings"]),
            )

    def verify(self, file: str | Path, name: str, acceptance: Acceptance) -> Verification:
        """Return whether a speaker is the one in a recording."""
        found = self._send(f"{_path(name)}/verify/upload", file, _fields(acceptance))
        with self._connection.expected_form():
            return Verification(
                uri_of(resolve_path(file)),
                found["speaker"],
                found["accepted"],
                found["score"],
                _threshold(found),
                found["speech_s"],
                found["encoder"],
                tuple(found["warnings"]),
            )

    def voice_spec(self) -> VoiceSpec | None:
        """Return the encoder of the enrolled speakers by its name; None without speakers."""
        found = self._listed()
        with self._connection.expected_form():
            return VoiceSpec(found[0]["encoder"], "", 0) if found else None

    def speakers(self) -> list[Speaker]:
        """Return all speakers, sorted by name."""
        found = self._listed()
        with self._connection.expected_form():
            return [
                Speaker(one["name"], one["utterances"], one["speech_s"], _moment(one["enrolled_at"]))
                for one in found
            ]

    def utterances(self, name: str) -> list[Utterance]:
        """Return the utterances of a speaker."""
        found = self._connection.get(_path(name))
        with self._connection.expected_form():
            return [
                Utterance(**{**one, "enrolled_at": _moment(one["enrolled_at"])})
                for one in found["utterances"]
            ]

    def remove_speaker(self, name: str) -> int:
        """Delete a speaker; return the number of recordings, 0 if there was no such speaker."""
        try:
            found = self._connection.delete(_path(name))
        except SpeakerNotFound:
            return 0
        with self._connection.expected_form():
            return int(found["removed"])

    def remove_utterance(self, name: str, recording_id: str) -> bool:
        """Delete a recording of a speaker; return whether it was enrolled."""
        known = {one.recording_id for one in self.utterances(name)}
        if recording_id not in known:
            return False
        self._connection.delete(f"{_path(name)}/utterances/{recording_id}")
        return True

    def _listed(self) -> list[dict[str, Any]]:
        found = self._connection.get(_ROOT)
        with self._connection.expected_form():
            return list(found["speakers"])

    def _send(self, path: str, file: str | Path, fields: Mapping[str, list[str]]) -> dict[str, Any]:
        """Send a file; an error names its path here."""
        source = resolve_path(file)
        try:
            return self._connection.post(path, Form(dict(fields), [("file", source)]))
        except AudioError as exc:
            message = exc.message.replace(repr(source.name), repr(str(source)), 1)
            raise type(exc)(message) from exc


def _path(name: str) -> str:
    return f"{_ROOT}/{quote(name, safe='')}"


def _fields(acceptance: Acceptance) -> dict[str, list[str]]:
    given = {
        "max_false_accepts": acceptance.max_false_accepts,
        "threshold": acceptance.threshold,
    }
    return {name: [repr(value)] for name, value in given.items() if value is not None}


def _threshold(found: Mapping[str, Any]) -> Threshold:
    interval = found["false_accept_interval"]
    return Threshold(
        found["threshold"],
        found["false_accept_rate"],
        None if interval is None else (interval[0], interval[1]),
        found["measured_on"],
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
