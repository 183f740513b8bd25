"""Plain HTTP search: forms and JSON, the right status for what cannot be done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.fixtures.service import uploaded_files

if TYPE_CHECKING:
    from tests.fixtures.service import Service

QUERY = "queries/siren_query_1.mp3"
ANSWER = {
    *("uri", "recording_id", "duration_s", "encoder", "matches", "good_match", "warnings"),
    *("partial", "missing_shards"),
}
PROBLEM = {"status", "code", "title", "detail"}


@pytest.fixture
def filled(service: Service, toy_data: Path) -> Service:
    """Give the service with two sirens and a rain."""
    names = ("siren/siren_1.mp3", "siren/siren_2.m4a", "rain/rain_1.mp3")
    service.post("/index", *({"uri": str(toy_data / name)} for name in names))
    return service


def _search(service: Service, path: Path | None = None, **fields: Any) -> requests.Response:
    files = {} if path is None else {"file": (path.name, path.read_bytes())}
    return requests.post(f"{service.url}/api/search", data=fields, files=files, timeout=60)


def test_an_upload_is_searched_by(filled: Service, toy_data: Path):
    answer = _search(filled, toy_data / QUERY, top_k=2)
    assert answer.status_code == 200
    found = answer.json()
    assert found.keys() == ANSWER
    assert [match["label"] for match in found["matches"]] == ["siren", "siren"]
    assert [match["rank"] for match in found["matches"]] == [1, 2]
    assert found["uri"] == f"upload:{found['recording_id']}"
    assert found["duration_s"] == 5.0


def test_all_ways_to_ask_give_the_same_matches(filled: Service, toy_data: Path):
    path = toy_data / QUERY
    (typed,) = filled.post("/search", {"uri": str(path)}).json["data"]
    address = f"{filled.url}/api/search"
    answers = [
        _search(filled, path),
        _search(filled, uri=path),
        requests.post(address, json={"uri": str(path)}, timeout=60),
    ]
    for answer in answers:
        for match, other in zip(answer.json()["matches"], typed["matches"], strict=True):
            assert match == {name: value for name, value in other.items() if name != "id"}


def test_nothing_of_an_upload_is_left(filled: Service, toy_data: Path, uploads: Path):
    assert _search(filled, toy_data / QUERY).status_code == 200
    assert _search(filled, toy_data / "README.md").status_code == 415
    assert uploaded_files(uploads) == []


def test_fields_narrow_the_search(filled: Service, toy_data: Path):
    path = toy_data / QUERY
    assert [m["label"] for m in _search(filled, path, label="rain").json()["matches"]] == ["rain"]
    both = _search(filled, path, label=["rain", "siren"], min_score=-1).json()["matches"]
    assert len(both) == 3
    assert _search(filled, path, where="site=pond").json()["matches"] == []
    prefix = str(toy_data / "rain")
    assert len(_search(filled, path, uri_prefix=prefix, label="").json()["matches"]) == 1


def test_own_recording_can_be_left_out(filled: Service, toy_data: Path):
    path = toy_data / "siren" / "siren_1.mp3"
    assert Path(_search(filled, path).json()["matches"][0]["uri"]) == path
    others = _search(filled, path, exclude_self="true").json()["matches"]
    assert str(path) not in {match["uri"] for match in others}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"no sound at all", 415, "audio.unreadable"),
        (b"", 422, "audio.empty"),
    ],
)
def test_a_file_that_cannot_be_used(filled: Service, content: bytes, status: int, code: str):
    answer = requests.post(
        f"{filled.url}/api/search", files={"file": ("../../etc/my sound.wav", content)}, timeout=60
    )
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() == PROBLEM
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert "my sound.wav" in problem["detail"]
    assert "passing" not in problem["detail"]


@pytest.mark.parametrize(
    ("fields", "status", "code", "said"),
    [
        ({"top_k": 3}, 422, "parameter.invalid", "there is none of them"),
        ({"uri": "/a", "recording_id": "b"}, 422, "parameter.invalid", "uri and recording_id"),
        ({"uri": "/no/such.wav"}, 404, "audio.not_found", "/no/such.wav"),
        ({"uri": "/no/such.wav", "top_k": "many"}, 422, "parameter.invalid", "top_k"),
        ({"uri": "/no/such.wav", "top_k": 0}, 422, "parameter.invalid", "top_k"),
        ({"uri": "/no/such.wav", "topk": 3}, 422, "parameter.unknown", "did you mean 'top_k'"),
        ({"uri": "/no/such.wav", "group_by": "moon"}, 422, "parameter.invalid", "group_by"),
        ({"uri": "/a", "label": "x", "labels": "y"}, 422, "parameter.invalid", "label and labels"),
        ({"vector": "[1,"}, 422, "parameter.invalid", "vector"),
        ({"uri": "/no/such.wav", "top_k": 1001}, 422, "parameter.invalid", "it is '1001'"),
        ({"uri": "/no/such.wav", "min_score": "nan"}, 422, "parameter.invalid", "min_score is nan"),
    ],
)
def test_fields_that_cannot_be_used(
    service: Service, fields: dict[str, Any], status: int, code: str, said: str
):
    answer = _search(service, None, **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("name", ["label", "labels"])
def test_labels_have_an_alias_in_forms_json_and_queries(filled: Service, toy_data: Path, name: str):
    path, siren = toy_data / QUERY, {name: ["siren", "guitar"]}
    form = _search(filled, path, **siren).json()["matches"]
    upload = requests.post(
        f"{filled.url}/api/search/upload", siren, files={"file": path.read_bytes()}, timeout=60
    )
    body = {"uri": str(path), **siren}
    as_json = requests.post(f"{filled.url}/api/search", json=body, timeout=60)
    assert [match["label"] for match in form] == ["siren", "siren"]
    assert upload.json()["matches"] == as_json.json()["matches"] == form
    listed = requests.get(f"{filled.url}/api/recordings", siren, timeout=60).json()["recordings"]
    assert [one["label"] for one in listed] == ["siren", "siren"]


def test_two_names_with_different_labels_are_refused(filled: Service):
    given = {"labels": "siren", "label": "rain"}
    answer = requests.get(f"{filled.url}/api/recordings", given, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")
    assert "two names of one parameter" in answer.json()["detail"]


@pytest.mark.parametrize("what", ["search", "timeline"])
def test_an_upload_has_a_route_of_its_own(filled: Service, toy_data: Path, what: str):
    address, form = f"{filled.url}/api/{what}/upload", {"min_score": 0.5}
    file = {"file": ("siren.mp3", (toy_data / QUERY).read_bytes())}
    assert requests.post(address, form, files=file, timeout=60).status_code == 200
    no_file = requests.post(address, {**form, "uri": str(toy_data / QUERY)}, timeout=60)
    assert (no_file.status_code, no_file.json()["code"]) == (422, "parameter.invalid")
    assert "the form has no file" in no_file.json()["detail"]
    assert requests.post(address, json=form, timeout=60).status_code == 415


def test_unknown_fields_of_json_are_named_with_what_is_near(service: Service):
    for path, body in (
        ("/api/search", {"vector": [1.0], "colection": "x"}),
        ("/api/jobs", {"folder": "x", "colection": "x"}),
    ):
        answer = requests.post(f"{service.url}{path}", json=body, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter.unknown")
        assert "did you mean 'collection'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"[1]", "application/json", 422),
        (b"\xff", "application/json", 422),
        (b"sound", "audio/wav", 415),
        (b"sound", "multipart/form-data", 400),
        (b"sound", "multipart/form-data; boundary=x", 400),
        (b"", "", 415),
    ],
)
def test_bodies_that_cannot_be_read(service: Service, body: bytes, kind: str, status: int):
    headers = {"Content-Type": kind} if kind else {}
    answer = requests.post(f"{service.url}/api/search", data=body, headers=headers, timeout=60)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == PROBLEM


def test_timeline_of_an_upload(filled: Service, toy_data: Path):
    path = toy_data / "siren" / "siren_1.mp3"
    answer = requests.post(
        f"{filled.url}/api/timeline",
        data={"min_score": 0.99, "by": "month"},
        files={"file": path.read_bytes()},
        timeout=60,
    )
    assert answer.status_code == 200
    assert sum(bucket["count"] for bucket in answer.json()["buckets"]) == 1
    assert answer.json()["undated"] == 0


def test_timeline_needs_a_score(filled: Service, toy_data: Path):
    answer = requests.post(f"{filled.url}/api/timeline", json={"uri": str(toy_data / QUERY)}, timeout=60)
    assert answer.status_code == 422
    assert "min_score" in answer.json()["detail"]


def test_a_stored_recording_a_part_and_a_moment_are_searched_by(filled: Service, toy_data: Path):
    siren = toy_data / "siren" / "siren_1.mp3"
    (stored,) = requests.get(
        f"{filled.url}/api/recordings", params={"uri_prefix": str(siren)}, timeout=60
    ).json()["recordings"]
    own = {"recording_id": stored["recording_id"]}
    for part in ({}, {"start_s": 2, "end_s": 6}, {"at_s": 4}):
        best = _search(filled, **own, **part).json()["matches"][0]
        assert best["score"] == pytest.approx(1.0, abs=1e-3)
        assert best["uri"] == str(siren)
    assert (best["start_s"], best["end_s"]) == (2.0, 6.0)
    others = _search(filled, **own, exclude_self=True).json()["matches"]
    assert str(siren) not in {match["uri"] for match in others}
    answer = _search(filled, recording_id="00000000-0000-0000-0000-000000000000")
    assert (answer.status_code, answer.json()["code"]) == (404, "store.not_found")


def test_a_part_of_an_upload_is_searched_by(filled: Service, toy_data: Path):
    path = toy_data / "siren" / "siren_1.mp3"
    best = _search(filled, path, start_s=4, end_s=8).json()["matches"][0]
    assert (best["start_s"], best["query_start_s"], best["query_end_s"]) == (4.0, 4.0, 8.0)


def test_a_vector_is_searched_by(filled: Service):
    vector = [0.1, -0.2] * 256
    as_json = requests.post(f"{filled.url}/api/search", json={"vector": vector, "top_k": 3}, timeout=60)
    assert as_json.status_code == 200
    assert len(as_json.json()["matches"]) == 3
    assert _search(filled, vector=json.dumps(vector), top_k=3).json() == as_json.json()
    answer = _search(filled, vector="[1, 2]")
    assert (answer.status_code, answer.json()["code"]) == (422, "store.dimension_mismatch")


def test_best_of_each_label_and_several_collections(filled: Service, toy_data: Path):
    filled.post("/index", {"uri": str(toy_data / "dog_bark" / "dog_bark_1.mp3")}, collection="more")
    path = toy_data / QUERY
    found = _search(filled, path, group_by="label").json()["matches"]
    assert [match["label"] for match in found] == ["siren", "rain"]
    both = _search(filled, path, collections=["default", "more"]).json()["matches"]
    assert {match["collection"] for match in both} == {"default", "more"}
    assert len(both) == 4
