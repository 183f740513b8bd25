"""Whoever names a collection need not name its windows, over HTTP and over gRPC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip, Found, Indexed

if TYPE_CHECKING:
    from tests.fixtures.service import Service

SECONDS = {"collection": "seconds"}


@pytest.fixture
def sirens(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    """Index two sirens in a collection of 1 s windows, and return all of them."""
    found = [{"uri": str(path)} for path in sorted((toy_data / "siren").iterdir())]
    service.post("/index", *found[:2], **SECONDS, window_size=1, stride=1)
    return found


def test_every_request_needs_only_the_name(service: Service, sirens: list[dict[str, Any]]):
    (added,) = service.post("/index", sirens[2], **SECONDS).json["data"]
    (found,) = service.post("/search", sirens[0], **SECONDS).json["data"]
    counted = service.post("/timeline", sirens[0], **SECONDS, min_score=0.9)

    assert (added["outcome"], added["n_windows"]) == ("added", 10)
    assert {match["end_s"] - match["start_s"] for match in found["matches"]} == {1.0}
    assert counted.status == 200
    (several,) = service.post("/search", sirens[0], collections=["seconds"]).json["data"]
    assert several["matches"] == found["matches"]


def test_over_grpc_too(service: Service, sirens: list[dict[str, Any]]):
    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
    clip = Clip(uri=sirens[3]["uri"])
    (added,) = client.post("/index", clip, return_type=DocList[Indexed], parameters=SECONDS)
    for stream in (True, False):
        (found,) = client.post(
            "/search", clip, return_type=DocList[Found], parameters=SECONDS, stream=stream
        )
        assert found.matches[0].uri == clip.uri
        assert found.matches[0].end_s - found.matches[0].start_s == 1
    assert added.n_windows == 10


def test_windows_that_are_given_are_taken(service: Service, sirens: list[dict[str, Any]]):
    wrong = service.post("/search", sirens[0], **SECONDS, window_size=2)
    assert (wrong.status, wrong.json["code"]) == (409, "store.model_mismatch")
    assert "2 s windows every 1 s" in wrong.json["detail"]


def test_a_collection_that_was_made_anew_is_seen_at_once(
    service: Service, sirens: list[dict[str, Any]], service_database: str, database_server: Any
):
    assert service.post("/search", sirens[0], **SECONDS).status == 200
    database_server.sql("DROP SCHEMA soundalike CASCADE", url=service_database)
    service.post("/index", *sirens[:2], **SECONDS, window_size=2, stride=2)

    (found,) = service.post("/search", sirens[0], **SECONDS).json["data"]
    assert {match["end_s"] - match["start_s"] for match in found["matches"]} == {2.0}


def test_a_collection_that_is_not_there_is_made_with_the_windows_of_the_flow(
    service: Service, sirens: list[dict[str, Any]]
):
    missing = service.post("/search", sirens[0], collection="new")
    assert (missing.status, missing.json["code"]) == (409, "store.index_empty")
    (added,) = service.post("/index", sirens[0], collection="new").json["data"]
    assert added["n_windows"] == 4
    for odd in (5, "No!", [], ["x"]):
        answer = service.post("/search", sirens[0], collection=odd)
        assert answer.status == 422, (odd, answer.text)
