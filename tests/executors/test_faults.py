"""What one document brings up in an executor is that document's; the others are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from docarray import DocList

from executors.messages.documents import (
    Clip,
    EmbeddedClip,
    Indexed,
    SearchHits,
    SegmentedClip,
    WindowDoc,
)
from executors.messages.parameters import SearchParameters
from soundalike.errors import ServiceError, StoreUnavailable
from soundalike.store import MemoryStore

Load = Callable[..., Any]
ID = "f68f64a7-959e-dbd5-c956-4fe5a2ba2c00"


def _codes(docs: Any) -> list[str | None]:
    return [doc.error_code for doc in docs]


@pytest.mark.parametrize("error", [KeyError("odd"), MemoryError("none")], ids=repr)
def test_segmenter(
    load_executor: Load, tone_file: Load, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    segmenter = load_executor("audio_segmenter")
    clips = DocList[Clip](Clip(uri=str(tone_file(f"{n}.wav", 200 + n, 5))) for n in range(3))
    run = segmenter._decoding.run

    def failing(function: Any, source: Any, *arguments: Any, **named: Any) -> Any:
        if source.name == "1.wav":
            raise error
        return run(function, source, *arguments, **named)

    monkeypatch.setattr(segmenter._decoding, "run", failing)
    assert _codes(segmenter.segment(clips)) == [None, "audio.unexpected", None]


def test_segmenter_that_has_no_room_for_a_recording(
    load_executor: Load, tone_file: Load, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("executors.messages.spool.put", full)
    segmenter = load_executor("audio_segmenter")
    monkeypatch.setitem(type(segmenter)._all_cut.__globals__, "INLINE_BYTES", 0)
    (doc,) = segmenter.segment(DocList[Clip]([Clip(uri=str(tone_file()))]))
    assert doc.error_code == "service.disk_full"


def test_a_segmenter_without_processes_is_nobodys_fault(
    load_executor: Load, tone_file: Load, monkeypatch: pytest.MonkeyPatch
):
    segmenter = load_executor("audio_segmenter")

    def failing(*_: Any, **__: Any) -> Any:
        raise ServiceError("no process can be started")

    monkeypatch.setattr(segmenter._decoding, "run", failing)
    with pytest.raises(ServiceError):
        segmenter.segment(DocList[Clip]([Clip(uri=str(tone_file()))]))


def test_encoder(load_executor: Load):
    encoder = load_executor("vggish_encoder")

    def doc(value: float) -> SegmentedClip:
        samples = np.full(64_000, value, np.float32) * np.sin(np.arange(64_000) / 5).astype(np.float32)
        chunks = DocList[WindowDoc]([WindowDoc(start_s=0.0, end_s=4.0)])
        return SegmentedClip(uri="a.wav", samples=samples, window_s=4.0, stride_s=2.0, chunks=chunks)

    embed = encoder._encoder.embed_patches

    def failing(log_mel: Any) -> Any:
        if log_mel.max() > 20:
            raise ArithmeticError("odd")
        return embed(log_mel)

    encoder._encoder.embed_patches = failing
    docs = encoder.encode(DocList[SegmentedClip]([doc(0.1), doc(1e12), doc(0.2)]))
    assert _codes(docs) == [None, "audio.unexpected", None]
    assert docs[0].chunks[0].embedding is not None
    assert docs[2].chunks[0].embedding is not None


def _embedded(name: str) -> EmbeddedClip:
    row = np.zeros(512, np.float32)
    row[len(name)] = 1
    return EmbeddedClip(
        uri=name,
        recording_id=ID[:-2] + f"{len(name):02}",
        duration_s=4.0,
        encoder="logmel-modulation",
        fingerprint="one",
        dimension=512,
        window_s=4.0,
        stride_s=2.0,
        chunks=DocList[WindowDoc]([WindowDoc(start_s=0.0, end_s=4.0, embedding=row)]),
    )


@pytest.fixture
def indexer(load_executor: Load, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("soundalike.store.open_store", lambda _: MemoryStore())
    executor = load_executor("timescale_indexer")
    executor._store = MemoryStore()
    return executor


def test_indexer(indexer: Any, monkeypatch: pytest.MonkeyPatch):
    add_many = indexer._store.add_many

    def failing(entries: Any, *arguments: Any, **named: Any) -> Any:
        if any(entry.recording.uri == "/bb" for entry in entries):
            raise KeyError("odd")
        return add_many(entries, *arguments, **named)

    monkeypatch.setattr(indexer._store, "add_many", failing)
    clips = DocList[EmbeddedClip](_embedded(name) for name in ("/a", "/bb", "/ccc"))
    docs: DocList[Indexed] = indexer.index(clips)
    assert _codes(docs) == [None, "audio.unexpected", None]
    assert [doc.outcome for doc in docs] == ["added", "failed", "added"]


def test_queries(indexer: Any, load_executor: Load, monkeypatch: pytest.MonkeyPatch):
    indexer.index(DocList[EmbeddedClip]([_embedded("/a")]))
    queries = DocList[EmbeddedClip](_embedded(name) for name in ("/a", "/bb"))
    search = indexer._store.search

    def failing(vectors: Any, *arguments: Any, **named: Any) -> Any:
        if vectors[0][3]:
            raise KeyError("odd")
        return search(vectors, *arguments, **named)

    monkeypatch.setattr(indexer._store, "search", failing)
    hits: DocList[SearchHits] = indexer.search(queries, SearchParameters())
    assert _codes(hits) == [None, "audio.unexpected"]
    ranker = load_executor("max_score_ranker")
    hits[1].error_code = None
    for name in ("query", "recording", "window", "start_s", "end_s", "score"):
        setattr(hits[1], f"hit_{name}", np.array([7]))
    assert _codes(ranker.rank(hits, SearchParameters())) == [None, "audio.unexpected"]


def test_a_database_that_is_gone_fails_the_request(indexer: Any, monkeypatch: pytest.MonkeyPatch):
    def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(indexer._store, "add_many", gone)
    monkeypatch.setattr(indexer._store, "search", gone)
    with pytest.raises(StoreUnavailable):
        indexer.index(DocList[EmbeddedClip]([_embedded("/a"), _embedded("/bb")]))
    with pytest.raises(StoreUnavailable):
        indexer.search(DocList[EmbeddedClip]([_embedded("/a")]), SearchParameters())
