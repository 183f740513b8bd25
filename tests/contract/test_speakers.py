"""Speakers and their utterances."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.errors import (
    DimensionMismatch,
    InvalidSamples,
    ModelMismatch,
    ParameterError,
    SpeakerNotFound,
)
from soundalike.types import Candidate, Utterance, VoiceSpec

if TYPE_CHECKING:
    from soundalike.store import PostgresStore, Store

SPEC = VoiceSpec("toy", "f00d", 4)


def utterance(uri: str, content: str | None = None) -> Utterance:
    return Utterance(str(uuid.uuid5(uuid.NAMESPACE_URL, content or uri)), uri, 5.0, 3.5)


def vector(*numbers: float) -> Any:
    return np.array(numbers, dtype=np.float32)


@pytest.fixture
def enrol(store: Store) -> Callable[..., str]:
    """Enrol a path under a name, with a vector."""

    def put(name: str, uri: str, *numbers: float, content: str | None = None) -> str:
        return store.enrol(name, utterance(uri, content), vector(*(numbers or (1, 0, 0, 0))), SPEC)

    return put


def test_an_empty_store_has_none(store: Store):
    assert store.speakers() == []
    assert store.voice_spec() is None
    assert store.candidates(vector(1, 0, 0, 0), SPEC) == []
    assert store.remove_speaker("Ann") == []
    assert store.remove_utterance("Ann", str(uuid.uuid4())) is False
    assert store.is_utterance("/a.wav") is False
    with pytest.raises(SpeakerNotFound, match="'Ann'"):
        store.utterances("Ann")


def test_enrolling_more_adds_and_the_same_again_changes_nothing(store: Store, enrol: Callable[..., str]):
    assert enrol("Bo", "/b.wav") == "added"
    assert enrol("Ann", "/a1.wav") == "added"
    assert enrol("Ann", "/a2.wav") == "added"
    assert enrol("Ann", "/a1.wav") == "unchanged"
    assert enrol("Ann", "/moved.wav", content="/a2.wav") == "updated"

    assert [(one.name, one.utterances, one.speech_s) for one in store.speakers()] == [
        ("Ann", 2, 7.0),
        ("Bo", 1, 3.5),
    ]
    found = store.utterances("Ann")
    assert [one.uri for one in found] == ["/a1.wav", "/moved.wav"]
    assert found[0] == replace(utterance("/a1.wav"), enrolled_at=found[0].enrolled_at)
    assert found[0].enrolled_at is not None
    assert found[0].enrolled_at.tzinfo is not None
    assert store.is_utterance("/moved.wav")
    assert not store.is_utterance("/a2.wav")
    assert store.voice_spec() == SPEC


def test_a_recording_may_belong_to_two_speakers(store: Store, enrol: Callable[..., str]):
    enrol("Ann", "/both.wav")
    assert enrol("Bo", "/both.wav") == "added"
    store.remove_speaker("Ann")
    assert store.is_utterance("/both.wav")


def test_the_score_is_the_cosine_to_the_mean_of_the_utterances(store: Store, enrol: Callable[..., str]):
    enrol("Ann", "/a1.wav", 1, 0, 0, 0)
    enrol("Ann", "/a2.wav", 0, 1, 0, 0)
    enrol("Bo", "/b.wav", 0.6, 0, 0.8, 0)
    enrol("Cy", "/c.wav", -1, 0, 0, 0)

    found = store.candidates(vector(1, 0, 0, 0), SPEC, limit=2)
    assert [one.speaker for one in found] == ["Ann", "Bo"]
    assert [one.score for one in found] == pytest.approx([0.5**0.5, 0.6], abs=1e-6)
    assert store.candidates(vector(2, 0, 0, 0), SPEC, name="Cy") == [
        Candidate("Cy", pytest.approx(-1.0))
    ]
    assert len(store.candidates(vector(1, 0, 0, 0), SPEC)) == 3
    with pytest.raises(SpeakerNotFound, match="'Di'"):
        store.candidates(vector(1, 0, 0, 0), SPEC, name="Di")


def test_equal_scores_come_by_name(store: Store, enrol: Callable[..., str]):
    for name in ("Bo", "Ann", "ann"):
        enrol(name, f"/{name}.wav")
    found = store.candidates(vector(1, 0, 0, 0), SPEC)
    assert [one.speaker for one in found] == ["Ann", "Bo", "ann"]


def test_another_encoder_is_refused_until_all_speakers_are_removed(
    store: Store, enrol: Callable[..., str]
):
    enrol("Ann", "/a.wav")
    for other in (replace(SPEC, fingerprint="beef"), replace(SPEC, encoder="other")):
        with pytest.raises(ModelMismatch, match=r"SOUNDALIKE_SPEAKER_MODEL=toy"):
            store.enrol("Ann", utterance("/b.wav"), vector(1, 0, 0, 0), other)
        with pytest.raises(ModelMismatch):
            store.candidates(vector(1, 0, 0, 0), other)
    assert [one.utterances for one in store.speakers()] == [1]

    assert [one.uri for one in store.remove_speaker("Ann")] == ["/a.wav"]
    assert store.voice_spec() is None
    other = replace(SPEC, encoder="other", dimension=2)
    assert store.enrol("Ann", utterance("/b.wav"), vector(1, 0), other) == "added"
    assert store.voice_spec() == other


def test_the_last_utterance_takes_the_speaker_along(store: Store, enrol: Callable[..., str]):
    enrol("Ann", "/a1.wav")
    enrol("Ann", "/a2.wav")
    first, second = (one.recording_id for one in store.utterances("Ann"))
    assert store.remove_utterance("Ann", first) is True
    assert store.remove_utterance("Ann", first) is False
    assert store.remove_utterance("Ann", "no id") is False
    assert [one.utterances for one in store.speakers()] == [1]
    assert store.remove_utterance("Ann", second.upper()) is True
    assert store.speakers() == []
    assert store.voice_spec() is None


@pytest.mark.parametrize(
    "name", ["", "  ", "a/b", "a\nb", "a\0b", "x" * 101, "identify", ".", "..", "\ud800"]
)
def test_names_that_are_refused(store: Store, enrol: Callable[..., str], name: str):
    with pytest.raises(ParameterError, match="the name of the speaker is"):
        enrol(name, "/a.wav")
    with pytest.raises(ParameterError, match="the name of the speaker is"):
        store.utterances(name)
    assert store.speakers() == []


def test_a_name_is_the_same_in_every_spelling_of_its_letters(store: Store, enrol: Callable[..., str]):
    enrol("Jose\u0301", "/a.wav")
    enrol(" Jos\u00e9 ", "/b.wav")
    assert [(one.name, one.utterances) for one in store.speakers()] == [("José", 2)]
    assert len(store.remove_speaker("Jose\u0301")) == 2


def test_vectors_and_utterances_that_are_refused(store: Store):
    good = utterance("/a.wav")
    with pytest.raises(DimensionMismatch):
        store.enrol("Ann", good, vector(1, 0), SPEC)
    for numbers in ((0, 0, 0, 0), (1, np.nan, 0, 0), (np.inf, 0, 0, 0)):
        with pytest.raises(InvalidSamples):
            store.enrol("Ann", good, vector(*numbers), SPEC)
        with pytest.raises(InvalidSamples):
            store.candidates(vector(*numbers), SPEC)
    for bad in (
        replace(good, recording_id="1"),
        replace(good, uri=""),
        replace(good, uri="a\0b"),
        replace(good, speech_s=0.0),
        replace(good, speech_s=9.0),
    ):
        with pytest.raises(ParameterError):
            store.enrol("Ann", bad, vector(1, 0, 0, 0), SPEC)
    assert store.speakers() == []
    assert store.voice_spec() is None


def test_a_reset_takes_the_speakers_along(store: Store, enrol: Callable[..., str]):
    enrol("Ann", "/a.wav")
    store.reset()
    assert store.speakers() == []
    assert enrol("Ann", "/a.wav") == "added"


def test_collections_and_speakers_do_not_touch_each_other(
    store: Store, enrol: Callable[..., str], collection: Any
):
    enrol("Ann", "/a.wav")
    collection.add("/a.wav")
    assert store.delete("/a.wav") == 1
    assert store.drop_collection("default") is True
    assert [one.name for one in store.speakers()] == ["Ann"]


def test_processes_enrol_at_the_same_time(connect_store: Callable[..., PostgresStore]):
    """Each has its own connection, and the first of them creates the tables."""
    stores = [connect_store() for _ in range(4)]

    def put(number: int) -> str:
        name = f"speaker {number % 3}"
        content = utterance(f"/{number // 2}.wav")
        return stores[number % 4].enrol(name, content, vector(1, number, 0, 0), SPEC)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(put, range(24)))
    assert outcomes == ["added"] * 24
    assert sum(one.utterances for one in stores[0].speakers()) == 24


def test_one_encoder_wins_where_two_begin_at_once(connect_store: Callable[..., PostgresStore]):
    """In the first round they create the tables as well, which has a lock of its own."""
    stores = [connect_store() for _ in range(4)]

    def put(number: int) -> str:
        spec = replace(SPEC, fingerprint=str(number))
        begin.wait()
        try:
            return stores[number].enrol("Ann", utterance(f"/{number}.wav"), vector(1, 0, 0, 0), spec)
        except ModelMismatch:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            begin = Barrier(4)
            outcomes = sorted(pool.map(put, range(4)))
            assert outcomes == ["added", "refused", "refused", "refused"]
            assert len(stores[0].remove_speaker("Ann")) == 1
