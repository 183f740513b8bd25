"""Let a gRPC server answer the requests that it has before it stops.

Jina closes the executor first, also where requests are under way in it, and then breaks their
connections. At the gateway it closes the connections to the executors while HTTP requests need them.

It can go when ``GRPCServer.shutdown`` stops the server with a grace period, and closes the request
handler after that.
"""

from __future__ import annotations

from typing import Any

from jina.serve.runtimes.servers import BaseServer
from jina.serve.runtimes.servers.grpc import GRPCServer

#: Seconds that requests may take; a supervisor may kill the process before.
GRACE_S = 20.0


def stop_in_order() -> None:
    """Let the executors of this process finish their requests."""
    GRPCServer.shutdown = _stopped_in_order


async def stop_accepting(server: Any, grace_s: float = GRACE_S) -> None:
    """Send callers elsewhere, and wait until the requests that have begun are answered.

    Parameters
    ----------
    server : GRPCServer
    grace_s : float
        Requests that take longer are cancelled.
    """
    await server.health_servicer.enter_graceful_shutdown()
    # Callers get a GOAWAY: they use other connections for what follows.
    await server.server.stop(grace_s)


async def _stopped_in_order(self: Any) -> None:
    await stop_accepting(self)
    await self._request_handler.close()
    await BaseServer.shutdown(self)
