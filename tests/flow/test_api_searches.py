"""Named searches over HTTP, gRPC and with --server: the same as on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from soundalike.cli.main import main

if TYPE_CHECKING:
    from tests.fixtures.service import Service

Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(service: Service) -> Ask:
    """Send a request below /api/searches."""

    def send(method: str, path: str = "", **given: Any) -> requests.Response:
        return requests.request(method, f"{service.url}/api/searches{path}", timeout=60, **given)

    return send


@pytest.fixture
def dogs(service: Service, toy_data: Path) -> list[str]:
    """Store three dogs and a siren; return the paths of the dogs."""
    names = [str(toy_data / "dog_bark" / f"dog_bark_{number}.mp3") for number in (1, 2, 4)]
    siren = str(toy_data / "siren" / "siren_1.mp3")
    service.post("/index", *({"uri": name} for name in (*names, siren)))
    return names


def matches(answer: requests.Response) -> list[tuple[str, float]]:
    assert answer.status_code == 200, answer.text
    return [(row["uri"], row["start_s"]) for row in answer.json()["matches"]]


def test_a_search_is_saved_reviewed_and_removed(
    service: Service, ask: Ask, dogs: list[str], toy_data: Path
):
    query = toy_data / "queries" / "dog_bark_query_1.mp3"
    form = {"file": (query.name, query.read_bytes())}
    fields = {"top_k": "3", "like": dogs[0], "replace": "true", "where": "n!=1"}
    plain = ask("POST", "/dogs", data={"top_k": "3", "replace": "true"}, files=form).json()
    assert (plain["name"], plain["query"], plain["kind"], plain["top_k"]) == (
        *("dogs", query.name, "file", 3),
    )
    found = ask("POST", "/dogs/run", json={}).json()
    searched = service.post("/search", {"uri": str(query)}, top_k=3).json["data"][0]["matches"]
    assert [(row["uri"], row["score"]) for row in found["matches"]] == [
        (row["uri"], row["score"]) for row in searched
    ]
    assert (found["time_zone"], found["good_match"], found["max_false_alarms"]) == ("UTC", None, None)

    best = found["matches"][0]
    place = {"recording_id": best["recording_id"], "start_s": best["start_s"], "end_s": best["end_s"]}
    (wrong,) = ask("POST", "/dogs/marks", json={**place, "verdict": "wrong", "by": "ann"}).json()[
        "marks"
    ]
    assert (wrong["uri"], wrong["verdict"], wrong["marked_by"]) == (best["uri"], "wrong", "ann")
    again = matches(ask("POST", "/dogs/run", json={}))
    assert (best["uri"], best["start_s"]) not in again
    ask("POST", "/dogs/marks", json={"uri": dogs[1], "verdict": "right"})
    assert dogs[1] not in dict(matches(ask("POST", "/dogs/run", json={"unmarked": True, "top_k": 9})))
    assert matches(ask("POST", "/dogs/run", json={"use_marks": True}))
    over_jina = service.post("/search_run", name="dogs").json["data"][0]
    assert [(row["uri"], row["start_s"]) for row in over_jina["matches"]] == again

    hits = ask("POST", "/dogs/review", json={"order": "score"}).json()["hits"]
    assert len(hits) == 2
    assert dogs[1] not in {row["uri"] for row in hits}
    assert best["recording_id"] not in {row["recording_id"] for row in hits}
    assert {row["expected_precision"] for row in hits} == {None}
    over_jina = service.post("/search_review", name="dogs", order="score").json["data"]
    assert [(row["uri"], row["score"]) for row in over_jina] == [
        (row["uri"], row["score"]) for row in hits
    ]
    estimate = ask("POST", "/dogs/estimate", json={"min_precision": 0.9}).json()
    assert (estimate["hits"], estimate["reviewed"], estimate["right"]) == (4, 2, 1)
    assert (estimate["precision"], estimate["min_precision"]) == (None, 0.9)
    assert sum(band["hits"] for band in estimate["bands"]) == 4
    (same,) = service.post("/search_estimate", name="dogs", min_precision=0.9).json["data"]
    assert (same["precision"], len(same["bands"])) == (None, len(estimate["bands"]))

    accepted = ask("POST", "/dogs/accept", json={"label": "bark"}).json()
    assert accepted == {"label": "bark", "added": 1, "unchanged": 0, "missing": 0}
    steps = [ask("POST", "/dogs/undo", json={}).json() for _ in range(4)]
    assert [step["undone"] for step in steps] == ["accept", "mark", "mark", None]
    assert (steps[0]["annotations"], steps[1]["mark"]["uri"]) == (1, dogs[1])
    assert matches(ask("POST", "/dogs/run", json={}))[0] == (best["uri"], best["start_s"])

    marked = ask("POST", "/dogs", data=fields, files=form).json()
    assert (marked["like"], marked["filters"]) == ([dogs[0]], {"where": ["n!=1"], "time_zone": "UTC"})
    assert ask("GET", "/dogs").json() == marked
    listed = ask("GET").json()["searches"]
    assert listed == [{name: value for name, value in marked.items() if name != "marks"}]
    assert ask("DELETE", "/dogs").json() == {"removed": "dogs"}
    assert ask("GET").json() == {"searches": []}


def test_a_file_goes_out_and_comes_back(ask: Ask, dogs: list[str]):
    ask("POST", "/dogs", json={"uri": dogs[0], "start_s": 0, "end_s": 4, "replace": True})
    ask("POST", "/dogs/marks", json={"uri": dogs[1], "verdict": "wrong"})
    file = ask("GET", "/dogs/export").json()
    answer = ask("POST", json={"search": file, "name": "copy", "replace": True})
    assert answer.json() == {"name": "copy", "marks": 1, "moved": 0, "missing": 0, "warnings": []}
    copy = ask("GET", "/copy/export").json()
    assert copy == {**file, "name": "copy"}
    for bad, code in (({**file, "version": 9}, "archive.too_new"), ({}, "archive.invalid")):
        refused = ask("POST", json={"search": bad})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    for name in ("dogs", "copy"):
        ask("DELETE", f"/{name}")


def test_mistakes_are_problems(ask: Ask, dogs: list[str]):
    ask("POST", "/dogs", json={"uri": dogs[0], "replace": True})
    part = {"uri": dogs[0], "start_s": 400, "end_s": 404, "verdict": "right"}
    mistakes: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("POST", "/dogs", {"uri": dogs[0]}, 409, "store.search_exists"),
        ("POST", "/a b", {"uri": dogs[0]}, 422, "parameter.invalid"),
        ("POST", "/x", {}, 422, "parameter.invalid"),
        ("POST", "/x", {"uri": "/no/such.wav"}, 404, "audio.not_found"),
        ("POST", "/x", {"uri": dogs[0], "top_k": 0}, 422, "parameter.invalid"),
        ("POST", "/x", {"uri": dogs[0], "since": "soon"}, 422, "parameter.invalid"),
        ("POST", "/x", {"uri": dogs[0], "like": ["/none.wav"]}, 404, "store.not_found"),
        ("POST", "/x", {"uri": dogs[0], "nmae": "x"}, 422, "parameter.unknown"),
        ("POST", "/none/run", {}, 404, "store.search_not_found"),
        ("POST", "/dogs/run", {"top_k": 1001}, 422, "parameter.invalid"),
        ("POST", "/dogs/run", {"collection": "none"}, 404, "store.search_not_found"),
        ("POST", "/dogs/marks", part, 422, "parameter.span_outside"),
        ("POST", "/dogs/marks", {**part, "end_s": None}, 422, "parameter.invalid"),
        ("POST", "/dogs/marks", {**part, "uri": "/none.wav"}, 404, "store.not_found"),
        ("POST", "/dogs/marks", {**part, "verdict": "maybe"}, 422, "parameter.invalid"),
        ("POST", "/dogs/marks", {"uri": dogs[0], "verdict": "clear"}, 422, "parameter.invalid"),
        ("POST", "/dogs/accept", {"label": " "}, 422, "parameter.invalid"),
        ("POST", "/dogs/review", {"order": "random"}, 422, "parameter.invalid"),
        ("POST", "/dogs/review", {"share": 0}, 422, "parameter.invalid"),
        ("POST", "/dogs/review", {"min_precision": 1.5}, 422, "parameter.invalid"),
        ("POST", "/none/review", {}, 404, "store.search_not_found"),
        ("POST", "/dogs/estimate", {"min_precision": -1}, 422, "parameter.invalid"),
        ("POST", "/none/estimate", {}, 404, "store.search_not_found"),
        ("POST", "/none/undo", {}, 404, "store.search_not_found"),
        ("GET", "/none", {}, 404, "store.search_not_found"),
        ("GET", "/none/export", {}, 404, "store.search_not_found"),
        ("DELETE", "/none", {}, 404, "store.search_not_found"),
    ]
    wrong = []
    for method, path, given, status, code in mistakes:
        answer = ask(method, path, json=given) if method == "POST" else ask(method, path)
        if (answer.status_code, answer.json().get("code")) != (status, code):
            wrong.append((method, path, given, answer.status_code, answer.text[:200]))
    assert wrong == []
    ask("DELETE", "/dogs")


def test_the_command_line_works_on_a_service(
    service: Service,
    dogs: list[str],
    toy_data: Path,
    tmp_path: Path,
    clean_environ: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("SOUNDALIKE_SERVER", service.url)

    def rows(*words: object, status: int = 0) -> list[dict[str, Any]]:
        assert main(["searches", *map(str, words), "--json"]) == status, capsys.readouterr().err
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    query = toy_data / "queries" / "dog_bark_query_1.mp3"
    (saved,) = rows("save", "far", query, "--like", dogs[0], "--top-k", 3, "--min-score=-1", "--replace")
    assert (saved["query"], saved["like"], saved["top_k"]) == (query.name, [dogs[0]], 3)
    first = rows("run", "far")
    assert len(first) == 3
    place = f"{first[0]['uri']}:{first[0]['start_s']:g}-{first[0]['end_s']:g}"
    (mark,) = rows("mark", "far", place, "--wrong", "--by", "ann")
    assert (mark["verdict"], mark["marked_by"]) == ("wrong", "ann")
    places = [(row["uri"], row["start_s"]) for row in rows("run", "far")]
    assert (first[0]["uri"], first[0]["start_s"]) not in places
    (cleared,) = rows("mark", "far", place, "--clear")
    assert cleared["verdict"] is None
    assert rows("run", "far") == first
    rows("mark", "far", dogs[1], "--right")
    assert dogs[1] not in {row["uri"] for row in rows("review", "far", "--order", "score")}
    assert rows("estimate", "far")[0]["right"] == 1
    assert rows("accept", "far", "--label", "bark")[0]["added"] == 1
    assert rows("undo", "far")[0]["annotations"] == 1
    path = tmp_path / "far.json"
    assert main(["searches", "export", "far", "-o", str(path)]) == 0
    assert rows("import", path, "--as", "near", "--replace")[0]["marks"] == 1
    assert [row["name"] for row in rows("list")] == ["far", "near"]
    assert rows("show", "near")[0]["marks"][0]["uri"] == dogs[1]
    assert main(["searches", "run", "far", "--events"]) == 2
    for name in ("far", "near"):
        assert rows("remove", name, "--yes") == [{"removed": name}]
    assert main(["searches", "run", "far"]) == 5
    assert "[store.search_not_found]" in capsys.readouterr().err
