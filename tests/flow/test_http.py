"""The Flow over HTTP: what goes in, what comes out, and what is said when it cannot be done."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.fixtures.database import DatabaseServer
    from tests.fixtures.service import Service

INDEXED = {
    *("id", "uri", "recording_id", "outcome", "n_windows", "n_searchable", "duration_s"),
    *("label", "encoder", "warnings", "error_code", "error"),
}
FOUND = {
    *(
        "id",
        "uri",
        "recording_id",
        "duration_s",
        "encoder",
        "matches",
        "good_match",
        "warnings",
        "missing_shards",
        "error_code",
        "error",
    ),
}
MATCH = {
    *("false_alarm_rate", "strength", "n_other_events"),
    *("id", "rank", "uri", "score", "start_s", "end_s", "query_start_s", "query_end_s", "n_hits"),
    *("label", "tags", "duration_s", "recording_id", "collection"),
    *("occurred_at", "recorded_at", "recorded_at_source"),
}


@pytest.fixture
def sirens(toy_data: Path) -> list[dict[str, Any]]:
    return [{"uri": str(path)} for path in sorted((toy_data / "siren").iterdir())]


def _keys(value: Any) -> Iterator[str]:
    """Yield the names of all fields, however deep."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from _keys(part)


def test_indexing_tells_what_became_of_each_document(service: Service, sirens: list[dict[str, Any]]):
    answer = service.post("/index", *sirens)

    assert answer.status == 200
    assert answer.headers.get_content_type() == "application/json"
    data = answer.json["data"]
    assert all(row.keys() == INDEXED for row in data)
    assert [row["uri"] for row in data] == [clip["uri"] for clip in sirens]
    assert {(row["outcome"], row["n_windows"], row["label"], row["error"]) for row in data} == {
        ("added", 4, "siren", None)
    }
    assert answer.json["parameters"] == {"documents": 4, "failed": 0}
    assert len({row["id"] for row in data}) == 4
    again = service.post("/index", *sirens).json["data"]
    assert {row["outcome"] for row in again} == {"unchanged"}


def test_searching_answers_with_ranked_matches_and_nothing_heavy(
    service: Service, sirens: list[dict[str, Any]]
):
    service.post("/index", *sirens)
    answer = service.post("/search", sirens[0], top_k=3)

    assert answer.status == 200
    (found,) = answer.json["data"]
    assert found.keys() == FOUND
    assert all(match.keys() == MATCH for match in found["matches"])
    assert [match["rank"] for match in found["matches"]] == [1, 2, 3]
    scores = [match["score"] for match in found["matches"]]
    assert scores == sorted(scores, reverse=True)
    best = found["matches"][0]
    assert (best["uri"], best["label"]) == (sirens[0]["uri"], "siren")
    assert best["score"] == pytest.approx(1, abs=2e-3)
    assert best["end_s"] - best["start_s"] == 4
    assert found["encoder"] == "logmel-modulation"


def test_no_audio_and_no_embeddings_are_in_any_answer(service: Service, sirens: list[dict[str, Any]]):
    upload = {"audio_base64": base64.b64encode(Path(sirens[0]["uri"]).read_bytes()).decode()}
    answers = [
        service.post("/index", *sirens, upload),
        service.post("/search", sirens[0], upload),
        service.post("/status"),
        service.post("/delete", sirens[0]),
    ]

    heavy = {"samples", "embedding", "audio_base64", "chunks", "spool_name", "hit_score", "recordings_"}
    for answer in answers:
        assert answer.status == 200
        assert not heavy & set(_keys(answer.json))
        assert len(answer.text) < 10_000


