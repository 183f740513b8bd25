"""Every kind of query has the same answer in Python, on the command line, over HTTP and over gRPC."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip, Counted
from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.errors import exit_status_of, http_status_of
from soundalike.indexing.pipeline import Pipeline
from soundalike.search.timeline import timeline
from soundalike.store import Store
from tests.fixtures.asking import filters_of, query_of

if TYPE_CHECKING:
    from tests.fixtures.service import Service

UNKNOWN = "00000000-0000-0000-0000-000000000000"
KINDS = ("file", "upload", "recording", "window", "slice of a file", "slice of an upload")
KINDS += ("slice of a recording", "moment of a file", "vector", "label")


@pytest.fixture
def stored(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    """Index all sirens and all rain."""
    paths = [*sorted((toy_data / "siren").iterdir()), *sorted((toy_data / "rain").iterdir())]
    rows: list[dict[str, Any]] = service.post("/index", *({"uri": str(path)} for path in paths)).json[
        "data"
    ]
    assert not [row for row in rows if row["error"]]
    return sorted(rows, key=lambda row: str(row["uri"]), reverse=True)


def _clip(kind: str, stored: list[dict[str, Any]], store: Store) -> dict[str, Any]:
    first = stored[0]
    sound = Path(first["uri"]).read_bytes()
    known = {"recording_id": first["recording_id"]}
    content = store.content(first["recording_id"])
    assert content is not None
    span = StoredAnnotation(0, first["recording_id"], "", Annotation(5.0, 7.0, "wail"), "test")
    store.annotate([span])
    return {
        "file": {"uri": first["uri"]},
        "upload": {"audio_base64": base64.b64encode(sound).decode()},
        "recording": known,
        "window": {**known, "at_s": 6.0},
        "slice of a file": {"uri": first["uri"], "start_s": 2.0, "end_s": 8.0},
        "slice of an upload": {
            "audio_base64": base64.b64encode(sound).decode(),
            **{"start_s": 2.0, "end_s": 8.0},
        },
        "slice of a recording": {**known, "start_s": 2.0, "end_s": 8.0},
        "moment of a file": {"uri": first["uri"], "at_s": 6.0},
        "vector": {"vector": content.embeddings[2].astype(float).tolist()},
        "label": {"like_label": "wail"},
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_has_the_same_answer(
    ask: Callable[..., list[Any]], stored: list[dict[str, Any]], service_store: Store, kind: str
):
    best, *_ = ask(_clip(kind, stored, service_store))

    assert best["recording_id"] == stored[0]["recording_id"]
    assert best["score"] == pytest.approx(1, abs=5e-3)
    places = {
        "window": (4, 8),
        "moment of a file": (4, 8),
        "vector": (None, None),
        "label": (None, None),
    }
    if kind in places:
        assert (best["query_start_s"], best["query_end_s"]) == places[kind]
        assert (best["start_s"], best["end_s"]) == (4, 8)
    elif "slice" in kind:
        # In seconds of the whole recording.
        assert 2 <= best["query_start_s"] < best["query_end_s"] <= 8
        assert best["query_start_s"] == best["start_s"]


@pytest.fixture
def dated(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    """Index sirens of several days, with tags."""
    paths = sorted((toy_data / "siren").iterdir())[:3]
    clips = [
        {
            "uri": str(path),
            "label": f"siren {day}",
            "tags": {"site": "pond", "depth": {"m": day}, "checked": day > 1, "day": day},
            "recorded_at": f"2025-05-0{day}T0{day}:00:00+00:00",
        }
        for day, path in enumerate(paths, start=1)
    ]
    rows: list[dict[str, Any]] = service.post("/index", *clips).json["data"]
    assert not [row for row in rows if row["error"]]
    return sorted(rows, key=lambda row: str(row["uri"]))


@pytest.mark.parametrize(
    ("parameters", "days"),
    [
        ({"labels": ["siren 1", "siren 3"]}, {1, 3}),
        ({"tags": {"site": "pond", "day": 2}}, {2}),
        ({"where": ["depth.m >= 2", "checked = true"]}, {2, 3}),
        ({"where": ['site in pond, "a, b"', "day != 3"]}, {1, 2}),
        ({"uri_prefix": "THE FIRST"}, {1}),
        ({"uri_prefix": "THE FOLDER"}, {1, 2, 3}),
        ({"min_score": 0.9}, {1}),
        ({"top_k": 1}, {1}),
        ({"since": "2025-05-02", "until": "2025-05-03"}, {2}),
        ({"time_of_day": "04:30-05:30", "time_zone": "Europe/Berlin"}, {3}),
        ({"time_of_day": "23:00-04:00:10", "time_zone": "+02:00"}, {1, 2}),
        ({"since": "2025-05-02T04:00", "time_zone": "Europe/Berlin"}, {2, 3}),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["upload", "recording"])
def test_every_way_narrows_alike(
    ask: Callable[..., list[Any]],
    dated: list[dict[str, Any]],
    service_store: Store,
    kind: str,
    parameters: dict[str, Any],
    days: set[int],
):
    first = dated[0]["uri"]
    places = {"THE FIRST": first, "THE FOLDER": f"{Path(first).parent}/"}
    given = {
        name: places.get(value, value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }
    matches = ask(_clip(kind, dated, service_store), **given)

    assert {match["tags"]["day"] for match in matches} == days
    zones = {"Europe/Berlin": "+02:00", "+02:00": "+02:00"}
    offset = zones.get(parameters.get("time_zone", ""), "+00:00")
    assert all(match["occurred_at"].endswith(offset) for match in matches)


def test_the_own_recording_is_left_out(ask: Callable[..., list[Any]], stored: list[dict[str, Any]]):
    key = stored[0]["recording_id"]
    for clip in ({"recording_id": key}, {"recording_id": key, "at_s": 1}, {"uri": stored[0]["uri"]}):
        matches = ask(clip, exclude_self=True)
        assert len(matches) == len(stored) - 1
        assert key not in {match["recording_id"] for match in matches}


def test_the_best_match_of_each_label(ask: Callable[..., list[Any]], stored: list[dict[str, Any]]):
    matches = ask({"recording_id": stored[0]["recording_id"]}, group_by="label")

    assert [match["label"] for match in matches] == ["siren", "rain"]
    assert [match["rank"] for match in matches] == [1, 2]


def test_several_collections_are_searched_together(
    service: Service, ask: Callable[..., list[Any]], stored: list[dict[str, Any]]
):
    service.post("/index", {"uri": stored[0]["uri"]}, collection="other")
    matches = ask({"uri": stored[1]["uri"]}, collections=["default", "other"])

    assert len(matches) == len(stored) + 1
    twice = [match for match in matches if match["recording_id"] == stored[0]["recording_id"]]
    assert sorted(match["collection"] for match in twice) == ["default", "other"]
    # What is stored in one collection can be looked for in another.
    gone = ask({"recording_id": stored[0]["recording_id"]}, collections=["other", "default"])
    assert [match["collection"] for match in gone[:2]] == ["default", "other"]


def test_collections_of_different_kinds_are_refused(service: Service, stored: list[dict[str, Any]]):
    service.post("/index", {"uri": stored[0]["uri"]}, collection="seconds", window_size=1, stride=1)
    answer = service.post("/search", {"uri": stored[0]["uri"]}, collections=["default", "seconds"])

    assert (answer.status, answer.json["code"]) == (409, "store.model_mismatch")
    assert "'default'" in answer.json["detail"]
    assert "'seconds'" in answer.json["detail"]
    missing = service.post("/search", {"uri": stored[0]["uri"]}, collections=["default", "none"])
    assert (missing.status, missing.json["code"]) == (409, "store.index_empty")


@pytest.mark.parametrize(
    ("clip", "code", "said"),
    [
        ({"recording_id": UNKNOWN}, "store.not_found", UNKNOWN),
        ({"recording_id": "siren"}, "parameter.invalid", "'siren'"),
        ({"vector": [1.0, 2.0]}, "store.dimension_mismatch", "(512,)"),
        ({"vector": [0.0] * 512}, "parameter.invalid", "zero"),
        ({"vector": [1.0] * 512, "at_s": 4}, "parameter.invalid", "at_s"),
        ({"vector": [1.0] * 512, "recording_id": UNKNOWN}, "parameter.invalid", "give one"),
        ({"uri": "SOUND", "start_s": 99}, "parameter.invalid", "ends at 10 s"),
        ({"uri": "SOUND", "start_s": 4, "end_s": 3}, "parameter.invalid", "end_s is 3"),
        ({"recording_id": "SOUND", "at_s": 99}, "parameter.invalid", "ends at 10 s"),
        ({"uri": "SOUND", "recording_id": UNKNOWN}, "parameter.invalid", "give one"),
    ],
    ids=str,
)
def test_a_query_that_cannot_be_asked_fails_alone(
    service: Service,
    service_database: str,
    on_the_command_line: Callable[..., tuple[int, list[Any], str]],
    plain_http: Callable[..., requests.Response],
    stored: list[dict[str, Any]],
    clip: dict[str, Any],
    code: str,
    said: str,
):
    sound = {"uri": stored[0]["uri"], "recording_id": stored[0]["recording_id"]}
    clip = {key: sound[key] if value == "SOUND" else value for key, value in clip.items()}
    for endpoint, parameters in (("/search", {}), ("/timeline", {"min_score": 0.5})):
        answer = service.post(endpoint, clip, {"uri": stored[1]["uri"]}, **parameters)
        assert answer.status == 200, answer.text
        bad, good = answer.json["data"]
        assert (bad["error_code"], good["error_code"]) == (code, None)
        assert said in bad["error"]
        plain = plain_http(f"/api{endpoint}", clip, parameters)
        assert (plain.status_code, plain.json()["code"]) == (http_status_of(code), code)
        for where in (["--database-url", service_database], ["--server", service.url]):
            done = on_the_command_line(endpoint.strip("/"), clip, parameters, where)
            assert done[:2] == (exit_status_of(code), [])
            assert done[2].endswith(f"[{code}]\n")


def test_what_is_stored_of_silence_is_nothing_to_look_for(
    service: Service, write_wav: Callable[..., Path], tmp_path: Path
):
    samples = np.zeros(12 * 16_000, np.float32)
    samples[: 4 * 16_000] = 0.1 * np.sin(np.arange(4 * 16_000))
    path = write_wav(tmp_path / "half" / "silent.wav", samples)
    (row,) = service.post("/index", {"uri": str(path)}).json["data"]
    key = {"recording_id": row["recording_id"]}

    loud, silent = service.post("/search", {**key, "at_s": 2}, {**key, "at_s": 10}).json["data"]
    assert (loud["error"], silent["error_code"]) == (None, "audio.silent_query")


def test_only_whole_sounds_are_indexed(service: Service, stored: list[dict[str, Any]]):
    sound = {"uri": stored[0]["uri"]}
    clips = [{"recording_id": UNKNOWN}, {"vector": [1.0]}, {**sound, "start_s": 2}, {**sound, "at_s": 2}]
    answer = service.post("/index", *clips)
    assert [row["error_code"] for row in answer.json["data"]] == ["parameter.invalid"] * 4


@pytest.mark.parametrize("kind", ["file", "upload", "window", "vector"])
def test_every_way_counts_alike(
    service: Service,
    service_database: str,
    service_pipeline: Pipeline,
    on_the_command_line: Callable[..., tuple[int, list[Any], str]],
    plain_http: Callable[..., requests.Response],
    dated: list[dict[str, Any]],
    service_store: Store,
    kind: str,
):
    clip = _clip(kind, dated, service_store)
    parameters = {"min_score": 0.3, "by": "hour", "time_zone": "Europe/Berlin", "until": "2025-05-03"}
    filters = filters_of(parameters)
    found = timeline(
        service_pipeline,
        query_of(clip),
        min_score=0.3,
        bucket="hour",
        zone=filters.time_zone,
        filters=filters,
    )
    expected = [(row.start.isoformat(), row.end.isoformat(), row.count) for row in found.buckets]
    assert expected[0][0] == "2025-05-01T03:00:00+02:00"

    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
    (typed,) = client.post(
        "/timeline", Clip(**clip), return_type=DocList[Counted], parameters=parameters
    )
    answers = {
        "Flow over HTTP": service.post("/timeline", clip, **parameters).json["data"][0]["buckets"],
        "Flow over gRPC": [bucket.model_dump() for bucket in typed.buckets],
        "plain HTTP": plain_http("/api/timeline", clip, parameters).json()["buckets"],
    }
    for where in (["--database-url", service_database], ["--server", service.url]):
        status, answers[where[0]], said = on_the_command_line("timeline", clip, parameters, where)
        assert status == 0, said
    for name, rows in answers.items():
        assert [(row["start"], row["end"], row["count"]) for row in rows] == expected, name


def test_a_timeline_of_what_is_stored(service: Service, stored: list[dict[str, Any]]):
    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
    clips = DocList[Clip](
        [
            Clip(uri=stored[0]["uri"], at_s=6.0),
            Clip(recording_id=stored[0]["recording_id"], at_s=6.0),
        ]
    )
    by_file, by_id = client.post(
        "/timeline",
        clips,
        return_type=DocList[Counted],
        parameters={"min_score": 0.5},
        results_in_order=True,
    )
    assert by_file.buckets
    assert [(row.start, row.count) for row in by_id.buckets] == [
        (row.start, row.count) for row in by_file.buckets
    ]
    assert (by_id.undated, by_id.uri) == (by_file.undated, by_file.uri)
