"""An index over two databases answers as one, says what is missing, and keeps foreign databases out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.archive.exporting import export_collection
from soundalike.archive.importing import import_collection
from soundalike.archive.reading import open_archive
from soundalike.config import Settings
from soundalike.errors import (
    ConfigError,
    IndexEmpty,
    ModelMismatch,
    ShardMismatch,
    StoreUnavailable,
)
from soundalike.events.find import find_events
from soundalike.events.requests import EventsRequest
from soundalike.filters import Filters
from soundalike.search.find import answer_to
from soundalike.search.queries import vector_query
from soundalike.search.requests import SearchRequest
from soundalike.store import PostgresStore, ShardedStore, Store, open_store
from soundalike.store.base import Entry
from soundalike.store.each import add_each
from soundalike.store.partial import partial_answers
from soundalike.store.sharded.shards import number_of
from tests.fixtures.collections import DIMENSION, Collection
from tests.fixtures.database import DatabaseServer
from tests.fixtures.shards import BEGAN, content_of, fill

Away = Callable[[str], AbstractContextManager[None]]
Sql = Callable[..., Any]


def opened(*urls: str) -> PostgresStore | ShardedStore:
    return open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": " ".join(urls)}))


@pytest.fixture
def store(connect_shards: Callable[[], ShardedStore]) -> ShardedStore:
    return connect_shards()


def answers(store: Store) -> list[Any]:
    """Return what searches, listings and samples of a filled store answer."""
    rng = np.random.default_rng(1)
    spec = store.collections()["default"]
    found: list[Any] = []
    for top_k in (1, 3, 10, 1000):
        for filters in (
            Filters(),
            Filters(labels=("dog", "copy")),
            Filters(uri_prefix="/a"),
            Filters(without_labels=("rain",), since=BEGAN),
        ):
            query = rng.standard_normal((3, DIMENSION)).astype(np.float32)
            result = store.search(query, spec, top_k=top_k, filters=filters)
            hits = sorted(result.hits, key=lambda hit: (hit.query_window, -hit.score, hit.recording_id))
            found.append([hits, result.recordings, result.n_windows])
    after, page = "", store.page_of_files(Filters(), limit=7)
    while page:
        found.append(page)
        after = page[-1].recording.uri
        page = store.page_of_files(Filters(), after=after, limit=7)
    found += [store.labels(), store.labels(limit=2), store.folders(), store.folders(limit=1)]
    spans = [replace(one, annotation_id=0, created_at=None) for one in store.annotations()]
    # Annotations of one begin are in the order of their adding.
    found += [store.annotation_labels(), sorted(map(repr, spans))]
    found += [list(store.files()), list(store.files(under="/a")), store.summaries()]
    found += [
        (one.recording, one.starts_s.tolist(), one.embeddings.tobytes())
        for one in store.searchable_windows(Filters())
    ]
    found += [(one.files, one.windows, one.embeddings.tobytes()) for one in store.contents()]
    for bucket in ("hour", "day"):
        vectors = rng.standard_normal((2, DIMENSION)).astype(np.float32)
        found.append(
            store.count_by_time(vectors, spec, min_score=0.2, bucket=bucket, zone=UTC, filters=Filters())
        )
    sample = store.sample(600)
    found.append([(one.labels, one.rows.tobytes(), one.recording_id) for one in sample.recordings])
    model = store.null_model()
    assert model is not None
    found.append(replace(model, made_at=BEGAN))
    status = store.status()
    found.append(replace(status, database="", null_model=None, event_models={}))
    query = vector_query(store, rng.standard_normal(DIMENSION).astype(np.float32), ["default"])
    request = EventsRequest(min_score=0.1, reread_s=0.0)
    found.append(list(find_events(store, query, request)))
    answer = answer_to(SearchRequest(None, top_k=5), query, store)  # type: ignore[arg-type]
    return [*found, answer]


def test_two_servers_answer_as_one_database(
    database_url: str,
    database_server: DatabaseServer,
    second_server: tuple[str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
):
    other_url, stop = second_server
    monkeypatch.setattr("soundalike.store.connection._PAUSES_S", (0.0,))
    with database_server.database() as alone:
        one, two = opened(alone), opened(database_url, other_url)
        fill([one, two])
        parts = [store.status() for store in two._shards.stores]
        assert all(10 < part.recordings < 30 for part in parts)
        for expected, found in zip(answers(one), answers(two), strict=True):
            assert found == expected

        stop()
        query = vector_query(one, np.ones(DIMENSION, np.float32), ["default"])
        request = SearchRequest(None, top_k=1000)  # type: ignore[arg-type]
        whole, part = answer_to(request, query, one), answer_to(request, query, two)
        name = two._shards.names[1]
        assert part.missing_shards == (name,)
        assert [name in warning for warning in part.warnings] == [True]
        here = {match.recording.recording_id for match in part.matches}
        assert here == {
            match.recording.recording_id
            for match in whole.matches
            if number_of(match.recording.recording_id, 2) == 0
        }
        assert two.status().missing_shards == (name,)
        one.close()
        two.close()


def test_a_file_with_other_content_moves_to_the_other_database(store: ShardedStore, rng: Any):
    collection = Collection(store, rng)
    assert collection.add("/a.wav", content=content_of(0)) == "added"
    assert collection.add("/a.wav", content=content_of(1)) == "replaced"
    assert [found.recording_id for found in store.files()] == [
        collection.recording("/a.wav", content_of(1)).recording_id
    ]
    assert collection.counts() == (1, 1, 4)

    collection.add("/b.wav", content=content_of(0))
    assert collection.link("/a.wav", content=content_of(0)) == "replaced"
    assert collection.counts() == (1, 2, 4)


def test_one_batch_with_two_contents_of_a_path(store: ShardedStore, rng: Any):
    collection = Collection(store, rng)
    entries = [
        Entry(
            collection.recording("/a.wav", content_of(number)),
            collection.windows(2),
            collection.vectors(2),
        )
        for number in (0, 1, 0)
    ]
    assert add_each(store, entries, collection.spec) == ["added", "replaced", "replaced"]
    assert collection.counts() == (1, 1, 2)


def test_only_recordings_of_a_database_that_is_away_fail(
    store: ShardedStore, shard_urls: list[str], away: Away, rng: Any
):
    collection = Collection(store, rng)
    collection.add("/known.wav", content=content_of(0))
    entries = [
        Entry(
            collection.recording(f"/{n}.wav", content_of(n % 2, f"{n}")),
            collection.windows(2),
            collection.vectors(2),
        )
        for n in range(6)
    ]
    with away(shard_urls[1]):
        results = add_each(store, entries, collection.spec)
        assert [getattr(result, "code", result) for result in results] == [
            "added",
            "store.unavailable",
        ] * 3
        store.finish_batch()
        assert store.known_files(["/known.wav", "/1.wav"], collection.spec).keys() == {"/known.wav"}
        assert store.status().missing_shards == (store._shards.names[1],)
        with pytest.raises(StoreUnavailable, match="is new and needs every database"):
            store.add_many(entries[:1], collection.spec, collection="other")
        with pytest.raises(StoreUnavailable):
            store.delete("/known.wav")
        with pytest.raises(StoreUnavailable):
            list(store.contents())
    assert add_each(store, entries, collection.spec) == ["unchanged", "added"] * 3
    assert "/known.wav" in collection.found()


def test_all_fail_together_without_a_database(
    store: ShardedStore, shard_urls: list[str], away: Away, rng: Any
):
    collection = Collection(store, rng)
    collection.add("/a.wav", content=content_of(0))
    with away(shard_urls[0]), away(shard_urls[1]):
        with partial_answers(), pytest.raises(StoreUnavailable):
            collection.hits(collection.vectors(1))
        with pytest.raises(StoreUnavailable):
            store.status()


def test_a_path_that_changed_while_its_database_was_away_is_read_again(
    store: ShardedStore, shard_urls: list[str], away: Away, rng: Any
):
    collection = Collection(store, rng)
    collection.add("/a.wav", content=content_of(1))
    with away(shard_urls[1]):
        assert collection.add("/a.wav", content=content_of(0)) == "added"
    assert len(list(store.files())) == 2
    assert [file.recording.uri for file in store.page_of_files(Filters())] == ["/a.wav"]
    assert store.known_files(["/a.wav"], collection.spec) == {}, "so that it is read again"

    collection.add("/a.wav", content=content_of(0))
    assert len(list(store.files())) == 1
    assert store.known_files(["/a.wav"], collection.spec).keys() == {"/a.wav"}


def test_partial_answers_name_what_is_missing(
    store: ShardedStore, shard_urls: list[str], away: Away, rng: Any
):
    collection = Collection(store, rng)
    for n in range(4):
        collection.add(f"/{n}.wav", content=content_of(n % 2, f"{n}"), label="dog")
    query = collection.vectors(1)
    store.save_event_models({})
    with away(shard_urls[1]):
        name = store._shards.names[1]
        with pytest.raises(StoreUnavailable):
            collection.hits(query)
        with partial_answers() as missing:
            assert {hit.recording_id for hit in collection.hits(query)} == {
                found.recording_id for found in collection.found().values()
            }
            assert len(collection.found()) == 2
            assert store.labels() == [("dog", 2)]
            assert len(store.page_of_files(Filters())) == 2
            assert len(list(store.searchable_windows(Filters()))) == 2
            assert store.files_named(["/0.wav", "/1.wav"]).keys() == {"/0.wav"}
        assert missing.shards == (name,)
        assert store.files_named(["/0.wav"]).keys() == {"/0.wav"}
        with pytest.raises(StoreUnavailable, match=r"'/1\.wav' was not found, and may be in"):
            store.files_named(["/1.wav"])
        with pytest.raises(StoreUnavailable):
            store.content(collection.recording("/1.wav", content_of(1, "1")).recording_id)
    with partial_answers() as missing:
        assert len(collection.found()) == 4
    assert missing.shards == ()


def test_a_database_that_goes_away_while_it_is_read(
    store: ShardedStore, shard_urls: list[str], away: Away, rng: Any
):
    collection = Collection(store, rng)
    for n in range(12):
        collection.add(f"/{n:02}.wav", content=content_of(n % 2, f"{n}"), recorded_at=None)
    with partial_answers() as missing:
        found = store.searchable_windows(Filters())
        first = next(found)
        with away(shard_urls[1]):
            rest = list(found)
    assert len({one.recording.uri for one in (first, *rest)}) in range(6, 13)
    assert missing.shards in ((), (store._shards.names[1],))


def test_the_first_database_may_be_away_too(store: ShardedStore, shard_urls: list[str], away: Away):
    fill([store])
    assert store.null_model() is not None
    spec = store.collections()["default"]
    with away(shard_urls[0]):
        answer = answer_to(
            SearchRequest(None, top_k=3),  # type: ignore[arg-type]
            vector_query(store, np.ones(DIMENSION, np.float32), ["default"]),
            store,
        )
        assert answer.missing_shards == (store._shards.names[0],)
        assert answer.matches
        query = vector_query(store, np.ones(DIMENSION, np.float32), ["default"])
        with partial_answers() as missing:
            assert list(find_events(store, query, EventsRequest(min_score=0.1, reread_s=0.0)))
        assert missing.shards == answer.missing_shards
        with pytest.raises(StoreUnavailable):
            store.speakers()
    assert store.collections()["default"] == spec


def test_a_reindexed_file_may_be_in_another_database(store: ShardedStore, rng: Any):
    collection = Collection(store, rng)
    for uri, number in (("/a.wav", 0), ("/b.wav", 1), ("/gone.wav", 1)):
        collection.add(uri, content=content_of(number, uri))
    collection.store.annotate(
        [
            StoredAnnotation(
                0,
                collection.recording("/b.wav", content_of(1, "/b.wav")).recording_id,
                "",
                Annotation(0, 1, "x"),
                "s",
            )
        ]
    )
    store.create_collection("next", collection.spec)
    entries = [
        Entry(
            collection.recording(uri, content_of(number, f"{uri}{again}")),
            collection.windows(1),
            collection.vectors(1),
        )
        for uri, number, again in (("/a.wav", 1, "!"), ("/b.wav", 1, ""), ("/new.wav", 0, ""))
    ]
    store.add_many(entries, collection.spec, collection="next")
    assert not store.replace_collection("default", "next"), "/gone.wav is missing"
    assert [file.uri for file in store.files()] == ["/a.wav", "/b.wav", "/gone.wav"]

    assert store.replace_collection("default", "next", without={"/gone.wav"})
    assert [file.uri for file in store.files()] == ["/a.wav", "/b.wav"]
    assert [one.uri for one in store.annotations()] == ["/b.wav"]
    assert list(store.collections()) == ["default"]
    with pytest.raises(IndexEmpty):
        store.replace_collection("default", "next")


def test_places_of_all_databases_are_accepted_and_taken_back(store: ShardedStore, rng: Any):
    collection = Collection(store, rng)
    keys = []
    for n in range(4):
        collection.add(f"/{n}.wav", content=content_of(n % 2, f"{n}"))
        keys.append(collection.recording(f"/{n}.wav", content_of(n % 2, f"{n}")).recording_id)
    store.save_named_search("dogs", {"kind": "vector"}, b"")
    spans = [StoredAnnotation(0, key, "", Annotation(0, 2, "dog"), "search:dogs") for key in keys]
    store.annotate([replace(spans[0], annotation=Annotation(3, 4, "cat"))])
    assert store.accept_search("dogs", spans, by="ann") == 4
    assert store.accept_search("dogs", spans) == 0
    found = list(store.annotations())
    assert len({one.annotation_id for one in found}) == 5
    undone = store.undo_search("dogs")
    assert undone is not None
    assert (undone.action, undone.label, undone.annotations) == ("accept", "dog", 4)
    assert [one.annotation.label for one in store.annotations()] == ["cat"]
    assert store.undo_search("dogs") is None


def brought(store: Store, path: Path) -> None:
    with open_archive(path) as archive:
        import_collection(store, archive)


def test_an_index_moves_from_one_database_to_two_and_back(
    store: ShardedStore, database_server: DatabaseServer, tmp_path: Path
):
    with database_server.database() as url:
        alone = opened(url)
        fill([alone])
        export_collection(alone, tmp_path / "one.zip")
        brought(store, tmp_path / "one.zip")
        for expected, found in zip(answers(alone), answers(store), strict=True):
            assert found == expected
        export_collection(store, tmp_path / "two.zip")
        alone.drop_collection("default")
        brought(alone, tmp_path / "two.zip")
        for expected, found in zip(answers(alone), answers(store), strict=True):
            assert found == expected
        alone.close()


def mismatch(*urls: str) -> str:
    store = opened(*urls)
    try:
        with pytest.raises(ShardMismatch) as caught:
            store.status()
        with pytest.raises(ShardMismatch):
            Collection(store, np.random.default_rng(1)).add("/new.wav")
        return caught.value.message
    finally:
        store.close()


def test_other_databases_than_those_of_the_index_are_refused(
    store: ShardedStore, shard_urls: list[str], database_server: DatabaseServer, rng: Any
):
    one, two = shard_urls
    Collection(store, rng).add("/a.wav")
    assert "is number 2 of 2" in mismatch(two, one)
    assert "names it as number 1 of 2" in mismatch(two, one)
    assert "is number 1 of 2 of one index; name all of them" in mismatch(one)
    with database_server.database() as third, database_server.database() as fourth:
        assert "is number 1 of 2 of its index" in mismatch(one, two, third)
        assert "is empty, but should be number 2 of 2" in mismatch(one, third)
        assert "is empty, but should be number 1 of 2" in mismatch(third, two)
        own = opened(third)
        Collection(own, rng).add("/b.wav")
        assert "holds an index of its own" in mismatch(one, third)
        own.reset()
        others = opened(third, fourth)
        Collection(others, rng).add("/c.wav")
        assert "belongs to another index" in mismatch(one, fourth)
        others.reset()
        Collection(others, rng).add("/d.wav")
        assert others.status().recordings == 1
        for opened_store in (own, others):
            opened_store.close()
    alone = opened(one)
    with pytest.raises(ShardMismatch):
        alone.reset()
    alone.close()
    assert store.status().recordings == 1


def test_one_database_under_two_names_is_refused(database_url: str):
    store = opened(
        database_url, f"{database_url}{'&' if '?' in database_url else '?'}application_name=x"
    )
    with pytest.raises(ShardMismatch, match="named twice"):
        Collection(store, np.random.default_rng(1)).add("/a.wav")
    with pytest.raises(ShardMismatch, match="named twice"):
        store.enrol("ann", *_voice())
    store.close()
    with pytest.raises(ConfigError, match="names a database twice"):
        opened(database_url, database_url)


def _voice() -> Any:
    from soundalike.types import Utterance, VoiceSpec

    utterance = Utterance("6d255136-80ea-549e-b634-6a0e7f408e39", "/ann.wav", 3.0, 2.0)
    return utterance, np.ones(4, np.float32), VoiceSpec("toy", "f00d", 4)


def test_speakers_come_before_any_recording(store: ShardedStore, shard_urls: list[str], rng: Any):
    store.enrol("ann", *_voice())
    assert "is number 1 of 2" in mismatch(shard_urls[0])
    Collection(store, rng).add("/a.wav")
    assert [speaker.name for speaker in store.speakers()] == ["ann"]


def test_a_collection_has_one_specification(store: ShardedStore, shard_urls: list[str], rng: Any):
    collection = Collection(store, rng)
    collection.add("/a.wav", content=content_of(0))
    other = Collection(store, rng, replace(collection.spec, encoder="other"))
    with pytest.raises(ModelMismatch):
        other.add("/b.wav", content=content_of(1))
    # As where a process was killed between two databases.
    store._shards.stores[1].drop_collection("default")
    assert collection.found().keys() == {"/a.wav"}
    with pytest.raises(ModelMismatch):
        other.add("/b.wav", content=content_of(1))
    collection.add("/b.wav", content=content_of(1))
    assert collection.found().keys() == {"/a.wav", "/b.wav"}


def test_other_urls_are_refused_without_their_passwords():
    for text, shown in (
        ("postgresql://a/b mysql://ann:secret@c/d", "part 2 of SOUNDALIKE_DATABASE_URL is not a URL"),
        ("postgresql://a/b secret", "part 2"),
        ("postgresql://ann:sec ret@a/b postgresql://c/d", "part 2"),
    ):
        with pytest.raises(ConfigError) as caught:
            Settings.from_env({"SOUNDALIKE_DATABASE_URL": text})
        assert shown in caught.value.message
        assert "sec" not in caught.value.message
