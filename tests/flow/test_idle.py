"""Connections that are open for long."""

from __future__ import annotations

import time
from contextlib import ExitStack

import grpc
import psutil

from tests.fixtures.service import Service

#: gRPC asks once a second at most; Jina asks every 10 s, and a server has enough after three times.
_IMPATIENT = [
    ("grpc.keepalive_time_ms", 50),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
_ENOUGH_S = 5.0


def _ports_of(service: Service) -> set[int]:
    """Return the ports on which the gateway and the executors listen for gRPC."""
    listening = {
        connection.laddr.port
        for process in service.program.everybody()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    return listening - {service.port}


def test_no_connection_is_cut_because_it_was_asked_too_often_whether_it_lives(service: Service):
    states: dict[int, list[grpc.ChannelConnectivity]] = {port: [] for port in _ports_of(service)}
    assert len(states) >= 5, "gateway, segmenter, encoder, indexer, ranker"
    with ExitStack() as stack:
        for port, seen in states.items():
            channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}", _IMPATIENT))
            channel.subscribe(seen.append, try_to_connect=True)
            grpc.channel_ready_future(channel).result(timeout=10)
        time.sleep(_ENOUGH_S)
        for port, seen in states.items():
            assert seen.count(grpc.ChannelConnectivity.READY) == 1, (port, seen)
            assert seen[-1] is grpc.ChannelConnectivity.READY, (port, seen)
