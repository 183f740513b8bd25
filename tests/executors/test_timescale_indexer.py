"""TimescaleIndexer: documents into the database and hits out of it, one bad document at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from docarray import DocList

from executors.messages.documents import Deletion, EmbeddedClip, SearchHits, Status, WindowDoc
from executors.messages.hits import get_hits
from executors.messages.listings import StoredDoc
from executors.messages.parameters import RecordingsParameters, SearchParameters
from soundalike.errors import IndexEmpty, ModelMismatch, ParameterError, StoreUnavailable
from soundalike.store import SearchResult
from soundalike.types import FloatArray

Load = Callable[..., Any]
Make = Callable[..., EmbeddedClip]
FOUND = SearchParameters()


@pytest.fixture
def indexer(load_executor: Load, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", database_url)
    return load_executor("timescale_indexer")


@pytest.fixture
def embedded(rng: np.random.Generator) -> Make:
    """Make a document as the encoder hands it on, with random vectors or those given."""

    def make(number: int, rows: FloatArray | None = None, **fields: Any) -> EmbeddedClip:
        if rows is None:
            rows = rng.standard_normal((4, 16)).astype(np.float32)
        chunks = DocList[WindowDoc](
            WindowDoc(index=n, start_s=2.0 * n, end_s=2.0 * n + 4, embedding=row / np.linalg.norm(row))
            for n, row in enumerate(rows)
        )
        known = {
            "uri": f"/a/{number}.wav",
            "recording_id": f"00000000-0000-0000-0000-{number:012}",
            "duration_s": 10.0,
            **{"encoder": "toy", "fingerprint": "f00d", "dimension": 16},
            **{"window_s": 4.0, "stride_s": 2.0, "chunks": chunks},
        }
        return EmbeddedClip(**{**known, **fields})

    return make


def _docs(*docs: EmbeddedClip) -> DocList[EmbeddedClip]:
    return DocList[EmbeddedClip](docs)


def _of(found: SearchHits) -> SearchResult:
    return get_hits(found).get("default", SearchResult([], {}))


def _status(indexer: Any) -> Status:
    (status,) = indexer.status(DocList[Status]([Status(configured_encoder="logmel-modulation")]))
    return status


def test_documents_are_stored_and_told_what_became_of_them(indexer: Any, embedded: Make):
    doc = embedded(1, label="dog", tags={"n": 1})
    first = indexer.index(_docs(doc, embedded(2)))
    again = indexer.index(_docs(doc, embedded(1, uri="/b/copy.wav")))

    assert [found.outcome for found in [*first, *again]] == ["added", "added", "unchanged", "linked"]
    assert (first[0].id, first[0].uri, first[0].label) == (doc.id, "/a/1.wav", "dog")
    assert (first[0].n_windows, first[0].encoder, first[0].error) == (4, "toy", None)


def test_a_sound_of_which_the_encoder_makes_nothing_is_told_of(indexer: Any, embedded: Make):
    nothing = embedded(1)
    for chunk in nothing.chunks:
        chunk.embedding = np.zeros(16, np.float32)
    found, other = indexer.index(_docs(nothing, embedded(2)))

    assert (found.outcome, found.n_windows, found.n_searchable) == ("added", 4, 0)
    assert found.warnings == [
        "zero: the embeddings of all windows are zero, and no search can find them"
    ]
    assert (other.n_searchable, other.warnings) == (4, [])
    assert _status(indexer).unsearchable == 1


def test_a_search_gives_hits_with_their_recordings(indexer: Any, embedded: Make):
    stored = embedded(1, label="dog", tags={"deep": {"n": [1, None]}})
    indexer.index(_docs(stored, embedded(2)))
    (found,) = indexer.search(_docs(embedded(3, chunks=stored.chunks)), FOUND)

    best = max(_of(found).hits, key=lambda hit: hit.score)
    assert best.recording_id == stored.recording_id
    assert best.score == pytest.approx(1, abs=2e-3)
    recording = _of(found).recordings[best.recording_id]
    assert (recording.uri, recording.label) == ("/a/1.wav", "dog")
    assert recording.tags == {"deep": {"n": [1, None]}}
    assert found.encoder == "toy"


def test_silent_windows_of_the_query_are_left_out(indexer: Any, embedded: Make):
    stored = embedded(1)
    indexer.index(_docs(stored))
    query = embedded(2, chunks=stored.chunks)
    query.chunks[0].is_silent = query.chunks[2].is_silent = True
    (found,) = indexer.search(_docs(query), FOUND)

    assert [(chunk.start_s, chunk.end_s) for chunk in found.chunks] == [(2.0, 6.0), (6.0, 10.0)]
    best = {hit.query_window: hit for hit in sorted(_of(found).hits, key=lambda hit: hit.score)}
    assert {query: hit.window_index for query, hit in best.items()} == {0: 1, 1: 3}


def test_a_silent_query_is_marked_and_the_rest_is_done(indexer: Any, embedded: Make):
    indexer.index(_docs(embedded(1)))
    silent = embedded(2)
    for chunk in silent.chunks:
        chunk.is_silent = True
    marked, found = indexer.search(_docs(silent, embedded(3)), FOUND)

    assert marked.error_code == "audio.silent_query"
    assert get_hits(marked) == {}
    assert len(_of(found).hits) == 16


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {"/a/1.wav", "/a/2.wav", "/b/3.wav"}),
        ({"exclude_self": True}, {"/a/2.wav", "/b/3.wav"}),
        ({"labels": ["cat"]}, {"/a/2.wav"}),
        ({"tags": {"n": 1}}, {"/a/1.wav"}),
        ({"where": ["n<=1"]}, {"/a/1.wav"}),
        ({"where": ["n!=1"]}, set()),
        ({"uri_prefix": "/b/"}, {"/b/3.wav"}),
        ({"labels": ["dog"], "uri_prefix": "/b/"}, set()),
    ],
)
def test_each_parameter_of_a_search_has_its_effect(
    indexer: Any, embedded: Make, parameters: dict[str, Any], expected: set[str]
):
    query = embedded(1, label="dog", tags={"n": 1})
    indexer.index(_docs(query, embedded(2, label="cat"), embedded(3, uri="/b/3.wav")))
    (found,) = indexer.search(_docs(query), SearchParameters(**parameters))

    assert {recording.uri for recording in _of(found).recordings.values()} == expected


def test_top_k_is_how_many_recordings_are_asked_for(indexer: Any, embedded: Make):
    row = embedded(1).chunks[0].embedding
    indexer.index(_docs(embedded(2, rows=np.stack([row] * 300)), embedded(3), embedded(4)))
    query = embedded(1, rows=row[np.newaxis])

    one, three = (indexer.search(_docs(query), SearchParameters(top_k=top_k))[0] for top_k in (1, 3))
    assert len(_of(one).recordings) == 1
    assert len(_of(three).recordings) == 3
    with pytest.raises(ParameterError):
        indexer.search(_docs(query), SearchParameters(top_k=0))


def test_marked_documents_pass_and_the_rest_is_done(indexer: Any, embedded: Make):
    bad = EmbeddedClip(uri="/a/bad.wav", error_code="audio.unreadable", error="no sound")
    first, marked, last = indexer.index(_docs(embedded(1), bad, embedded(2)))

    assert (marked.outcome, marked.error_code, marked.error) == (
        "failed",
        "audio.unreadable",
        "no sound",
    )
    assert (marked.id, marked.uri) == (bad.id, "/a/bad.wav")
    assert [first.outcome, last.outcome] == ["added", "added"]
    searched = indexer.search(_docs(bad, embedded(1)), FOUND)
    assert [doc.error_code for doc in searched] == ["audio.unreadable", None]


def _with_nan(make: Make) -> EmbeddedClip:
    doc = make(9)
    doc.chunks[1].embedding[3] = np.nan
    return doc


def _without_embedding(make: Make) -> EmbeddedClip:
    doc = make(9)
    doc.chunks[1].embedding = None
    return doc


BAD: dict[str, Callable[[Make], EmbeddedClip]] = {
    "NaN in a vector": _with_nan,
    "a window without a vector": _without_embedding,
    "no windows": lambda make: make(9, chunks=DocList[WindowDoc]()),
    "no fields at all": lambda make: EmbeddedClip(),
    "no recording id": lambda make: make(9, recording_id=None),
    "no path": lambda make: make(9, uri=None),
    "NUL in the path": lambda make: make(9, uri="a\x00b.wav"),
    "NUL in the label": lambda make: make(9, label="a\x00b"),
    "NUL in the tags": lambda make: make(9, tags={"x": "a\x00b"}),
    "NaN in the tags": lambda make: make(9, tags={"x": float("nan")}),
    "half a surrogate": lambda make: make(9, label="\ud800"),
    "a start without zone": lambda make: make(9, recorded_at="2025-05-01T06:30:00"),
    "a start at the end of time": lambda make: make(9, recorded_at="9999-12-31T23:59:59+00:00"),
    "no length": lambda make: make(9, duration_s=0.0),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_document_that_cannot_be_stored_is_marked_and_the_rest_is_done(
    indexer: Any, embedded: Make, bad: Callable[[Make], EmbeddedClip]
):
    first, marked, last = indexer.index(_docs(embedded(1), bad(embedded), embedded(2)))

    assert [first.outcome, marked.outcome, last.outcome] == ["added", "failed", "added"]
    assert marked.error_code
    assert marked.error
    assert _status(indexer).files == 2


@pytest.mark.parametrize("name", ["NaN in a vector", "a window without a vector", "no windows"])
def test_a_query_that_cannot_be_searched_for_is_marked_and_the_rest_is_done(
    indexer: Any, embedded: Make, name: str
):
    indexer.index(_docs(embedded(1)))
    marked, found = indexer.search(_docs(BAD[name](embedded), embedded(2)), FOUND)

    assert marked.error_code
    assert len(_of(found).hits) == 16


def test_vectors_of_another_encoder_fail_the_request(indexer: Any, embedded: Make):
    """All documents of a request come from one encoder, so nothing of it can be stored."""
    indexer.index(_docs(embedded(1)))

    with pytest.raises(ModelMismatch) as refusal:
        indexer.index(_docs(embedded(2, encoder="vggish")))
    assert repr(refusal.value).startswith("store.model_mismatch: ")
    with pytest.raises(ModelMismatch):
        indexer.search(_docs(embedded(2, window_s=3.0)), FOUND)


def test_an_empty_index_is_said(indexer: Any, embedded: Make):
    with pytest.raises(IndexEmpty):
        indexer.search(_docs(embedded(1)), FOUND)


def test_no_documents_to_store_or_search_are_no_error(indexer: Any):
    assert len(indexer.index(_docs())) == 0
    assert len(indexer.search(_docs(), FOUND)) == 0
    assert len(indexer.status(DocList[Status]())) == 1


def test_a_deletion_without_documents_is_refused(indexer: Any):
    with pytest.raises(ParameterError, match="the request has no documents"):
        indexer.delete(DocList[Deletion]())


def test_deletion_counts_paths_by_path_folder_and_id(indexer: Any, embedded: Make):
    indexer.index(_docs(*(embedded(n) for n in range(1, 5)), embedded(5, uri="/b/5.wav")))
    wanted = DocList[Deletion](
        [
            Deletion(uri="/a/1.wav"),
            Deletion(recording_id=embedded(2).recording_id),
            Deletion(uri="/a"),
            Deletion(uri="/a/missing.wav"),
            Deletion(),
        ]
    )
    done = indexer.delete(wanted)

    assert [doc.deleted for doc in done] == [1, 1, 2, 0, 0]
    assert [doc.error_code for doc in done] == [*[None] * 4, "parameter.invalid"]
    assert _status(indexer).files == 1


@pytest.mark.parametrize("uri", ["upload:00000000-0000-0000-0000-000000000001", "my phone/bark.wav"])
def test_an_upload_can_be_deleted_by_the_name_it_is_stored_under(indexer: Any, embedded: Make, uri: str):
    indexer.index(_docs(embedded(1, uri=uri), embedded(2)))
    (done,) = indexer.delete(DocList[Deletion]([Deletion(uri=uri)]))

    assert done.deleted == 1
    assert _status(indexer).files == 1


def test_a_recording_comes_under_each_of_its_paths_where_that_is_asked_for(indexer: Any, embedded: Make):
    indexer.index(_docs(embedded(1), embedded(1, uri="/b/copy.wav"), embedded(2)))
    asked = [StoredDoc(recording_id=embedded(n).recording_id) for n in (1, 9)]
    found = indexer.recordings(DocList[StoredDoc](asked), RecordingsParameters(all_paths=True))

    assert [(doc.uri, doc.n_windows) for doc in found] == [("/a/1.wav", 4), ("/b/copy.wav", 4)]
    assert {doc.recording_id for doc in found} == {embedded(1).recording_id}


def test_the_status_says_what_is_stored(indexer: Any, embedded: Make):
    empty = _status(indexer)
    indexer.index(_docs(embedded(1), embedded(1, uri="/b/copy.wav"), embedded(2)))
    full = _status(indexer)

    assert (empty.encoder, empty.recordings, empty.window_s) == ("logmel-modulation", 0, None)
    assert (full.encoder, full.configured_encoder) == ("toy", "logmel-modulation")
    assert (full.recordings, full.files, full.windows) == (2, 3, 8)
    assert (full.window_s, full.stride_s, full.dimension) == (4.0, 2.0, 16)
    assert "vector" in full.extensions
    assert full.index == "exact"


def test_it_begins_without_its_server_and_goes_on_when_that_is_there(
    load_executor: Load,
    monkeypatch: pytest.MonkeyPatch,
    database_server: Any,
    embedded: Make,
):
    with database_server.database() as url:
        missing = url
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", missing)
    indexer = load_executor("timescale_indexer")
    with pytest.raises(StoreUnavailable) as refusal:
        indexer.index(_docs(embedded(1)))
    assert repr(refusal.value).startswith("store.unavailable: ")

    name = urlsplit(missing).path[1:]
    database_server.sql(f"CREATE DATABASE {name}")
    try:
        assert indexer.index(_docs(embedded(1)))[0].outcome == "added"
    finally:
        indexer.close()
        database_server.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_no_password_reaches_the_log(
    load_executor: Load,
    monkeypatch: pytest.MonkeyPatch,
    free_port: Callable[[], int],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setenv("JINA_LOG_LEVEL", "DEBUG")
    url = f"postgresql://ann:Geheimnis@127.0.0.1:{free_port()}/sounds"
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", url)
    with caplog.at_level(logging.DEBUG):
        load_executor("timescale_indexer")

    out, err = capfd.readouterr()
    said = out + err + caplog.text
    assert "ann@127.0.0.1" in said.replace("\n", ""), "it should have warned"
    assert "Geheimnis" not in said


def test_the_data_folder_holds_the_embedded_server(
    load_executor: Load, data_dir: Path, wait_until: Callable[..., Any]
):
    indexer = load_executor("timescale_indexer", data_dir=str(data_dir))

    assert _status(indexer).database == f"embedded:{data_dir}"
    assert (data_dir / "postgres" / "postmaster.pid").exists()
    indexer.close()
    # At once, or soon, where its watch comes first.
    wait_until(lambda: not (data_dir / "postgres" / "postmaster.pid").exists(), "the server stops")
