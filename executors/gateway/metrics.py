"""Metrics for Prometheus; docs/monitoring.md lists them."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from executors.gateway.background.jobs import Jobs
from executors.gateway.guard.load import Slots
from executors.gateway.problems import CODE
from executors.monitoring.logs import log_request
from executors.monitoring.report import Report
from soundalike.errors import error_classes

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OUTCOMES = ("ok", "failed")
_CODES = frozenset(error.code for error in error_classes())
_STATES = ("waiting", "running", "done", "failed", "cancelled")


class Metrics:
    """Counts requests, documents and jobs of this gateway.

    Parameters
    ----------
    jobs : Jobs, optional
        As for `watch`.
    """

    def __init__(self, jobs: Jobs | None = None) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._counter("http_requests", "HTTP requests", "method", "route", "status")
        self._seconds = self._durations(
            "http_request", "Time until the last byte of an HTTP answer", "route"
        )
        self._calls = self._counter("grpc_calls", "gRPC calls that have ended", "method", "code")
        self._messages = self._counter(
            "grpc_requests", "Requests in gRPC calls that the Flow has answered", "endpoint", "outcome"
        )
        self._message_seconds = self._durations(
            "grpc_request", "Time until a gRPC request is answered, waiting included", "endpoint"
        )
        self._documents = self._counter(
            "documents", "Documents of users, over HTTP and gRPC", "endpoint", "outcome"
        )
        self._lookups = self._counter(
            "lookups", "Questions that the gateway itself has asked the Flow", "endpoint", "outcome"
        )
        self._failures = self._counter(
            "failures", "HTTP requests, gRPC requests and documents that have failed", "kind", "code"
        )
        self._indexed = self._counter("indexed_files", "Files that jobs have indexed", "outcome")
        Info("soundalike_build", "Version of the service", registry=self._registry).info(
            {"version": version("soundalike")}
        )
        if jobs is not None:
            self.watch(jobs)

    def watch(self, jobs: Jobs) -> None:
        """Count jobs by state."""
        states = Gauge("soundalike_jobs", "Jobs by state", ["state"], registry=self._registry)
        for state in _STATES:
            states.labels(state).set_function(partial(_count_in, jobs, state))

    def watch_slots(self, slots: Slots) -> None:
        """Show how many requests run, and how many wait."""
        for name, text in (("running", "are worked on"), ("waiting", "wait for their turn")):
            gauge = Gauge(
                f"soundalike_requests_{name}", f"Requests that {text}", registry=self._registry
            )
            gauge.set_function(partial(getattr, slots, name))

    def count_failures(self, kind: str, codes: Mapping[str, int]) -> None:
        """Count failures by code.

        Parameters
        ----------
        kind : str
            ``http`` or ``grpc`` for a request as a whole, ``document`` for one of a request's.
        codes : mapping of str to int
        """
        for code, count in codes.items():
            # An executor of the user's own may make up any number of them.
            known = code if code in _CODES or code.startswith("http.") else "other"
            self._failures.labels(kind, known).inc(count)

    def count_documents(self, endpoint: str, documents: int, failed: int) -> None:
        """Count documents of a user that have gone through the Flow."""
        for outcome, count in zip(_OUTCOMES, (documents - failed, failed), strict=True):
            self._documents.labels(endpoint, outcome).inc(count)

    def count_lookup(self, endpoint: str, *, is_ok: bool) -> None:
        """Count a question that the gateway has asked the Flow for itself."""
        self._lookups.labels(endpoint, _outcome(is_ok=is_ok)).inc()

    def count_grpc_request(self, endpoint: str, seconds: float, *, is_ok: bool) -> None:
        """Count a message over gRPC that the Flow has answered."""
        self._messages.labels(endpoint, _outcome(is_ok=is_ok)).inc()
        self._message_seconds.labels(endpoint).observe(seconds)

    def count_grpc_call(self, method: str, code: str) -> None:
        """Count a gRPC call that has ended."""
        self._calls.labels(method, code).inc()

    def count_indexed(self, results: Iterable[Any]) -> None:
        """Count indexed files by outcome."""
        for outcome, count in Tally(result.outcome for result in results).items():
            self._indexed.labels(outcome).inc(count)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, reports: Sequence[Report] = ()) -> bytes:
        """Return everything in Prometheus' text format, with what the executors have reported."""
        merged: Any = _Merged(self._registry, reports)
        return generate_latest(merged)

    def _durations(self, name: str, text: str, label: str) -> Histogram:
        full = f"soundalike_{name}_duration_seconds"
        return Histogram(full, text, [label], buckets=_SECONDS, registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"soundalike_{name}", text, labels, registry=self._registry)


class _Merged:
    """The metrics of the gateway and of its executors; a registry as far as it is written out."""

    def __init__(self, registry: CollectorRegistry, reports: Sequence[Report]) -> None:
        self._registry = registry
        self._reports = reports

    def collect(self) -> Iterable[Metric]:
        """Return each family once, with the samples of all processes."""
        families = {family.name: family for family in self._registry.collect()}
        up = Metric("soundalike_executor_up", "Whether an executor has answered this scrape", "gauge")
        for report in self._reports:
            labels = {"executor": report.executor, "replica": str(report.replica)}
            up.add_sample(up.name, dict(labels), float(report.is_up))
            labels["host"] = report.host
            for told in report.metrics:
                name = told["name"]
                family = families.setdefault(name, Metric(name, told["help"], told["type"]))
                for sample, own, value in told["samples"]:
                    family.add_sample(sample, {**own, **labels}, value)
        return [*families.values(), up]


def _outcome(*, is_ok: bool) -> str:
    return _OUTCOMES[not is_ok]


def _count_in(jobs: Jobs, state: str) -> int:
    return sum(job.state == state for job in jobs.newest_first())


class Measured:
    """Middleware that counts every request under its route, never under its path.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and count it when it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # A client could make up any number of paths that are not routes.
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - begun
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.count_request(method, route, status, seconds)
            code = scope.get(CODE)
            if code is not None:
                self._metrics.count_failures("http", {code: 1})
            seconds = round(seconds, 6)
            log_request(
                "answered", method=method, route=route, status=status, seconds=seconds, code=code
            )