def test_collections_lie_side_by_side(service: Service, sirens: list[dict[str, Any]]):
    seconds = {"collection": "seconds", "window_size": 1, "stride": 1}
    service.post("/index", *sirens)
    (first, *_) = service.post("/index", *sirens[:2], **seconds).json["data"]
    assert (first["outcome"], first["n_windows"]) == ("added", 10)

    (found,) = service.post("/search", sirens[0], collection="seconds").json["data"]
    assert [match["end_s"] - match["start_s"] for match in found["matches"]] == [1.0, 1.0]
    (found,) = service.post("/search", sirens[0]).json["data"]
    assert len(found["matches"]) == 4
    (status,) = service.post("/status", {}, collection="seconds").json["data"]
    assert (status["dimension"], status["files"]) == (128, 2)
    assert status["collections"] == ["default", "seconds"]
    (deleted,) = service.post("/delete", sirens[0], collection="seconds").json["data"]
    assert deleted["deleted"] == 1
    (status,) = service.post("/status", {}).json["data"]
    assert (status["collection"], status["files"]) == ("default", 4)
    other = service.post("/search", sirens[0], collection="seconds", window_size=2)
    _problem(other, 409, "store.model_mismatch")
    _problem(service.post("/index", sirens[0], collection="No!"), 422, "parameter.invalid")


def test_parameters_of_a_search_have_their_effect(service: Service, sirens: list[dict[str, Any]]):
    tagged = [{**clip, "tags": {"n": n}, "label": f"l{n}"} for n, clip in enumerate(sirens)]
    service.post("/index", *tagged)

    def uris(**parameters: Any) -> set[str]:
        (found,) = service.post("/search", sirens[0], **parameters).json["data"]
        return {match["uri"] for match in found["matches"]}

    everything = {clip["uri"] for clip in sirens}
    assert uris() == everything
    assert uris(exclude_self=True) == everything - {sirens[0]["uri"]}
    assert uris(labels=["l1", "l2"]) == {sirens[1]["uri"], sirens[2]["uri"]}
    assert uris(tags={"n": 3}) == {sirens[3]["uri"]}
    assert uris(where=["n>=1", "n in 0,1,2"]) == {sirens[1]["uri"], sirens[2]["uri"]}
    assert uris(uri_prefix=sirens[2]["uri"]) == {sirens[2]["uri"]}
    assert uris(uri_prefix="/nowhere/") == set()
    assert uris(min_score=0.99) == {sirens[0]["uri"]}


def test_one_bad_document_does_not_stop_the_others_and_is_counted(
    service: Service, sirens: list[dict[str, Any]], tmp_path: Path
):
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no sound at all" * 100)
    mixed = [{"uri": "missing.wav"}, sirens[0], {"uri": str(broken)}, {}, sirens[1]]
    answer = service.post("/index", *mixed)

    assert answer.status == 200
    codes = [row["error_code"] for row in answer.json["data"]]
    assert codes == ["audio.not_found", None, "audio.unreadable", "parameter.invalid", None]
    assert [row["outcome"] for row in answer.json["data"]] == [
        "failed",
        "added",
        "failed",
        "failed",
        "added",
    ]
    assert answer.json["parameters"] == {"documents": 5, "failed": 3}
    searched = service.post("/search", *mixed)
    assert [row["error_code"] for row in searched.json["data"]] == codes
    assert searched.json["parameters"]["failed"] == 3
    assert [len(row["matches"]) for row in searched.json["data"]] == [0, 2, 0, 0, 2]


def test_an_upload_is_found_by_its_file(service: Service, toy_data: Path, sirens: list[dict[str, Any]]):
    path = toy_data / "siren" / "siren_1.mp3"
    upload = {"audio_base64": base64.b64encode(path.read_bytes()).decode(), "label": "mine"}
    (stored,) = service.post("/index", upload).json["data"]

    assert stored["uri"] == f"upload:{stored['recording_id']}"
    (found,) = service.post("/search", {"uri": str(path)}).json["data"]
    assert found["recording_id"] == stored["recording_id"]
    assert (found["matches"][0]["uri"], found["matches"][0]["label"]) == (stored["uri"], "mine")
    linked = service.post("/index", {"uri": str(path)}).json["data"][0]
    assert linked["outcome"] == "linked"
    (deleted,) = service.post("/delete", {"recording_id": stored["recording_id"]}).json["data"]
    assert deleted["deleted"] == 2


