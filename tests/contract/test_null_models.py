"""The scores of unrelated recordings: made when missing, again after growth, the same in every store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.errors import IndexEmpty
from soundalike.events.calibrating import rates_of
from soundalike.scores.fitting import fit
from soundalike.search.find import find_hits
from soundalike.search.queries import EmbeddedQuery, text_query
from soundalike.search.ranking import rank_collections
from soundalike.store import MemoryStore, Store, null_models
from soundalike.store.blocks import choose_blocks
from soundalike.store.null_models import NullModels, Sample
from soundalike.types import Match, Window
from tests.fixtures.collections import DIMENSION
from tests.fixtures.collections import Collection as CollectionType

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(null_models, "_LOOK_S", 0.0)


def _fill(collection: Collection, begin: int, end: int, **known: Any) -> None:
    for number in range(begin, end):
        collection.add(f"/{number}.wav", **known)


def _search(collection: Collection, n_windows: int = 2, top_k: int = 10, **options: Any) -> list[Match]:
    rows = collection.vectors(n_windows)
    query = EmbeddedQuery("q", None, collection.windows(n_windows), rows, collection.spec, 8.0)
    return _ranked(collection, query, top_k, **options)


def _ranked(
    collection: Collection, query: EmbeddedQuery, top_k: int = 10, **options: Any
) -> list[Match]:
    from soundalike.filters import Filters

    found = find_hits(collection.store, query, top_k=top_k, filters=Filters(), collections=["default"])
    return rank_collections(found, query.windows, top_k=top_k, **options)


def test_the_first_search_makes_the_model(collection: Collection):
    _fill(collection, 0, 30)
    assert collection.store.status().null_model is None

    matches = _search(collection)
    model = collection.store.status().null_model
    assert model is not None
    assert (model.n_recordings, model.collection_size) == (30, 30)
    assert model.n_pairs == 30 * 29 // 2
    assert [match.false_alarm_rate for match in matches] == pytest.approx(
        [model.rate(match.score, 2, 4) for match in matches], rel=0.05
    )
    assert collection.store.null_model() == model


def test_the_end_of_a_batch_makes_the_model(collection: Collection):
    _fill(collection, 0, 30)
    collection.store.finish_batch()

    assert collection.store.status().null_model == collection.store.null_model() is not None


def test_few_recordings_have_unknown_rates(collection: Collection):
    _fill(collection, 0, 19)
    collection.store.finish_batch()

    assert collection.store.null_model() is None
    assert {match.false_alarm_rate for match in _search(collection)} == {None}
    assert _search(collection, max_false_alarms=1.0) == []


def test_scores_of_texts_have_unknown_rates(collection: Collection):
    _fill(collection, 0, 30)
    query = text_query("a dog", collection.vectors(1), collection.spec)

    assert {match.false_alarm_rate for match in _ranked(collection, query)} == {None}


def test_a_collection_that_does_not_exist_has_no_model(collection: Collection):
    assert collection.store.null_model() is None
    collection.store.finish_batch()


def test_growth_makes_the_model_again(collection: Collection):
    _fill(collection, 0, 30)
    collection.store.finish_batch()
    first = collection.store.null_model()
    _fill(collection, 30, 38)
    collection.store.finish_batch()
    assert collection.store.null_model() == first

    _fill(collection, 38, 40)
    collection.store.finish_batch()
    again = collection.store.null_model()
    assert again is not None
    assert (again.collection_size, again.n_pairs) == (40, 40 * 39 // 2)


def test_deletions_make_the_model_again(collection: Collection):
    _fill(collection, 0, 40)
    collection.store.finish_batch()
    collection.store.delete_files([f"/{number}.wav" for number in range(15)])
    collection.store.finish_batch()

    model = collection.store.null_model()
    assert model is not None
    assert model.collection_size == 25


def test_growth_that_was_not_looked_for_is_looked_for_later(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
):
    _fill(collection, 0, 30)
    collection.store.finish_batch()
    monkeypatch.setattr(null_models, "_LOOK_S", 1000.0)
    _fill(collection, 30, 60)
    collection.store.finish_batch()
    model = collection.store.null_model()
    assert model is not None
    assert model.collection_size == 30

    monkeypatch.setattr(null_models, "_LOOK_S", 0.0)
    model = collection.store.null_model()
    assert model is not None
    assert model.collection_size == 60


def test_silent_windows_and_recordings_are_left_out(collection: Collection):
    _fill(collection, 0, 25, silent=(0, 2))
    _fill(collection, 25, 40, silent=(0, 1, 2, 3))

    model = collection.store.null_model()
    assert model is not None
    assert (model.n_recordings, model.collection_size, model.size) == (25, 40, pytest.approx(4))


def test_a_label_of_any_path_relates_recordings(collection: Collection):
    for number in range(40):
        collection.add(f"/{number}.wav", label=str(number % 4))
    collection.link("/copy.wav", "/0.wav", label="1")

    model = collection.store.null_model()
    assert model is not None
    assert model.n_pairs == 40 * 39 // 2 - 4 * 10 * 9 // 2 - 10


def test_both_stores_give_the_same_model(
    connect_store: Callable[[], Store], collection_of: type[CollectionType]
):
    models = []
    for store in (MemoryStore(), connect_store()):
        collection = collection_of(store, np.random.default_rng(7))
        for number in range(60):
            rows = collection.vectors(1 + number % 40)
            collection.add(f"/{number}.wav", rows, label=str(number % 7), silent=(3,) * (len(rows) > 3))
        models.append(store.null_model())
    first, second = models
    assert first is not None
    assert second is not None
    assert first.scores == pytest.approx(second.scores, abs=1e-3)
    assert first.log_rates == pytest.approx(second.log_rates, abs=0.05)
    assert (first.n_pairs, first.size) == (second.n_pairs, second.size)


def test_a_copy_of_the_query_is_a_strong_match_and_chance_is_none(collection: Collection):
    _fill(collection, 0, 60)
    (best, *others) = _ranked(
        collection,
        EmbeddedQuery("q", None, [Window(0, 0.0, 4.0)], collection.vectors(1), collection.spec, 4.0),
        60,
    )
    assert best.false_alarm_rate is not None
    assert all(best.false_alarm_rate <= (match.false_alarm_rate or 0) for match in others)
    rows = collection.vectors(4)
    collection.add("/copy.wav", rows)
    query = EmbeddedQuery("q", None, collection.windows(4), rows, collection.spec, 10.0)

    (found,) = _ranked(collection, query, max_false_alarms=0.001)
    assert found.recording.uri == "/copy.wav"
    assert found.false_alarm_rate == pytest.approx(1 / (60 * 59 // 2), rel=0.05)


def test_searches_at_once_make_one_model(collection: Collection, monkeypatch: pytest.MonkeyPatch):
    """While one search makes the model, the others do without it."""
    _fill(collection, 0, 30)
    n_made = 0
    begun, may_end = threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        nonlocal n_made
        n_made += 1
        begun.set()
        assert may_end.wait(10)
        return fit(*given)

    monkeypatch.setattr(null_models, "fit", slow)
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(collection.store.null_model)
        assert begun.wait(10)
        assert collection.store.null_model() is None
        may_end.set()
        assert making.result() == collection.store.null_model() is not None
    assert n_made == 1


def test_two_programs_may_make_it_at_once(
    connect_store: Callable[[], Store], collection_of: type[CollectionType]
):
    collection = collection_of(connect_store(), np.random.default_rng(7))
    _fill(collection, 0, 30)
    with ThreadPoolExecutor(4) as pool:
        stores = [connect_store() for _ in range(4)]
        made = list(pool.map(lambda store: store.null_model(), stores))
    assert {model and model.scores for model in made} == {made[0] and made[0].scores}
    assert made[0] is not None


def test_a_new_collection_of_the_same_name_has_its_own_model(collection: Collection):
    _fill(collection, 0, 30)
    assert collection.store.null_model() is not None
    collection.store.drop_collection("default")
    _fill(collection, 0, 5)
    collection.store.finish_batch()

    assert collection.store.status().null_model is None
    assert collection.store.null_model() is None


def test_the_model_stays_with_a_collection_that_is_renamed(collection: Collection):
    _fill(collection, 0, 30)
    model = collection.store.null_model()
    collection.store.rename_collection("default", "other")

    assert collection.store.status(collection="other").null_model == model
    assert collection.store.null_model(collection="other") == model
    with pytest.raises(IndexEmpty):
        _search(collection)


def test_a_sample_is_bounded():
    many = [(f"{number:032x}", 10_000) for number in range(1, 601)]
    blocks = choose_blocks(many, 512)

    assert sum(block.length for block in blocks) <= 4096
    assert len(blocks) >= 100
    assert all(0 <= block.first <= 10_000 - block.length for block in blocks)
    assert len({block.first for block in blocks}) > 50
    wide = choose_blocks(many, 4000)
    assert len(wide) >= 100
    assert sum(block.length for block in wide) <= 1500


def test_a_store_that_cannot_be_written_still_has_a_model(rng: np.random.Generator):
    from soundalike.errors import StoreError
    from soundalike.scores.fitting import SampledRecording

    def refuse(*_: object) -> Any:
        raise StoreError("read-only")

    rows = rng.standard_normal((30, 1, DIMENSION)).astype(np.float32)
    sample = Sample([SampledRecording(frozenset(), row) for row in rows], 30)
    models = NullModels[str](refuse, refuse, lambda _: sample, lambda _: 30)
    models.look_for_growth("c")

    model = models.current("c")
    assert model is not None
    assert models.current("c") == model
    assert NullModels[str](refuse, refuse, refuse, refuse).current("c") is None


def test_one_model_is_made_at_a_time():
    """So many searches of new collections do not compare recordings all at once."""
    asked: list[str] = []
    begun, may_end = threading.Event(), threading.Event()

    def sample(key: str) -> Sample:
        asked.append(key)
        begun.set()
        assert may_end.wait(10)
        return Sample([], 0)

    models = NullModels[str](lambda _: None, lambda *_: None, sample, lambda _: 30)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(models.current, "first")
        assert begun.wait(10)
        assert models.current("second") is None
        assert asked == ["first"]
        may_end.set()
        assert first.result() is None


def test_event_models_are_kept_until_the_null_model_is_made_again(collection: Collection):
    _fill(collection, 0, 30)
    rows = collection.vectors(2)
    query = EmbeddedQuery("q", None, collection.windows(2), rows, collection.spec, 8.0)
    store = collection.store
    assert store.event_models() == {}

    rates = rates_of(store, query, "default")
    kept = store.event_models()
    assert kept.keys() == {"stored"}
    assert rates.models == kept == store.status().event_models
    assert (kept["stored"].null.n_recordings, kept["stored"].null.collection_size) == (30, 30)
    store.save_event_models({"reread": kept["stored"]})
    assert store.event_models().keys() == {"stored", "reread"}

    store.optimize()
    assert store.event_models() == {}
    assert store.event_models(collection="other") == {}
    store.save_event_models({"reread": kept["stored"]}, collection="other")


def test_a_sample_has_the_same_recordings_in_every_call(collection: Collection):
    _fill(collection, 0, 30)
    some, all_of_it = collection.store.sample(20), collection.store.sample(600)
    assert (len(some.recordings), len(all_of_it.recordings), some.collection_size) == (20, 30, 30)
    for one, same in zip(some.recordings, all_of_it.recordings, strict=False):
        assert (one.recording_id, one.first_window, one.labels) == (
            same.recording_id,
            same.first_window,
            same.labels,
        )
        np.testing.assert_array_equal(one.rows, same.rows)
    assert collection.store.sample(20, collection="other") == Sample([], 0)


def test_few_recordings_have_unknown_rates_of_events(collection: Collection):
    _fill(collection, 0, 19)
    rows = collection.vectors(1)
    query = EmbeddedQuery("q", None, collection.windows(1), rows, collection.spec, 4.0)
    assert rates_of(collection.store, query, "default").models == {}
    assert collection.store.sample(600).recordings == []


def test_a_match_tells_of_other_events_in_its_recording(collection: Collection):
    _fill(collection, 0, 30)
    rng = np.random.default_rng(8)
    (sought,) = collection.vectors(1)
    rows = np.array(rng.standard_normal((12, DIMENSION)), dtype=np.float32)
    # Windows of 4 s every 2 s: the first two are one event, and two others stand apart.
    rows[[0, 1, 5, 9]] = sought + 0.02 * rng.standard_normal((4, DIMENSION))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    collection.add("/calls.wav", rows, duration_s=26.0)
    query = EmbeddedQuery("q", None, collection.windows(1), sought[np.newaxis], collection.spec, 4.0)

    best, *rest = _ranked(collection, query)
    assert (best.recording.uri, best.n_other_events) == ("/calls.wav", 2)
    assert rest
    assert all(match.n_other_events == 0 for match in rest[5:])
    text = replace(query, is_text=True)
    assert {match.n_other_events for match in _ranked(collection, text)} == {None}
