"""Requests that are refused before an executor sees them, whatever protocol they come by."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from jina.proto import jina_pb2
from jina.types.request.data import DataRequest

from executors.gateway.flow.admission import Admission
from soundalike.errors import UnknownParameter

ERROR = jina_pb2.StatusProto.ERROR


class Names:
    """Knows ``top_k``, also as ``limit``."""

    is_reached = True

    async def learn(self) -> None:
        """Ask the executors."""
        if not self.is_reached:
            raise ConnectionError

    def checked(self, endpoint: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return parameters by their proper names."""
        assert endpoint == "/search"
        if unknown := given.keys() - {"top_k", "limit"}:
            raise UnknownParameter(f"there is no parameter {unknown.pop()!r}")
        return dict.fromkeys(["top_k"], *given.values())


def admitted(parameters: dict[str, Any], *, executor: str = "", names: Any = None) -> Any:
    """Return the answer to a request, and the parameters that came to the executors; None: none came."""
    seen: list[dict[str, Any]] = []

    async def forward(request: DataRequest) -> DataRequest:
        seen.append(dict(request.parameters))
        return request

    async def run() -> DataRequest:
        request = DataRequest()
        request.header.exec_endpoint = "/search"
        request.header.target_executor = executor
        request.parameters = parameters
        return await Admission(names or Names())(request, forward)

    return asyncio.run(run()), (seen or [None])[0]


@pytest.mark.parametrize("name", ["top_k", "limit"])
def test_known_parameters_are_sent_on_by_their_proper_names(name: str):
    answer, sent = admitted({name: 3})
    assert sent == {"top_k": 3}
    assert answer.header.status.code != ERROR


@pytest.mark.parametrize(
    ("parameters", "executor", "said"),
    [
        ({"topk": 3}, "", "there is no parameter 'topk'"),
        ({"top_k": float("nan")}, "", "parameters.top_k is nan"),
        ({"top_k": {"deep": [float("inf")]}}, "", "parameters.top_k.deep[0] is inf"),
        ({"top_k": 3}, "indexer", "names the executor 'indexer'"),
    ],
)
def test_others_are_answered_with_the_error(parameters: dict[str, Any], executor: str, said: str):
    answer, sent = admitted(parameters, executor=executor)
    assert sent is None
    assert answer.header.status.code == ERROR
    assert said in answer.header.status.description
    # The client could not read such numbers either.
    assert dict(answer.parameters) == {}


def test_where_an_executor_cannot_be_reached_the_request_finds_that_out():
    names = Names()
    names.is_reached = False
    assert admitted({"unknown": 3}, names=names)[1] == {"unknown": 3}
