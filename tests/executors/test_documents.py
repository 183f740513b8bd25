"""The documents survive the wire, and translate to the core's types and back."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docarray import BaseDoc, DocList

from executors.messages import documents
from executors.messages.documents import (
    Clip,
    EmbeddedClip,
    SearchHits,
    SegmentedClip,
    WindowDoc,
    audio_source,
    carried_fields,
    mark_failed,
    parse_time,
    to_recording,
    to_spec,
    to_windows,
)
from executors.messages.hits import get_hits, write_hits
from executors.messages.parameters import SearchParameters
from soundalike.errors import AudioNotFound, ParameterError, UnreadableAudio
from soundalike.filters import Filters
from soundalike.store import SearchResult
from soundalike.types import Hit, IndexSpec, Recording, Window

KEY = "00000000-0000-0000-0000-000000000001"
TAGS = {"text": "va'l\"ue 🦤", "number": 1.5, "none": None, "list": [1, [True]], "deep": {"ü": {}}}


def _sent(doc: BaseDoc) -> Any:
    """Return what arrives of a document that is sent from one executor to the next."""
    sent = DocList[type(doc)]([doc]).to_protobuf()
    return DocList[type(doc)].from_protobuf(sent)[0]


@pytest.mark.parametrize(
    "doc_class",
    [
        getattr(documents, name)
        for name in dir(documents)
        if isinstance(getattr(documents, name), type)
        and issubclass(getattr(documents, name), BaseDoc)
        and getattr(documents, name).__module__ == documents.__name__
    ],
    ids=lambda doc_class: doc_class.__name__,
)
def test_every_document_can_travel_without_any_field_set(doc_class: type[BaseDoc]):
    doc = doc_class()

    assert _sent(doc).model_dump() == doc.model_dump()


def test_audio_and_windows_survive_the_wire(rng: np.random.Generator):
    samples = rng.standard_normal(64_000).astype(np.float32)
    doc = SegmentedClip(uri="/ü 🦤.wav", tags=TAGS, samples=samples, window_s=4.0)
    doc.chunks.append(
        WindowDoc(index=3, start_s=1 / 3, end_s=2 / 3, is_silent=True, embedding=samples[:8])
    )
    arrived = _sent(doc)

    assert arrived.samples.dtype == np.float32
    np.testing.assert_array_equal(arrived.samples, samples)
    np.testing.assert_array_equal(arrived.chunks[0].embedding, samples[:8])
    assert (arrived.uri, arrived.tags) == (doc.uri, TAGS)
    assert to_windows(arrived.chunks) == [Window(3, 1 / 3, 2 / 3, True)]


def test_hits_survive_the_wire():
    hits = [Hit(0, KEY, 2, 1 / 3, 4.0, -1 / 7), Hit(5, KEY, 0, 0.0, 7200.0, 1.0)]
    recordings = {KEY: Recording(KEY, "/ü 🦤.wav", 7204.0, "dog", TAGS)}
    # The same recording in two collections.
    results = {"birds": SearchResult(hits, recordings), "dogs": SearchResult(hits[1:], recordings)}
    doc = SearchHits()
    write_hits(doc, results)

    assert get_hits(_sent(doc)) == results


def test_hits_of_recordings_that_are_gone_are_left_out():
    """Somebody deleted it between two statements of the search."""
    hits = [Hit(0, KEY, 0, 0.0, 4.0, 0.5), Hit(0, "gone", 0, 0.0, 4.0, 0.9)]
    doc = SearchHits()
    known = {KEY: Recording(KEY, "/a.wav", 10.0)}
    write_hits(doc, {"default": SearchResult(hits, known)})

    assert get_hits(_sent(doc)) == {"default": SearchResult(hits[:1], known)}


def test_no_hits_survive_the_wire():
    doc = SearchHits()
    write_hits(doc, {"default": SearchResult([], {})})

    assert get_hits(_sent(doc)) == {}
    assert get_hits(SearchHits()) == {}


def test_documents_share_no_defaults():
    first, second = EmbeddedClip(), EmbeddedClip()
    first.tags["x"] = 1
    first.warnings.append("x")
    first.chunks.append(WindowDoc())

    assert (second.tags, second.warnings, len(second.chunks)) == ({}, [], 0)


def test_an_embedded_clip_translates_to_the_core():
    doc = EmbeddedClip(
        **{"uri": "/a.wav", "recording_id": KEY, "duration_s": 9.5, "label": "dog", "tags": TAGS},
        **{"encoder": "toy", "fingerprint": "f00d", "dimension": 512},
        **{"window_s": 4.0, "stride_s": 2.0, "recorded_at": "2025-05-01T06:30:00+02:00"},
    )

    at = datetime(2025, 5, 1, 4, 30, tzinfo=UTC)
    assert to_recording(doc) == Recording(KEY, "/a.wav", 9.5, "dog", TAGS, at)
    assert to_spec(doc) == IndexSpec("toy", "f00d", 512, 4.0, 2.0)


def test_what_travels_is_kept_from_document_to_document():
    doc = SegmentedClip(uri="/a.wav", label="dog", tags=TAGS, warnings=["w"], samples=np.zeros(4))
    mark_failed(doc, UnreadableAudio("no sound"))
    following = EmbeddedClip(**carried_fields(doc))

    assert following.id == doc.id
    assert (following.uri, following.label, following.tags) == ("/a.wav", "dog", TAGS)
    assert (following.error_code, following.error) == ("audio.unreadable", "no sound")
    assert following.warnings == ["w"]
    assert "samples" not in carried_fields(doc)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (None, None),
        ("2025-05-01T06:30:00Z", datetime(2025, 5, 1, 6, 30, tzinfo=UTC)),
        ("2025-05-01T06:30:00.25+00:00", datetime(2025, 5, 1, 6, 30, 0, 250_000, tzinfo=UTC)),
        ("2025-05-01 06:30-07:00", datetime(2025, 5, 1, 6, 30, tzinfo=timezone(timedelta(hours=-7)))),
    ],
)
def test_times_are_iso_8601_with_a_zone(text: str | None, time: datetime | None):
    assert parse_time(text) == time


@pytest.mark.parametrize(
    "text", ["", "now", "2025-05-01T06:30:00", "2025-13-01T00:00:00Z", "1714545000"]
)
def test_other_times_are_refused(text: str):
    with pytest.raises(ParameterError, match="recorded_at"):
        parse_time(text)


def test_an_upload_comes_before_a_path(tmp_path: Path):
    encoded = base64.b64encode(b"bytes of a sound").decode()

    assert audio_source(Clip(uri="name.wav", audio_base64=encoded)) == b"bytes of a sound"


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.wav").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)

    assert audio_source(Clip(uri="a.wav")) == tmp_path / "a.wav"
    with pytest.raises(AudioNotFound):
        audio_source(Clip(uri="missing.wav"))


def test_search_parameters_become_filters():
    given = SearchParameters(labels=["a", "b"], tags=TAGS, uri_prefix="/x", exclude_self=True)

    assert given.filters(KEY) == Filters(("a", "b"), TAGS, "/x", KEY)
    assert SearchParameters().filters(KEY) == Filters()


def test_times_of_a_search_become_filters(monkeypatch: pytest.MonkeyPatch):
    given = {"since": "2025-05-01", "until": "2025-05-02T00:00Z", "time_of_day": "22:00-04:00"}
    monkeypatch.setenv("SOUNDALIKE_TIME_ZONE", "-03:00")
    for zone, hour in ((None, 3), ("+01:00", -1)):
        filters = SearchParameters(**given, time_zone=zone).filters(KEY)
        assert filters.since == datetime(2025, 5, 1, tzinfo=UTC) + timedelta(hours=hour)
        assert filters.until == datetime(2025, 5, 2, tzinfo=UTC)
        assert filters.time_of_day == (time(22), time(4))
        assert filters.time_zone.utcoffset(None) == timedelta(hours=-hour)


def test_the_start_of_a_recording_travels_with_its_hits():
    at = datetime(2025, 5, 1, 6, 30, tzinfo=timezone(timedelta(hours=2)))
    known = {
        KEY: Recording(KEY, "/a.wav", 10.0, recorded_at=at, recorded_at_source="filename"),
        "b": Recording("b", "/b.wav", 10.0),
    }
    doc = SearchHits()
    write_hits(doc, {"default": SearchResult([Hit(0, KEY, 0, 0.0, 4.0, 0.5)], known)})
    assert get_hits(_sent(doc))["default"].recordings == known


def test_the_chain_of_executors_finds_a_sound_by_its_like(
    load_executor: Callable[..., Any],
    tone_file: Callable[..., Path],
    noise_file: Callable[..., Path],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """All four, one after the other, each document sent as Jina sends it."""
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", database_url)
    segmenter, encoder, indexer, ranker = (
        load_executor(name)
        for name in ("audio_segmenter", "vggish_encoder", "timescale_indexer", "max_score_ranker")
    )

    def embed(path: Path) -> Any:
        (cut,) = segmenter.segment(DocList[Clip]([_sent(Clip(uri=str(path)))]))
        (embedded,) = encoder.encode(DocList[SegmentedClip]([_sent(cut)]))
        return DocList[EmbeddedClip]([_sent(embedded)])

    for path in (tone_file("tone/a.wav", 440.0), noise_file("noise/b.wav")):
        assert indexer.index(embed(path))[0].outcome == "added"
    parameters = SearchParameters()
    hits = indexer.search(embed(tone_file("query/c.wav", 450.0, 5.0)), parameters)
    (found,) = ranker.rank(DocList[SearchHits]([_sent(hits[0])]), parameters)

    assert [match.label for match in found.matches] == ["tone", "noise"]
    assert found.matches[0].score > found.matches[1].score
