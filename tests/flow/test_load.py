"""A Flow that may be asked little: its limits hold over HTTP and gRPC together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from docarray import DocList
from jina import Client
from jina.excepts import BadServerFlow

from executors.messages.documents import Clip, Found, Status

if TYPE_CHECKING:
    from tests.fixtures.service import Service

RATE = 16_000


@pytest.fixture(scope="module")
def narrow(start_launcher: Callable[..., Service], service_environ: dict[str, str]) -> Iterator[Service]:
    """Start a Flow that works on one request at once and lets one wait."""
    limits = {"RATE_LIMIT": "300/hour", "MAX_RUNNING": "1", "MAX_WAITING": "1"}
    environ = {f"SOUNDALIKE_{name}": value for name, value in limits.items()}
    found = start_launcher({**service_environ, **environ})
    yield found
    found.program.kill()


def _client(service: Service) -> Client:
    return Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")


def test_over_grpc_there_are_the_same_places(
    narrow: Service, tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator
):
    minute = rng.uniform(-0.3, 0.3, 60 * RATE)
    long = write_wav(tmp_path / "long.wav", np.tile(minute, 20), subtype="PCM_16")
    client, refused = _client(narrow), []
    with ThreadPoolExecutor(2) as pool:
        # One of them runs, the other waits.
        indexing = [pool.submit(narrow.post, "/index", {"uri": str(long)}) for _ in range(2)]
        while not any(one.done() for one in indexing):
            try:
                client.post("/status", return_type=DocList[Status])
            except BadServerFlow as exc:
                refused.append(str(exc))
            time.sleep(0.1)
        assert [one.result().status for one in indexing] == [200, 200]
    assert refused
    assert all("RESOURCE_EXHAUSTED" in text and "service.busy" in text for text in refused)
    assert len(client.post("/status", return_type=DocList[Status])) == 1


def test_over_grpc_each_message_counts(narrow: Service):
    clips = DocList[Clip](Clip(uri=f"/nowhere/{number}.wav") for number in range(400))
    client = _client(narrow)
    # A client that is still writing when it is turned away may take that for an error of its own.
    with pytest.raises(BadServerFlow):
        client.post("/search", clips, return_type=DocList[Found], request_size=1)
    with pytest.raises(BadServerFlow, match=r"RESOURCE_EXHAUSTED.*service.too_many_requests"):
        client.post("/search", clips[:1], return_type=DocList[Found])
    refused = narrow.request("/api/status")
    assert (refused.status, refused.json["code"]) == (429, "service.too_many_requests")
    assert narrow.request("/health").status == 200
