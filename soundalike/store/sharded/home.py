"""Everything that belongs to no recording: speakers, models of what is normal, and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from soundalike.config import DEFAULT_COLLECTION
from soundalike.store.map_layouts import MapStore
from soundalike.store.normal_models import NormalStore, NormalSummary, WatchedFile, WatchEvent
from soundalike.store.sharded.sampling import HOME, ShardedSampling
from soundalike.store.voices import SpeakerStore
from soundalike.types import Candidate, Enrolment, FloatArray, Speaker, Utterance, VoiceSpec


class ShardedHome(ShardedSampling, SpeakerStore, NormalStore, MapStore):
    """The part of `ShardedStore` for what the first database keeps alone."""

    def enrol(self, name: str, utterance: Utterance, vector: FloatArray, spec: VoiceSpec) -> Enrolment:
        """Add an utterance to a speaker, who is created if missing."""
        self._claim_if_new()
        return self._shards.at(HOME, lambda home: home.enrol(name, utterance, vector, spec))

    def voice_spec(self) -> VoiceSpec | None:
        """Return the encoder of the enrolled speakers; None without speakers."""
        return self._shards.at(HOME, lambda home: home.voice_spec())

    def speakers(self) -> list[Speaker]:
        """Return all speakers, sorted by name."""
        return self._shards.at(HOME, lambda home: home.speakers())

    def utterances(self, name: str) -> list[Utterance]:
        """Return the utterances of a speaker, in the order of their enrolment."""
        return self._shards.at(HOME, lambda home: home.utterances(name))

    def candidates(
        self, vector: FloatArray, spec: VoiceSpec, *, name: str | None = None, limit: int = 3
    ) -> list[Candidate]:
        """Return the speakers with the highest scores, best first; with `name`, this one alone."""
        return self._shards.at(HOME, lambda home: home.candidates(vector, spec, name=name, limit=limit))

    def remove_speaker(self, name: str) -> list[Utterance]:
        """Delete a speaker; return the utterances, none if there was no such speaker."""
        return self._shards.at(HOME, lambda home: home.remove_speaker(name))

    def remove_utterance(self, name: str, recording_id: str) -> bool:
        """Delete an utterance, and the speaker with the last one; return whether it was enrolled."""
        return self._shards.at(HOME, lambda home: home.remove_utterance(name, recording_id))

    def is_utterance(self, uri: str) -> bool:
        """Return whether a path is that of an enrolled utterance."""
        return self._shards.at(HOME, lambda home: home.is_utterance(uri))

    def normal_models(self) -> list[NormalSummary]:
        """Return all models without their vectors, sorted by name."""
        return self._shards.at(HOME, lambda home: home.normal_models())

    def normal_model(self, name: str) -> tuple[NormalSummary, bytes]:
        """Return a model."""
        return self._shards.at(HOME, lambda home: home.normal_model(name))

    def save_normal_model(
        self, name: str, model: bytes, summary: Mapping[str, Any], *, version: int | None
    ) -> bool:
        """Store a model; return False, without a change, if another process was faster."""
        self._claim_if_new()
        return self._shards.at(
            HOME, lambda home: home.save_normal_model(name, model, summary, version=version)
        )

    def remove_normal_model(self, name: str) -> bool:
        """Delete a model with its watched recordings; return whether it existed."""
        return self._shards.at(HOME, lambda home: home.remove_normal_model(name))

    def put_watch_event(self, event: WatchEvent) -> bool:
        """Store the score of a file; return False, without a change, if it has one."""
        return self._shards.at(HOME, lambda home: home.put_watch_event(event))

    def watched(self, name: str, files: Sequence[WatchedFile]) -> set[WatchedFile]:
        """Return the files among these that have a score."""
        return self._shards.at(HOME, lambda home: home.watched(name, files))

    def rename_watched(self, name: str, file: WatchedFile, uri: str) -> bool:
        """Note that a file has another path; return False, without a change, if it has no score."""
        return self._shards.at(HOME, lambda home: home.rename_watched(name, file, uri))

    def watch_events(
        self,
        name: str,
        *,
        since: datetime | None = None,
        only_anomalous: bool = False,
        limit: int = 100,
    ) -> list[WatchEvent]:
        """Return events, the latest first."""
        return self._shards.at(
            HOME,
            lambda home: home.watch_events(
                name, since=since, only_anomalous=only_anomalous, limit=limit
            ),
        )

    def untold_events(self, name: str) -> list[WatchEvent]:
        """Return anomalous events that the hooks have not been told, the earliest first."""
        return self._shards.at(HOME, lambda home: home.untold_events(name))

    def mark_told(self, event: WatchEvent) -> None:
        """Note that the hooks were told an event."""
        self._shards.at(HOME, lambda home: home.mark_told(event))

    def map_layout(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bytes | None:
        """Return the layout of a map; None if there is none."""
        return self._shards.at(HOME, lambda home: home.map_layout(name, collection=collection))

    def save_map_layout(self, name: str, layout: bytes, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Store the layout of a map in place of an earlier one."""
        self._shards.at(HOME, lambda home: home.save_map_layout(name, layout, collection=collection))

    def _claim_if_new(self) -> None:
        """Record which databases belong together, before the first one creates its tables."""
        if not self._shards.is_claimed(HOME):
            self._shards.claim()
