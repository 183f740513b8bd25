"""The whole Flow over HTTP: start-up, indexing, search, memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from soundalike.cli.demo import Service, running_service
from soundalike.cli.serve import find_flow
from soundalike.config import Settings

_BATCH = 16
_SEARCHES = 200
_WARM_UP = 20


def measure(sounds: Sequence[Path], settings: Settings) -> dict[str, Any]:
    """Return start-up time, seconds to index, search latency in ms, and memory by process."""
    started = time.perf_counter()
    with running_service(find_flow(None), settings) as service:
        ready_s = time.perf_counter() - started
        index_s = _index(service, sounds)
        latencies = _search(service, sounds)
        memory = memory_by_process()
    return {
        "ready_s": round(ready_s, 2),
        "index_s": round(index_s, 2),
        "search_p50_ms": round(statistics.median(latencies), 1),
        "search_p95_ms": round(statistics.quantiles(latencies, n=20)[-1], 1),
        "searches": len(latencies),
        "memory_mb": memory,
    }


def _index(service: Service, sounds: Sequence[Path]) -> float:
    started = time.perf_counter()
    for begin in range(0, len(sounds), _BATCH):
        documents = [{"uri": str(path)} for path in sounds[begin : begin + _BATCH]]
        service.post("/index", documents)
    return time.perf_counter() - started


def _search(service: Service, sounds: Sequence[Path]) -> list[float]:
    latencies = []
    for number in range(_WARM_UP + _SEARCHES):
        path = sounds[number % len(sounds)]
        started = time.perf_counter()
        service.post("/search", [{"uri": str(path)}], top_k=10)
        latencies.append((time.perf_counter() - started) * 1e3)
    return latencies[_WARM_UP:]


def memory_by_process() -> dict[str, int]:
    """Return the resident memory of the Flow's processes in MB: of all, and of the largest."""
    below = psutil.Process().children(recursive=True)
    sizes = [round(process.memory_info().rss / 2**20) for process in below]
    return {"processes": len(sizes), "sum": sum(sizes), "largest": max(sizes)}
