"""False-alarm rates of events, of collections of vectors and of short recordings."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.errors import ParameterError, StoreError
from soundalike.events.calibrating import rates_of
from soundalike.events.find import find_events
from soundalike.events.listening import Listener
from soundalike.events.parts import Found
from soundalike.events.requests import EventsRequest
from soundalike.events.types import Event
from soundalike.events.unrelated import scale_of, stored_model
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.scores.fitting import SampledRecording
from soundalike.search.queries import EmbeddedQuery, Query, text_query
from soundalike.store import MemoryStore
from soundalike.types import FloatArray, IndexSpec, Window
from tests.fixtures.planted import varied

_SPEC = IndexSpec("bench", "bench", 32, 4.0, 2.0)
_N_VARIED = 24


def _vectors(rng: np.random.Generator, count: int) -> FloatArray:
    """Return windows of a recording: what is heard all the time, and something else in each."""
    rows = rng.standard_normal(32) + rng.standard_normal((count, 32))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _asked(rows: FloatArray) -> EmbeddedQuery:
    windows = [Window(n, 2.0 * n, 2.0 * n + 4.0) for n in range(len(rows))]
    return EmbeddedQuery("q", None, windows, rows, _SPEC, windows[-1].end_s)


def _sample(rng: np.random.Generator, count: int, n_windows: int = 12) -> list[SampledRecording]:
    return [
        SampledRecording(frozenset(), _vectors(rng, n_windows), str(uuid.UUID(int=number)))
        for number in range(count)
    ]


@pytest.mark.parametrize("n_query", [1, 4])
def test_rates_of_stored_vectors_are_those_of_other_queries(rng: np.random.Generator, n_query: int):
    from soundalike.events.screening import best_scores

    sample = _sample(rng, 80)
    model = stored_model(sample, _SPEC, 80)
    assert model is not None
    rates = []
    for _ in range(30):
        query = _asked(_vectors(rng, n_query))
        scale = scale_of(query, sample)
        assert scale is not None
        scores = [float(best_scores(np.asarray(each.rows), query, 1).max()) for each in sample]
        rates += [model.false_alarms(score, scale, 26.0).rate for score in scores]
    for rate in (0.1, 0.02):
        assert rate / 2 < np.mean(np.array(rates) <= rate) < 2 * rate


def test_too_few_recordings_have_no_model_and_the_query_is_not_in_its_cohort(rng: np.random.Generator):
    assert stored_model(_sample(rng, 19), _SPEC, 19) is None
    sample = _sample(rng, 30)
    query = _asked(np.asarray(sample[0].rows)[:2])
    with_itself, without = scale_of(query, sample), scale_of(query, sample, sample[0].recording_id)
    assert with_itself is not None
    assert without is not None
    assert without.spread < with_itself.spread


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]) -> Pipeline:
    """Index short recordings, each with a sound of its own."""
    folder = tmp_path_factory.mktemp("many")
    items = [
        IndexItem(str(write_wav(folder / f"{number}.wav", varied(number))), label=str(number))
        for number in range(_N_VARIED)
    ]
    pipeline = Pipeline(MemoryStore(), Modulation(), WindowPlan())
    assert {result.outcome for result in pipeline.index(items)} == {"added"}
    return pipeline


def _events(pipeline: Pipeline, query: Query, *, listens: bool, **options: float | None) -> list[Event]:
    request = EventsRequest(query, min_score=0.0, order="score", **options)
    listener = Listener(pipeline.encoder, shared()) if listens else None
    return list(find_events(pipeline.store, pipeline.embedded(query), request, listener=listener))


@pytest.fixture
def query(many: Pipeline) -> Query:
    return Query(min(file.uri for file in many.store.files()))


@pytest.mark.parametrize("listens", [True, False])
def test_the_same_sound_is_a_rare_event_and_others_are_not(many: Pipeline, query: Query, listens: bool):
    found = _events(many, query, listens=listens)
    best, rest = found[0], found[1:]
    assert best.recording.uri == str(query.source)
    assert best.is_reread is listens
    assert best.false_alarm_rate is not None
    assert best.false_alarm_rate < 0.02
    # Scores of sound and of stored vectors have rates of their own.
    rates = [event.false_alarm_rate for event in rest if event.is_reread is listens]
    assert rates == sorted(rates, key=lambda rate: rate or 0.0)
    assert rest
    assert rates[-1] is not None
    assert rates[-1] > 0.05
    for event in found:
        assert event.false_alarms_per_hour is not None

    rare = _events(many, query, listens=listens, max_false_alarms=best.false_alarm_rate)
    assert best in rare
    assert all((event.false_alarm_rate or 1.0) <= best.false_alarm_rate for event in rare)
    assert not _events(many, query, listens=listens, max_false_alarms=1e-9)


def test_models_are_made_once_and_kept(many: Pipeline, query: Query, monkeypatch: pytest.MonkeyPatch):
    _events(many, query, listens=True)
    models = many.store.event_models()
    assert models.keys() == {"stored", "reread"}
    status = many.store.status()
    assert status.unrelated_events["reread"]["recordings"] == _N_VARIED
    monkeypatch.setattr("soundalike.events.calibrating.stored_model", None)
    monkeypatch.setattr("soundalike.events.unrelated_sound.reread_model", None)
    _events(many, query, listens=True)
    assert many.store.event_models() == models


def test_a_store_that_may_only_read_has_rates(many: Pipeline, query: Query):
    class ReadOnly(MemoryStore):
        def save_event_models(self, *args: object, **options: object) -> None:
            raise StoreError("this role may only read")

    store = ReadOnly()
    store._collections = many.store._collections  # type: ignore[attr-defined]
    many.store.optimize()
    rates = rates_of(store, many.embedded(query), "default")
    assert rates.models.keys() == {"stored"}
    assert rates.of(Found(0.0, 1.0, 0.0, 1.0, 0.9), 5.0) is not None
    assert rates.of(Found(0.0, 1.0, 0.0, 1.0, 0.9, is_reread=True), 5.0) is None
    assert store.event_models() == {}


def test_texts_have_unknown_rates(many: Pipeline):
    text = text_query("a bark", np.ones(many.spec.dimension, np.float32), many.spec)
    assert rates_of(many.store, text, "default").of(Found(0.0, 1.0, 0.0, 1.0, 0.9), 5.0) is None


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5, float("nan")])
def test_a_limit_is_a_probability(rate: float):
    with pytest.raises(ParameterError, match="max_false_alarms"):
        EventsRequest(max_false_alarms=rate)
