"""Prometheus metrics of the stages that run in this process."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, Dict, List, Tuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from soundalike.runtime.stages import observe

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_FILLS = (0.125, 0.25, 0.5, 0.75, 1)
#: Times at which series began; they would double the number of series.
_CREATED = "_created"


class StageMetrics:
    """Durations of stages, and values of the encoder.

    An observer of `soundalike.runtime.stages`. A series begins when it is first counted, so that an
    executor shows its own stages only.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._seconds = Histogram(
            "soundalike_stage_duration_seconds",
            "Time that a stage of the work took",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._requests = Counter(
            "soundalike_executor_requests",
            "Requests that an executor has answered",
            ["endpoint", "outcome"],
            registry=self.registry,
        )

    def stage(self, name: str, seconds: float) -> None:
        """Count a stage that has ended."""
        self._seconds.labels(name).observe(seconds)

    def value(self, name: str, value: float) -> None:
        """Keep a value."""
        fill, queued = self._of_encoder
        if name == "batch_fill":
            fill.observe(value)
        else:
            queued.set(value)

    @cached_property
    def _of_encoder(self) -> Tuple[Histogram, Gauge]:
        """Fill of batches, and length of the queue; other executors have none of them."""
        fill = Histogram(
            "soundalike_batch_fill_ratio",
            "Patches in a batch of the network, divided by the size of a batch",
            buckets=_FILLS,
            registry=self.registry,
        )
        text = "Patches that wait for the network"
        return fill, Gauge("soundalike_queued_patches", text, registry=self.registry)

    def count_request(self, endpoint: str, *, is_ok: bool) -> None:
        """Count a request that the executor has answered."""
        self._requests.labels(endpoint, "ok" if is_ok else "failed").inc()

    def families(self) -> List[Dict[str, Any]]:
        """Return all metrics in a form that JSON can hold."""
        return [
            {
                "name": family.name,
                "help": family.documentation,
                "type": family.type,
                "samples": [
                    [sample.name, sample.labels, sample.value]
                    for sample in family.samples
                    if not sample.name.endswith(_CREATED)
                ],
            }
            for family in self.registry.collect()
        ]


@lru_cache(maxsize=1)
def stage_metrics() -> StageMetrics:
    """Return the metrics of this process, which observe the stages from the first call on."""
    metrics = StageMetrics()
    observe(metrics)
    return metrics