def test_documents_keep_their_ids(service: Service, sirens: list[dict[str, Any]]):
    named = [{**clip, "id": f"clip {n}"} for n, clip in enumerate(sirens)]
    stored = service.post("/index", *named).json["data"]
    found = service.post("/search", *named).json["data"]

    assert (
        [row["id"] for row in stored] == [row["id"] for row in found] == [clip["id"] for clip in named]
    )


def test_250_documents_give_250_results(service: Service, small_files: Callable[[int], list[Path]]):
    """Jina by itself answers with the first hundred."""
    paths = small_files(249)
    clips = [{"id": f"{n}", "uri": str(path)} for n, path in enumerate(paths)]
    answer = service.post("/index", *clips, {"id": "249", "uri": "missing.wav"})

    data = answer.json["data"]
    assert [row["id"] for row in data] == [str(n) for n in range(250)]
    assert [row["uri"] for row in data[:249]] == [str(path) for path in paths]
    assert answer.json["parameters"] == {"documents": 250, "failed": 1}


def test_one_object_in_place_of_a_list_is_fine(service: Service, sirens: list[dict[str, Any]]):
    answer = service.request("/index", json.dumps({"data": sirens[0]}).encode())

    assert answer.status == 200
    assert [row["outcome"] for row in answer.json["data"]] == ["added"]


def test_no_documents_to_index_are_no_error(service: Service):
    answer = service.post("/index")

    assert answer.status == 200
    assert answer.json["data"] == []
    assert answer.json["parameters"] == {"documents": 0, "failed": 0}


def test_the_status_says_what_is_stored(
    service: Service,
    sirens: list[dict[str, Any]],
    database_server: DatabaseServer,
    service_database: str,
):
    (empty,) = service.post("/status").json["data"]
    service.post("/index", *sirens)
    (full,) = service.post("/status").json["data"]

    assert (empty["encoder"], empty["recordings"], empty["windows"]) == ("logmel-modulation", 0, 0)
    assert (full["recordings"], full["files"], full["windows"]) == (4, 4, 16)
    assert (full["window_s"], full["stride_s"], full["dimension"]) == (4.0, 2.0, 512)
    assert "weight-free" in full["encoder_description"]
    extensions = {"vector"} | ({"timescaledb"} if database_server.has_timescaledb else set())
    assert full["extensions"].keys() == extensions
    assert urlsplit(service_database).path[1:] in full["database"]


def test_deleting_counts_paths(service: Service, sirens: list[dict[str, Any]], toy_data: Path):
    stored = service.post("/index", *sirens).json["data"]
    answer = service.post(
        "/delete",
        {"id": "one", "uri": sirens[0]["uri"]},
        {"id": "two", "recording_id": stored[1]["recording_id"]},
        {"id": "rest", "uri": str(toy_data / "siren")},
        {"id": "gone", "uri": sirens[0]["uri"]},
        {"id": "nothing"},
    )

    rows = {row["id"]: row for row in answer.json["data"]}
    assert {key: row["deleted"] for key, row in rows.items()} == {
        **{"one": 1, "two": 1, "rest": 2},
        **{"gone": 0, "nothing": 0},
    }
    assert rows["nothing"]["error_code"] == "parameter.invalid"
    assert answer.json["parameters"]["failed"] == 1
    assert service.post("/status").json["data"][0]["recordings"] == 0


def _problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status == status, answer.text
    assert answer.headers.get_content_type() == "application/problem+json"
    assert answer.json.keys() == {"status", "code", "title", "detail"}
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["title"]
    assert "Traceback" not in answer.text
    return answer.json


