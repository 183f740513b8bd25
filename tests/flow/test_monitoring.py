"""One Flow with JSON logs and traces: a request is followed through all processes."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip, Found
from tests.fixtures.service import START_TIMEOUT_S

if TYPE_CHECKING:
    from tests.fixtures.collector import Collector
    from tests.fixtures.service import Service

EXECUTORS = ("segmenter", "encoder", "indexer", "ranker")
#: The stages of a search, and where they run.
STAGES = {
    **{"decode": "segmenter", "mel": "encoder", "batching": "encoder", "network": "encoder"},
    **{"ann": "indexer", "rank": "ranker"},
}


@pytest.fixture(scope="module")
def watched(
    start_launcher: Callable[..., Service],
    service_environ: dict[str, str],
    collector: Collector,
    toy_data: Path,
) -> Iterator[Service]:
    """Start the Flow with JSON logs and traces, and index a sound."""
    own = {
        "SOUNDALIKE_LOG_FORMAT": "json",
        "SOUNDALIKE_TRACES": f"http://127.0.0.1:{collector.port}",
        # Spans are sent at once.
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "SOUNDALIKE_MODEL": "logmel-modulation",
    }
    service = start_launcher({**service_environ, **own})
    siren = {"uri": str(toy_data / "siren" / "siren_1.mp3")}
    assert service.post("/index", siren, collection="watched").status == 200
    yield service
    service.post("/drop", {"name": "watched"})
    service.program.kill()


def _lines(service: Service, request_id: str) -> list[dict[str, Any]]:
    """Return the log lines of a request."""
    lines = [json.loads(line) for line in service.program.said.splitlines() if line[:1] == "{"]
    return [line for line in lines if line.get("request_id") == request_id]


def _processes(service: Service, request_id: str) -> set[str]:
    lines = [line for line in _lines(service, request_id) if line.get("endpoint") == "/search"]
    return {line["process"].partition("/")[0] for line in lines}


def _search(service: Service, toy_data: Path, request_id: str) -> Any:
    query = {"uri": str(toy_data / "queries" / "siren_query_1.mp3")}
    body = json.dumps({"data": [query], "parameters": {"collection": "watched"}}).encode()
    return service.request("/search", body, headers={"X-Request-ID": request_id})


def test_the_id_of_a_request_is_in_the_logs_of_all_processes(
    watched: Service, toy_data: Path, wait_until: Callable[..., Any]
):
    answer = _search(watched, toy_data, "order-4711")
    assert answer.status == 200
    assert answer.headers["X-Request-ID"] == "order-4711"
    wait_until(lambda: _processes(watched, "order-4711") == set(EXECUTORS), "all have logged")

    def last() -> Any:
        return [line for line in _lines(watched, "order-4711") if line["message"] == "answered"]

    (answered,) = wait_until(last, "the gateway has logged")
    assert answered["route"] == "/search"
    assert (answered["status"], answered["code"]) == (200, None)
    assert answered["seconds"] > 0


def test_an_id_that_cannot_be_logged_is_replaced(watched: Service, wait_until: Callable[..., Any]):
    answer = watched.request("/nowhere", headers={"X-Request-ID": 'a"b c'})
    assert answer.status == 404
    (line,) = wait_until(lambda: _lines(watched, answer.headers["X-Request-ID"]), "it is logged")
    assert (line["status"], line["code"]) == (404, "http.404")


def test_grpc_takes_the_id_from_metadata_or_from_the_request(
    watched: Service, toy_data: Path, wait_until: Callable[..., Any]
):
    client = Client(host="127.0.0.1", port=watched.grpc_port, protocol="grpc")
    clips = DocList[Clip]([Clip(uri=str(toy_data / "queries" / "siren_query_1.mp3"))])
    ids: list[str] = []
    for metadata in ((("x-request-id", "call-9"),), None):
        client.post(
            "/search",
            clips,
            return_type=DocList[Found],
            parameters={"collection": "watched"},
            metadata=metadata,
            on_done=lambda answer: ids.append(answer.header.request_id),
        )
    assert ids[0] == "call-9"
    assert len(ids[1]) == 32
    for request_id in ids:
        wait_until(lambda one=request_id: _processes(watched, one) >= set(EXECUTORS), "all have logged")


def test_grpc_returns_the_id_in_metadata(watched: Service):
    with grpc.insecure_channel(f"127.0.0.1:{watched.grpc_port}") as channel:
        call = channel.stream_stream("/jina.JinaRPC/Call")
        answers = call(iter([]), metadata=(("x-request-id", "call-10"),), timeout=START_TIMEOUT_S)
        assert dict(answers.initial_metadata())["x-request-id"] == "call-10"


def test_a_trace_has_the_executors_below_the_gateway_and_stages_below_them(
    watched: Service, collector: Collector, toy_data: Path, wait_until: Callable[..., Any]
):
    _search(watched, toy_data, "traced-1")

    def root() -> Any:
        found = [
            span
            for span in collector.spans
            if span.name == "POST /search" and span.attributes.get("soundalike.request_id") == "traced-1"
        ]
        return found and found[0]

    # Batches of the network belong to no single request.
    traced = STAGES.keys() - {"network"}
    top = wait_until(root, "the gateway's span has come")
    assert top.parent == ""
    assert top.attributes["http.status_code"] == 200

    def all_spans() -> Any:
        spans = [span for span in collector.spans if span.trace == top.trace]
        names, ids = {span.name for span in spans}, {span.id for span in spans}
        is_whole = all(span.parent in ids for span in spans if span != top)
        return spans if is_whole and names >= traced else None

    spans = wait_until(all_spans, "the stages have come")
    by_id = {span.id: span for span in spans}

    def ancestors(span: Any) -> list[str]:
        above = by_id.get(span.parent)
        return (
            []
            if above is None
            else [f"{above.process.partition('/')[0]} {above.name}", *ancestors(above)]
        )

    for name in traced:
        (span,) = [one for one in spans if one.name == name]
        assert span.process.partition("/")[0] == STAGES[name]
        assert ancestors(span) == [
            f"{STAGES[name]} /search",
            "gateway /jina.JinaSingleDataRequestRPC/process_single_data",
            "gateway POST /search",
        ]
    served = [span for span in spans if span.attributes.get("soundalike.request_id") == "traced-1"]
    assert {span.process.partition("/")[0] for span in served} == {"gateway", *EXECUTORS}


def test_each_stage_is_measured_in_its_executor(watched: Service, toy_data: Path):
    _search(watched, toy_data, "measured-1")
    text = watched.request("/metrics").text
    for stage, executor in STAGES.items():
        host = socket.gethostname()
        labels = f'{{executor="{executor}",host="{host}",replica="0",stage="{stage}"}}'
        assert f"soundalike_stage_duration_seconds_count{labels}" in text
        others = [line for line in text.splitlines() if f'stage="{stage}"' in line]
        assert {line.split('executor="')[1].split('"')[0] for line in others} == {executor}


def test_readiness_names_all_parts(watched: Service):
    assert watched.request("/ready").json == {
        "status": "ready",
        "checks": dict.fromkeys(("gateway", *EXECUTORS), "ok"),
        "partial": False,
    }
