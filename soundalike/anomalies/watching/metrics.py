"""Metrics of a watched folder, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

_OUTCOMES = ("normal", "anomalous", "failed")


class WatchMetrics:
    """Counts scored files, hooks and failures.

    Parameters
    ----------
    name : str
        Name of the model, a label of all metrics.
    """

    def __init__(self, name: str) -> None:
        self._registry = CollectorRegistry()
        self._name = name
        self._files = Counter(
            "soundalike_watched_files",
            "Watched files by outcome",
            ["model", "outcome"],
            registry=self._registry,
        )
        self._hooks = Counter(
            "soundalike_watch_hooks",
            "Calls of hooks",
            ["model", "hook", "outcome"],
            registry=self._registry,
        )
        self._score = self._gauge("last_score", "Score of the last file, relative to the threshold")
        self._waiting = self._gauge(
            "waiting_files", "Files that are still written to, or not scored yet"
        )
        self._is_there = self._gauge("folder_available", "1 if the folder can be read")
        for outcome in _OUTCOMES:
            self._files.labels(name, outcome)

    def serve(self, port: int, host: str) -> Callable[[], None]:
        """Serve the metrics at ``/metrics``; return the function that stops that.

        Raises
        ------
        OSError
            The port is in use.
        """
        server, thread = start_http_server(port, host, registry=self._registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def count_file(self, outcome: str, relative_score: float | None = None) -> None:
        """Count a file that was scored, or failed."""
        self._files.labels(self._name, outcome).inc()
        if relative_score is not None:
            self._score.labels(self._name).set(relative_score)

    def count_hook(self, hook: str, *, is_ok: bool) -> None:
        """Count a call of a hook."""
        self._hooks.labels(self._name, hook, "ok" if is_ok else "failed").inc()

    def note_folder(self, *, is_there: bool, n_waiting: int = 0) -> None:
        """Note whether the folder can be read, and how many files wait."""
        self._is_there.labels(self._name).set(is_there)
        self._waiting.labels(self._name).set(n_waiting)

    def value(self, metric: str, **labels: str) -> float | None:
        """Return the value of a metric."""
        return self._registry.get_sample_value(metric, {"model": self._name, **labels})

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"soundalike_watch_{name}", text, ["model"], registry=self._registry)
