"""Build the schemas of an executor's endpoints once.

The gateway's health check asks for it each time, because the answer needs the executor's process and
nothing else. Jina builds all JSON schemas again for each answer, which took 0.4 s of processor time.
It can go when Jina keeps them.
"""

from __future__ import annotations

from typing import Any

from jina.serve.runtimes.worker.request_handling import WorkerRequestHandler


def discover_endpoints_once() -> None:
    """Let executors of this process keep the answer."""
    inner: Any = WorkerRequestHandler.endpoint_discovery
    if getattr(inner, "is_kept", False):
        return

    async def endpoint_discovery(self: Any, empty: Any, context: Any) -> Any:
        if "_discovered" not in vars(self):
            self._discovered = await inner(self, empty, context)
        return self._discovered

    endpoint_discovery.is_kept = True  # type: ignore[attr-defined]
    WorkerRequestHandler.endpoint_discovery = endpoint_discovery
