"""Metrics and readiness of executors, as the gateway gets them."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from docarray import DocList
from prometheus_client.parser import text_string_to_metric_families

from executors.gateway.api import routes_service
from executors.gateway.flow.reports import Reports
from executors.gateway.guard.stopping import Stopping
from executors.gateway.metrics import Metrics
from executors.jina_fixes.executor_reports import KEY
from executors.messages.documents import Clip, SegmentedClip
from executors.messages.parameters import SearchParameters
from executors.monitoring import traces, watching
from executors.monitoring.report import Report
from executors.monitoring.request_ids import usable_id
from executors.monitoring.stage_metrics import StageMetrics, stage_metrics
from soundalike.errors import ConfigError, StoreUnavailable


def _samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def _counts() -> dict[str, float]:
    """Return how often each stage has run in this process."""
    (family,) = [
        family
        for family in stage_metrics().families()
        if family["name"] == "soundalike_stage_duration_seconds"
    ]
    return {
        labels["stage"]: value for name, labels, value in family["samples"] if name.endswith("_count")
    }


def test_segmenter_and_encoder_count_their_stages(load_executor: Any, tone_file: Any):
    segmenter = load_executor("audio_segmenter")
    encoder = load_executor("vggish_encoder", model="logmel-modulation", batch_size=8)
    before = _counts()
    cut = segmenter.segment_queries(DocList[Clip]([Clip(uri=str(tone_file()))]))
    encoder.encode_queries(DocList[SegmentedClip](cut), SearchParameters())
    grown = {name: count - before.get(name, 0) for name, count in _counts().items()}
    # Ten seconds have 11 patches or so: two batches of 8.
    assert grown["decode"] == 1
    assert grown["mel"] == grown["batching"] == grown["network"] == 2
    names = {family["name"] for family in stage_metrics().families()}
    assert {"soundalike_batch_fill_ratio", "soundalike_queued_patches"} <= names
    assert stage_metrics()._of_encoder[1]._value.get() == 0


def test_families_of_all_processes_are_merged():
    one, other = StageMetrics(), StageMetrics()
    one.stage("decode", 0.02)
    other.stage("ann", 0.3)
    other.count_request("/search", is_ok=False)
    told = [json.loads(json.dumps(metrics.families())) for metrics in (one, other)]
    text = Metrics().text(
        [
            Report("segmenter", 0, is_up=True, metrics=told[0], host="a"),
            Report("indexer", 1, is_up=True, metrics=told[1], host="b"),
            Report("ranker", 0, is_up=False),
        ]
    )
    found = _samples(text)
    stage = "soundalike_stage_duration_seconds"
    key = (("executor", "segmenter"), ("host", "a"), ("replica", "0"), ("stage", "decode"))
    assert found[f"{stage}_count", key] == 1
    assert found[f"{stage}_sum", key] == pytest.approx(0.02)
    assert found[f"{stage}_bucket", (*key[:2], ("le", "0.025"), *key[2:])] == 1
    assert found[f"{stage}_bucket", (*key[:2], ("le", "0.01"), *key[2:])] == 0
    failed = (
        *(("endpoint", "/search"), ("executor", "indexer"), ("host", "b")),
        *(("outcome", "failed"), ("replica", "1")),
    )
    assert found["soundalike_executor_requests_total", failed] == 1
    up = "soundalike_executor_up"
    assert found[up, (("executor", "indexer"), ("replica", "1"))] == 1
    assert found[up, (("executor", "ranker"), ("replica", "0"))] == 0
    lines = text.decode().splitlines()
    assert lines.count(f"# TYPE {stage} histogram") == 1
    # An executor has no stages of others.
    assert not [name for name, labels in found if ("stage", "rank") in labels]


def test_failures_are_counted_by_code_and_unknown_codes_together():
    metrics = Metrics()
    metrics.count_failures("document", {"audio.not_found": 2, "made.up": 3, "made.also": 1})
    metrics.count_failures("http", {"http.404": 1})
    found = _samples(metrics.text())
    name = "soundalike_failures_total"
    assert found[name, (("code", "audio.not_found"), ("kind", "document"))] == 2
    assert found[name, (("code", "other"), ("kind", "document"))] == 4
    assert found[name, (("code", "http.404"), ("kind", "http"))] == 1


def test_a_report_has_the_code_that_keeps_an_executor_from_working(monkeypatch: pytest.MonkeyPatch):
    def faults(executor: Any) -> Any:
        return json.loads(asyncio.run(watching.report_of(executor)))["faults"]

    def unavailable() -> None:
        raise StoreUnavailable("the database postgresql://ann@db.example cannot be used")

    def broken() -> None:
        raise ZeroDivisionError

    assert faults(SimpleNamespace()) == []
    assert faults(SimpleNamespace(check_ready=lambda: None)) == []
    assert faults(SimpleNamespace(check_ready=unavailable)) == ["store.unavailable"]
    assert faults(SimpleNamespace(check_ready=broken)) == ["soundalike.error"]


def test_a_check_that_hangs_is_a_fault_and_runs_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "CHECK_S", 0.01)
    release, calls = threading.Event(), []

    def hang() -> None:
        calls.append(1)
        release.wait(10)

    async def ask_twice() -> list[Any]:
        executor = SimpleNamespace(check_ready=hang)
        found = [json.loads(await watching.report_of(executor))["faults"] for _ in range(2)]
        release.set()
        return found

    assert asyncio.run(ask_twice()) == [["service.unavailable"]] * 2
    assert calls == [1]


def test_the_gateway_asks_all_replicas_and_survives_silent_ones():
    class Connection:
        def __init__(self, answer: Any) -> None:
            self._answer = answer
            self.asked = 0

        async def send_info_rpc(self, timeout: float) -> Any:
            self.asked += 1
            if isinstance(self._answer, Exception):
                raise self._answer
            return SimpleNamespace(envs=self._answer)

    good = Connection({KEY: json.dumps({"metrics": [], "faults": ["store.unavailable"]})})
    # One of the user's own executors, one that is gone, one that Jina connects again.
    lists = {"indexer": [good, Connection({})], "ranker": [Connection(OSError("gone")), None]}

    class Connections:
        def get_replicas(self, name: str, **_: Any) -> Any:
            return SimpleNamespace(get_all_connections=lambda: lists[name])

    streamer = SimpleNamespace(
        _executor_addresses=lists, _connection_pool=SimpleNamespace(_connections=Connections())
    )

    async def ask() -> list[Report]:
        reports = Reports(streamer)
        await asyncio.gather(reports.recent(), reports.recent())
        return await reports.recent()

    assert asyncio.run(ask()) == [
        Report("indexer", 0, is_up=True, faults=["store.unavailable"]),
        Report("indexer", 1, is_up=True),
        Report("ranker", 0, is_up=False),
        Report("ranker", 1, is_up=False),
    ]
    # Anybody may ask whether the service is ready; the executors are asked once a second.
    assert good.asked == 1


@pytest.mark.parametrize("given", ["a b", "", None, "x" * 129, 'a"b', "a\n", "ä"])
def test_ids_that_cannot_be_logged_are_replaced(given: str | None):
    assert len(usable_id(given)) == 32
    assert usable_id(given) != given


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [
        ("http://localhost:4317", "http://localhost", 4317),
        ("https://collector.example/", "https://collector.example", 4317),
        ("http://[::1]:9", "http://[::1]", 9),
    ],
)
def test_traces_go_to_the_address_that_is_set(given: str, host: str, port: int):
    assert traces.tracing_options({"SOUNDALIKE_TRACES": given}) == {
        "tracing": True,
        "traces_exporter_host": host,
        "traces_exporter_port": port,
    }


def test_traces_are_off_without_an_address():
    assert traces.tracing_options({}) == {}


@pytest.mark.parametrize(
    "given",
    [
        "localhost:4317",
        "yes",
        "ftp://a:1",
        "http://",
        "http://a:b",
        "http://ann:secret@a:1",
        "http://a:1/x",
    ],
)
def test_an_address_of_traces_that_cannot_be_used(given: str):
    with pytest.raises(ConfigError, match="give the address of a collector") as caught:
        traces.tracing_options({"SOUNDALIKE_TRACES": given})
    assert "secret" not in str(caught.value)


def test_a_gateway_that_stops_is_not_ready():
    async def recent() -> list[Report]:
        return [Report("encoder", 0, is_up=True)]

    async def answer() -> Any:
        stopping = Stopping()
        await stopping.drain()
        context: Any = SimpleNamespace(reports=SimpleNamespace(recent=recent), stopping=stopping)
        return await routes_service.get_ready(context)

    response = asyncio.run(answer())
    assert response.status_code == 503
    assert json.loads(response.body)["checks"] == {"gateway": "stopping", "encoder": "ok"}


def test_readiness_names_what_does_not_work():
    def answer(*reports: Report) -> tuple[int, dict[str, Any]]:
        async def recent() -> list[Report]:
            return list(reports)

        reports_ = SimpleNamespace(recent=recent)
        context: Any = SimpleNamespace(reports=reports_, stopping=Stopping())
        response = asyncio.run(routes_service.get_ready(context))
        return response.status_code, json.loads(bytes(response.body))

    encoder = Report("encoder", 0, is_up=True)
    silent, broken = (
        Report("ranker", 0, is_up=False),
        Report("indexer", 0, is_up=True, faults=["store.unavailable"]),
    )
    assert answer(encoder, silent, broken) == (
        503,
        {
            "status": 503,
            "code": "service.unavailable",
            "title": "Service Unavailable",
            "detail": "not ready (ranker: no answer, indexer: store.unavailable)",
            "checks": {
                **{"gateway": "ok", "encoder": "ok"},
                **{"ranker": "no answer", "indexer": "store.unavailable"},
            },
        },
    )
    # One replica that works is enough, whichever it is.
    other = Report("ranker", 1, is_up=True)
    for replicas in ((silent, other), (other, silent)):
        checks = {"gateway": "ok", "ranker": "ok"}
        assert answer(*replicas) == (200, {"status": "ready", "checks": checks, "partial": False})
    # A database of several is away: searches are answered by the others.
    partial = Report("indexer", 0, is_up=True, is_partial=True)
    checks = {"gateway": "ok", "indexer": "ok"}
    assert answer(partial) == (200, {"status": "ready", "checks": checks, "partial": True})