def test_an_empty_index_is_a_conflict(service: Service, sirens: list[dict[str, Any]]):
    problem = _problem(service.post("/search", sirens[0]), 409, "store.index_empty")

    assert "index" in problem["detail"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"top_k": 0},
        {"top_k": 1001},
        {"top_k": "many"},
        {"labels": "dog"},
        {"tags": ["x"]},
        {"where": ["n ~ 5"]},
        {"top_k": 1.5},
        {"min_score": float("nan")},
        {"window_size": float("inf")},
        {"tags": {"depth": float("nan")}},
    ],
)
def test_parameters_out_of_range_are_said(
    service: Service, sirens: list[dict[str, Any]], parameters: dict[str, Any]
):
    service.post("/index", sirens[0])

    problem = _problem(service.post("/search", sirens[0], **parameters), 422, "parameter.invalid")
    assert next(iter(parameters)) in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff\xfe", b"[]", b"{}", b'"text"'),
        *(b'{"data": null}', b'{"data": [1]}', b'{"data": [{"uri": 5}]}', b'{"data": [{"tags": "x"}]}'),
        # Half a character: JSON can write it, but nothing can pass it on.
        b'{"data": [{"uri": "\\ud800"}]}',
    ],
)
def test_a_body_that_cannot_be_read_is_said(service: Service, body: bytes):
    _problem(service.request("/search", body), 422, "parameter.invalid")


def test_a_path_that_does_not_exist_is_said(service: Service):
    _problem(service.request("/nothing"), 404, "http.404")
    _problem(service.post("/nothing"), 404, "http.404")
    _problem(service.request("/search"), 405, "http.405")


def test_an_index_of_another_encoder_is_a_conflict(
    service: Service,
    sirens: list[dict[str, Any]],
    database_server: DatabaseServer,
    service_database: str,
):
    service.post("/index", sirens[0])
    # As a collection that was dropped and made again with another encoder.
    database_server.sql(
        "UPDATE soundalike.collections SET encoder = 'another', created_at = now()", url=service_database
    )

    problem = _problem(service.post("/search", sirens[0]), 409, "store.model_mismatch")
    assert "another" in problem["detail"]
    _problem(service.post("/index", sirens[1]), 409, "store.model_mismatch")


def test_a_database_that_goes_and_comes_is_said_and_used_again(
    service: Service,
    sirens: list[dict[str, Any]],
    database_server: DatabaseServer,
    service_database: str,
):
    name = urlsplit(service_database).path[1:]
    service.post("/index", sirens[0])
    database_server.sql(f"DROP DATABASE {name} WITH (FORCE)")
    try:
        problem = _problem(service.post("/search", sirens[0]), 503, "store.unavailable")
        assert name in problem["detail"]
    finally:
        database_server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    assert service.post("/index", sirens[0]).json["data"][0]["outcome"] == "added"


def test_text_that_no_database_can_hold_fails_its_own_document_only(
    service: Service, sirens: list[dict[str, Any]]
):
    answer = service.post("/index", {**sirens[0], "label": "a\x00b"}, sirens[1])

    assert answer.status == 200, answer.text
    assert [row["outcome"] for row in answer.json["data"]] == ["failed", "added"]


def test_requests_at_once_are_all_answered(service: Service, sirens: list[dict[str, Any]]):
    from concurrent.futures import ThreadPoolExecutor

    service.post("/index", *sirens)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: service.post("/search", sirens[n % 4], top_k=1), range(24)))

    for n, answer in enumerate(answers):
        assert answer.json["data"][0]["matches"][0]["uri"] == sirens[n % 4]["uri"]


def test_the_health_check_answers(service: Service):
    assert service.request("/").status == 200


def test_only_this_machine_is_listened_to(service: Service):
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in service.program.everybody()
        for connection in process.net_connections("inet")
        if connection.status == "LISTEN"
    }

    assert {service.port, service.grpc_port} <= {port for _, port in listening}
    assert {address for address, _ in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_no_name_is_looked_up_and_nothing_public_is_connected_to(service: Service):
    """Jina would report the start of each process to its makers, and ask for the public address."""
    from ipaddress import ip_address

    lines = [line.split(" ", 2) for line in service.witness.read_text().splitlines()]
    assert len({pid for pid, _, _ in lines}) >= 5, "each process of the Flow should have been watched"
    names = {place for _, event, place in lines if event != "socket.connect"}
    assert names <= {"'127.0.0.1'", "'localhost'", "None"}
    places = {place.split("'")[1] for _, event, place in lines if event == "socket.connect"}
    assert not [place for place in places if "/" not in place and ip_address(place).is_global]
