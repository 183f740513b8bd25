"""Numbers that are larger than what a document has room for."""

from __future__ import annotations

from docarray import DocList

from executors.messages.documents import SearchHits
from executors.messages.hits import write_hits
from executors.messages.int32 import to_int64
from executors.messages.listings import StoredDoc
from soundalike.store.base import SearchResult
from soundalike.types import Hit, Recording


def test_large_tags_come_back_with_a_hit():
    tags = {"id": 5_000_000_000, "n": -(2**31), "deep": {"list": [2**31, "x", True, None, 0.5]}}
    doc = SearchHits()
    recording = Recording("r", "/r.wav", 4.0, None, tags)
    write_hits(doc, {"default": SearchResult([Hit(0, "r", 0, 0.0, 4.0, 0.5)], {"r": recording})})
    (there,) = DocList[SearchHits].from_protobuf(DocList[SearchHits]([doc]).to_protobuf())

    assert there.recordings[0].tags == tags
    assert isinstance(to_int64(7), int)
    assert to_int64(True) is True


def test_recordings_beyond_2_gb_can_be_listed():
    doc = StoredDoc.from_protobuf(StoredDoc(size_bytes=3_000_000_000).to_protobuf())
    assert doc.size_bytes == 3_000_000_000
