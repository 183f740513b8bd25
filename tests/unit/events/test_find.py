"""Every occurrence of a sound in real recordings: in sound that is read again, and in vectors alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.errors import IndexEmpty, ModelMismatch, ParameterError, SilentQuery
from soundalike.events.find import find_events
from soundalike.events.listening import Listener
from soundalike.events.requests import EventsRequest
from soundalike.events.types import Event, event_from_json, event_to_json
from soundalike.filters import Filters
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.scores.event_model import FalseAlarms
from soundalike.search.queries import Query
from soundalike.store import MemoryStore
from soundalike.types import Recording
from tests.fixtures.planted import CALL_S, CALLS_S, OTHERS_S, RATE_HZ, call, knock, noise, with_sounds

NIGHT = datetime(2025, 5, 1, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]) -> Path:
    """Write a night with four calls and two knocks, a night without any, and the query."""
    folder = tmp_path_factory.mktemp("nights")
    sounds = {at: call() for at in CALLS_S} | {at: knock() for at in OTHERS_S}
    write_wav(folder / "night.wav", with_sounds(60.0, sounds))
    write_wav(folder / "quiet.wav", noise(60.0, 5))
    silence = np.zeros(RATE_HZ, np.float32)
    write_wav(folder / "query" / "call.wav", np.concatenate([silence, call(), silence]))
    write_wav(folder / "query" / "silent.wav", np.zeros(3 * RATE_HZ, np.float32))
    write_wav(folder / "query" / "long.wav", with_sounds(90.0, {10.0: call()}, seed=8))
    return folder


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    pipeline = Pipeline(MemoryStore(), Modulation(), WindowPlan())
    starts = {"night.wav": NIGHT, "quiet.wav": NIGHT - timedelta(hours=1)}
    items = [IndexItem(str(folder / name), recorded_at=at) for name, at in starts.items()]
    assert {result.outcome for result in pipeline.index(items)} == {"added"}
    return pipeline


def find(pipeline: Pipeline, query: Query, *, listens: bool = True, **options: Any) -> list[Event]:
    request = EventsRequest(query, **options)
    listener = Listener(pipeline.encoder, shared()) if listens else None
    return list(find_events(pipeline.store, pipeline.embedded(query), request, listener=listener))


@pytest.fixture
def query(folder: Path) -> Query:
    return Query(folder / "query" / "call.wav")


def test_calls_are_found_at_their_begin_and_end(pipeline: Pipeline, query: Query, folder: Path):
    events = find(pipeline, query, min_score=0.6)
    assert [event.start_s for event in events] == pytest.approx(list(CALLS_S), abs=0.1)
    assert [event.end_s for event in events] == pytest.approx([at + CALL_S for at in CALLS_S], abs=0.1)
    assert {event.recording.uri for event in events} == {str(folder / "night.wav")}
    assert events[0].occurred_at == NIGHT + timedelta(seconds=events[0].start_s)
    # The silence around the query is not part of it.
    assert (events[0].query_start_s, events[0].query_end_s) == pytest.approx((1.0, 2.2), abs=0.06)


@pytest.mark.parametrize("reread_s", [1800.0, 0.0])
def test_noise_around_the_query_moves_no_begin(
    pipeline: Pipeline, folder: Path, write_wav: Callable[..., Path], reread_s: float
):
    path = write_wav(folder / "query" / "noisy.wav", with_sounds(3.2, {1.0: call()}, seed=77))
    events = find(pipeline, Query(path), max_per_recording=len(CALLS_S), reread_s=reread_s)
    night = [event for event in events if event.recording.uri == str(folder / "night.wav")]
    tolerance_s = 0.1 if reread_s else 1.0
    assert [event.start_s for event in night] == pytest.approx(list(CALLS_S), abs=tolerance_s)
    if reread_s:
        asked = (night[0].query_start_s, night[0].query_end_s)
        assert asked == pytest.approx((1.0, 2.2), abs=0.1)


def test_other_sounds_score_less_and_noise_alone_has_no_event(pipeline: Pipeline, query: Query):
    events = find(pipeline, query, min_score=-1.0, order="score")
    best = sorted(event.start_s for event in events[: len(CALLS_S)])
    assert best == pytest.approx(list(CALLS_S), abs=0.1)
    assert events[len(CALLS_S)].score < events[len(CALLS_S) - 1].score - 0.2
    default = find(pipeline, query)
    assert not [event for event in default if event.recording.uri.endswith("quiet.wav")]


def test_events_come_in_order_of_time_or_score(pipeline: Pipeline, query: Query):
    in_time = find(pipeline, query, min_score=-1.0)
    keys = [(event.recording.recorded_at, event.start_s) for event in in_time]
    assert keys == sorted(keys)
    by_score = find(pipeline, query, min_score=-1.0, order="score")
    scores = [event.score for event in by_score]
    assert scores == sorted(scores, reverse=True)
    assert len(by_score) == len(in_time)
    assert find(pipeline, query, min_score=-1.0, order="score", limit=2) == by_score[:2]
    assert find(pipeline, query, min_score=-1.0, limit=2) == in_time[:2]


def test_at_most_so_many_of_a_recording_the_best(pipeline: Pipeline, query: Query):
    best = find(pipeline, query, min_score=-1.0, order="score")[0]
    (found,) = find(pipeline, query, min_score=0.6, max_per_recording=1)
    assert found == best


def test_short_events_are_left_out(pipeline: Pipeline, query: Query):
    assert len(find(pipeline, query, min_score=0.6, min_duration_s=1.0)) == len(CALLS_S)
    assert not find(pipeline, query, min_score=0.6, min_duration_s=1.5)


def test_events_are_joined_over_a_gap(folder: Path, write_wav: Callable[..., Path]):
    samples = with_sounds(40.0, {10.0: call(), 10.0 + CALL_S + 1.0: call()})
    path = write_wav(folder / "pairs" / "pair.wav", samples)
    pipeline = Pipeline(MemoryStore(), Modulation(), WindowPlan())
    list(pipeline.index([IndexItem(str(path))]))
    query = Query(folder / "query" / "call.wav")

    (joined,) = find(pipeline, query, min_score=0.3, gap_s=1.3)
    assert (joined.start_s, joined.end_s) == pytest.approx((10.0, 13.4), abs=0.15)
    apart = find(pipeline, query, min_score=0.3, gap_s=0.5)
    assert [event.start_s for event in apart] == pytest.approx([10.0, 12.2], abs=0.15)


def test_filters_and_one_recording_narrow_the_search(pipeline: Pipeline, query: Query):
    since = NIGHT + timedelta(seconds=30)
    later = find(pipeline, query, min_score=0.6, filters=Filters(since=since))
    assert [event.start_s for event in later] == pytest.approx([33.7, 50.2], abs=0.1)
    quiet = next(f for f in pipeline.store.files() if f.uri.endswith("quiet.wav"))
    assert not find(pipeline, query, min_score=0.6, recording=quiet.recording_id)
    assert not find(pipeline, query, min_score=0.6, filters=Filters(uri_prefix="/other/"))


def test_a_stored_recording_is_a_query_and_can_leave_itself_out(pipeline: Pipeline):
    night = next(f for f in pipeline.store.files() if f.uri.endswith("night.wav"))
    part = Query(recording_id=night.recording_id, excerpt=Excerpt(8.0, 10.0))
    events = find(pipeline, part, min_score=0.6)
    assert [event.start_s for event in events] == pytest.approx(list(CALLS_S), abs=0.1)
    assert not find(pipeline, part, min_score=0.6, exclude_self=True)


def test_without_the_sound_the_stored_vectors_decide(pipeline: Pipeline, query: Query):
    events = find(pipeline, query, listens=False, order="score", min_score=0.1)
    # A call that lies across a second's edge may be missed; the vectors are of whole seconds.
    near = [min(CALLS_S, key=lambda at: abs(at - event.start_s)) for event in events]
    assert len(set(near)) >= len(CALLS_S) - 1
    assert [event.start_s for event in events] == pytest.approx(near, abs=1.0)
    same = find(pipeline, query, order="score", min_score=0.1, reread_s=0.0)
    assert same == events


def test_a_file_that_is_changed_or_gone_is_searched_by_its_vectors(
    tmp_path: Path, write_wav: Callable[..., Path], query: Query
):
    calls = {at: call() for at in CALLS_S}
    path = write_wav(tmp_path / "night.wav", with_sounds(60.0, calls))
    # Not just now: the file might have changed again with the same time stamp.
    os.utime(path, (1e9, 1e9))
    pipeline = Pipeline(MemoryStore(), Modulation(), WindowPlan())
    list(pipeline.index([IndexItem(str(path))]))
    by_vectors = find(pipeline, query, listens=False, min_score=0.1)
    assert find(pipeline, query, min_score=0.1) != by_vectors

    write_wav(path, with_sounds(60.0, {at + 1.0: sound for at, sound in calls.items()}))
    assert find(pipeline, query, min_score=0.1) == by_vectors
    path.unlink()
    assert find(pipeline, query, min_score=0.1) == by_vectors


def test_only_the_budget_is_read_again(pipeline: Pipeline, query: Query, monkeypatch: Any):
    read: list[float] = []
    stretch = Listener.stretch

    def counted(self: Listener, uri: str, start_s: float, end_s: float) -> Any:
        read.append(end_s - start_s)
        return stretch(self, uri, start_s, end_s)

    monkeypatch.setattr(Listener, "stretch", counted)
    find(pipeline, query, min_score=0.1, reread_s=50.0)
    assert 0 < sum(read) <= 50.0


def test_a_query_may_be_longer_than_a_recording(pipeline: Pipeline, folder: Path):
    for listens in (True, False):
        find(pipeline, Query(folder / "query" / "long.wav"), min_score=-1.0, listens=listens)


def test_a_silent_query_is_refused(pipeline: Pipeline, folder: Path):
    with pytest.raises(SilentQuery):
        find(pipeline, Query(folder / "query" / "silent.wav"))


def test_a_vector_has_no_time(pipeline: Pipeline, query: Query):
    row = pipeline.embedded(query).embeddings[0]
    events = find(pipeline, Query(vector=row), min_score=0.1)
    assert events
    assert {(event.query_start_s, event.query_end_s) for event in events} == {(None, None)}


def test_a_recording_that_is_removed_while_events_are_read_is_left_out(folder: Path, query: Query):
    pipeline = Pipeline(MemoryStore(), Modulation(), WindowPlan())
    items = [IndexItem(str(folder / name)) for name in ("night.wav", "quiet.wav")]
    list(pipeline.index(items))
    request = EventsRequest(query, min_score=-1.0)
    events = find_events(pipeline.store, pipeline.embedded(query), request)
    first = next(events)
    pipeline.store.delete(str(folder))
    assert {event.recording.uri for event in events} <= {first.recording.uri}


def test_a_collection_that_does_not_exist_or_fit_is_refused(pipeline: Pipeline, query: Query):
    with pytest.raises(IndexEmpty):
        find(pipeline, query, collection="none")
    embedded = pipeline.embedded(query)
    other = replace(embedded, spec=replace(embedded.spec, encoder="other"))
    with pytest.raises(ModelMismatch):
        list(find_events(pipeline.store, other, EventsRequest(query)))


@pytest.mark.parametrize(
    "options",
    [
        {"min_score": 1.1},
        {"min_score": float("nan")},
        {"order": "size"},
        {"limit": 0},
        {"max_per_recording": 0},
        {"gap_s": -1.0},
        {"min_duration_s": float("nan")},
        {"reread_s": 90_000.0},
    ],
)
def test_values_out_of_range_are_refused(query: Query, options: dict[str, Any]):
    with pytest.raises(ParameterError, match=next(iter(options))):
        EventsRequest(query, **options)


def test_json_of_an_event_reads_back(pipeline: Pipeline, query: Query):
    event = find(pipeline, query, min_score=0.6)[0]
    row = event_to_json(event, "call.wav", "logmel-modulation")
    assert row.keys() >= {
        *("uri", "recording_id", "start_s", "end_s", "query_start_s", "query_end_s", "score"),
        *("false_alarm_rate", "occurred_at", "label"),
    }
    assert row["false_alarm_rate"] is None
    back = event_from_json(row)
    assert back.recording.recording_id == event.recording.recording_id
    assert back.start_s == pytest.approx(event.start_s, abs=1e-3)
    assert event_to_json(back, "call.wav", "logmel-modulation") == row


def test_times_of_an_event_that_begins_between_two_milliseconds_read_back():
    event = Event(
        Recording("id", "a.wav", 9.0, recorded_at=NIGHT), 6.0053125, 8.0, 0.0, 2.0, 0.9, None, "default"
    )
    row = event_to_json(event, "call.wav", "logmel-modulation")
    assert event_to_json(event_from_json(row), "call.wav", "logmel-modulation") == row


def test_the_rate_of_false_alarms_is_that_of_the_score(pipeline: Pipeline, query: Query):
    request = EventsRequest(query, min_score=0.1)
    given = find_events(
        pipeline.store,
        pipeline.embedded(query),
        request,
        false_alarms=lambda part, duration_s: FalseAlarms(2 * part.score, duration_s),
    )
    events = list(given)
    assert events
    for event in events:
        assert event.false_alarm_rate == 2 * event.score
        assert event.false_alarms_per_hour == event.recording.duration_s == 60.0
