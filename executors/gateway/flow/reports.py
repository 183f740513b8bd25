"""Ask every executor how it is: its metrics, and why it cannot work."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, List, Optional

from executors.jina_fixes.executor_reports import KEY
from executors.monitoring.report import Report

#: Longer than an executor takes to check its database.
_TIMEOUT_S = 3.0
#: Readiness needs no key; so often at most the executors are asked for it.
_KEEP_S = 1.0


class Reports:
    """Asks the executors of a Flow.

    Parameters
    ----------
    streamer : jina.serve.runtimes.gateway.streamer.GatewayStreamer
    """

    def __init__(self, streamer: Any) -> None:
        self._streamer = streamer
        self._kept: Optional[asyncio.Task[List[Report]]] = None
        self._kept_since = 0.0

    async def ask(self) -> List[Report]:
        """Return the reports of all replicas, by executor in the order of the Flow."""
        connections = self._streamer._connection_pool._connections
        questions = [
            _ask(name, number, connection)
            for name in self._streamer._executor_addresses
            for number, connection in enumerate(
                connections.get_replicas(
                    name, head=True, increase_access_count=False
                ).get_all_connections()
            )
        ]
        return list(await asyncio.gather(*questions))

    async def recent(self) -> List[Report]:
        """Return reports that are at most a second old."""
        now = time.monotonic()
        if self._kept is None or (self._kept.done() and now - self._kept_since > _KEEP_S):
            self._kept, self._kept_since = asyncio.ensure_future(self.ask()), now
        return await asyncio.shield(self._kept)


async def _ask(name: str, number: int, connection: Any) -> Report:
    # Jina has None in the place of a connection that it is opening again.
    if connection is None:
        return Report(name, number, is_up=False)
    try:
        answer = await asyncio.wait_for(connection.send_info_rpc(_TIMEOUT_S), 2 * _TIMEOUT_S)
        # An executor of the user's own, without one of our base classes, sends no report.
        return Report(name, number, is_up=True, **json.loads(answer.envs.get(KEY, "{}")))
    except Exception:
        return Report(name, number, is_up=False)
