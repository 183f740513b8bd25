"""The indexer over two databases: one of them is away, and every answer says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from docarray import DocList

from executors.gateway.api import models, routes_export
from executors.gateway.flow.library import Library
from executors.messages.documents import Counted, EmbeddedClip, SearchHits, Status, WindowDoc
from executors.messages.listings import StoredDoc, listed, missing_in
from executors.messages.parameters import (
    CountParameters,
    EventsParameters,
    RecordingsParameters,
    SearchParameters,
    TimelineParameters,
)
from executors.monitoring import watching
from soundalike.errors import StoreUnavailable
from soundalike.store.partial import Missing
from soundalike.store.sharded.shards import number_of

Away = Callable[[str], AbstractContextManager[None]]
IDS = [f"00000000-0000-4000-8000-{n:012}" for n in range(8)]


@pytest.fixture
def indexer(
    load_executor: Callable[..., Any], shard_urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", " ".join(shard_urls))
    return load_executor("timescale_indexer")


def clip(key: str, **fields: Any) -> EmbeddedClip:
    rows = np.random.default_rng(int(key[-4:])).standard_normal((4, 16)).astype(np.float32)
    chunks = DocList[WindowDoc](
        WindowDoc(index=n, start_s=2.0 * n, end_s=2.0 * n + 4, embedding=row)
        for n, row in enumerate(rows)
    )
    known = {
        **{"id": key, "uri": f"/a/{key[-1]}.wav", "recording_id": key, "duration_s": 10.0},
        **{"encoder": "toy", "fingerprint": "f00d", "dimension": 16, "label": "dog"},
        **{"window_s": 4.0, "stride_s": 2.0, "chunks": chunks},
    }
    return EmbeddedClip(**{**known, **fields})


def docs(*some: EmbeddedClip) -> DocList[EmbeddedClip]:
    return DocList[EmbeddedClip](some)


def test_every_answer_says_which_database_is_away(indexer: Any, shard_urls: list[str], away: Away):
    assert {doc.outcome for doc in indexer.index(docs(*map(clip, IDS[:6])))} == {"added"}
    first = [key for key in IDS if number_of(key, 2) == 0]
    query = docs(clip(IDS[-1]))
    indexer.check_ready()
    assert not json.loads(asyncio.run(watching.report_of(indexer)))["is_partial"]
    (whole,) = indexer.search(query, SearchParameters())
    assert len(whole.recordings) == 6
    assert (whole.missing_shards, whole.warnings) == ([], [])
    with away(shard_urls[1]):
        name = indexer._store._shards.names[1]
        (found,) = indexer.search(query, SearchParameters())
        (counted,) = indexer.count(query, TimelineParameters(min_score=0.1))
        (events,) = indexer.find_events(query, EventsParameters(min_score=0.1))
        (status,) = indexer.status(DocList[Status]())
        for doc in (found, counted, events, status):
            assert doc.missing_shards == [name]
        for doc in (found, counted, events):
            assert [name in warning for warning in doc.warnings] == [True]
        here = [key for key in first if key in IDS[:6]]
        assert sorted(str(one.id) for one in found.recordings) == here
        lists = (
            indexer.recordings(DocList[StoredDoc](), RecordingsParameters()),
            indexer.labels(DocList[StoredDoc](), CountParameters()),
            indexer.folders(DocList[StoredDoc](), CountParameters()),
            indexer.collections(DocList[StoredDoc]()),
        )
        assert [missing_in(some) for some in lists] == [[name]] * 4
        named = [StoredDoc(recording_id=key) for key in IDS[:6]]
        looked_up = indexer.recordings(DocList[StoredDoc](named))
        codes = {str(doc.recording_id): doc.error_code for doc in looked_up}
        assert {key for key, code in codes.items() if code is None} == set(here)
        assert {code for code in codes.values() if code} == {"store.unavailable"}
        indexer.check_ready()
        assert json.loads(asyncio.run(watching.report_of(indexer)))["is_partial"]
        results = indexer.index(docs(*map(clip, IDS[6:])))
        assert [doc.error_code for doc in results] == [
            None if key in first else "store.unavailable" for key in IDS[6:]
        ]


def test_a_list_without_documents_cannot_say_what_is_missing():
    missing = Missing()
    assert listed(DocList[StoredDoc](), missing) == DocList[StoredDoc]()
    missing.add("postgresql://db2/sounds")
    with pytest.raises(StoreUnavailable, match="postgresql://db2/sounds"):
        listed(DocList[StoredDoc](), missing)
    assert missing_in([]) == []


def test_answers_of_the_gateway_are_partial():
    whole = models.Labels(labels=[])
    part = models.Labels(labels=[], missing_shards=["postgresql://db2/sounds"])
    assert whole.model_dump() == {"labels": [], "missing_shards": [], "partial": False}
    assert part.model_dump()["partial"]
    for answer in (models.Answer, models.TimelineAnswer, models.EventsAnswer, models.RecordingPage):
        assert {"missing_shards", "partial"} <= answer.model_json_schema(mode="serialization")[
            "properties"
        ].keys()
    assert {"missing_shards"} <= {*SearchHits.model_fields, *Counted.model_fields}


def test_the_gateway_prunes_exports_and_forgets_only_with_all_databases():
    name = "postgresql://db2/sounds"
    there, here = StoredDoc(uri="/a.wav"), StoredDoc(uri="/a.wav", missing_shards=[name])
    lost = StoredDoc(uri="/b.wav", error_code="store.unavailable", error="away")
    absent = StoredDoc(uri="/b.wav", error_code="store.not_found", error="no")

    def library(*docs: StoredDoc) -> Library:
        async def ask(*_: Any) -> list[StoredDoc]:
            return list(docs)

        async def one(*_: Any) -> StoredDoc:
            return docs[0]

        return Library(SimpleNamespace(ask=ask, one=one))  # type: ignore[arg-type]

    async def below(found: Library) -> list[StoredDoc]:
        return [doc async for doc in found.below("/", "default")]

    assert asyncio.run(library(there).page("default")) == [there]
    assert asyncio.run(library(here).partial_page("default")) == [here]
    asyncio.run(library(here).check_names("default", None))
    for strict in (library(here).page("default"), below(library(here))):
        with pytest.raises(StoreUnavailable, match=name):
            asyncio.run(strict)
    stored = [asyncio.run(library(doc).is_stored("/b.wav", "default")) for doc in (there, lost, absent)]
    assert stored == [True, True, False], "an upload is kept as long as it may be stored"

    routes_export._check_whole([])
    with pytest.raises(StoreUnavailable, match=name):
        routes_export._check_whole([name])
