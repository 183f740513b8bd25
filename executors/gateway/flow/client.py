"""Send requests from plain HTTP routes to the executors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Dict, List, Type, TypeVar

from docarray import BaseDoc, DocList
from jina.excepts import InternalNetworkError
from jina.proto import jina_pb2
from starlette.exceptions import HTTPException

from executors.gateway.counting import asked_by_gateway
from soundalike.errors import ServiceError

_Doc = TypeVar("_Doc", bound=BaseDoc)
_HEALTH_TIMEOUT_S = 3.0


class FlowClient:
    """Asks the Flow's endpoints from within the gateway.

    Parameters
    ----------
    streamer : jina.serve.runtimes.gateway.streamer.GatewayStreamer
    """

    def __init__(self, streamer: Any) -> None:
        self._streamer = streamer

    async def ask(
        self,
        endpoint: str,
        docs: Sequence[BaseDoc],
        answer: Type[_Doc],
        parameters: Dict[str, Any] | None = None,
    ) -> List[_Doc]:
        """Send documents through the Flow.

        Parameters
        ----------
        endpoint : str
            Like ``/search``.
        docs : sequence of BaseDoc
            All of one class.
        answer : type
            Of the documents that come back.
        parameters : dict, optional
            JSON-compatible.

        Raises
        ------
        HTTPException
            The request failed as a whole; `problem_of` takes its detail.
        ServiceError
            An executor cannot be reached.
        """
        kind: Any = type(docs[0]) if docs else BaseDoc
        given = DocList[kind](docs)
        try:
            with asked_by_gateway(endpoint):
                async for response in self._streamer.stream_docs(
                    docs=given,
                    exec_endpoint=endpoint,
                    parameters=parameters or None,
                    return_results=True,
                    return_type=DocList[answer],  # type: ignore[valid-type]
                ):
                    status = response.header.status
                    if status.code == jina_pb2.StatusProto.ERROR:
                        raise HTTPException(500, status.description)
                    return list(response.data.docs)
        except InternalNetworkError as exc:
            raise ServiceError(
                f"an executor cannot be reached ({_first_line(exc)}); see /health"
            ) from exc
        raise ServiceError(f"the Flow gave no answer to {endpoint}; see /health")

    async def one(
        self,
        endpoint: str,
        doc: BaseDoc,
        answer: Type[_Doc],
        parameters: Dict[str, Any] | None = None,
    ) -> _Doc:
        """Send one document; parameters and errors are those of `ask`."""
        (found,) = await self.ask(endpoint, [doc], answer, parameters)
        return found

    async def health(self) -> Dict[str, str]:
        """Return ``ok`` or the fault of each executor by its name."""
        names = list(self._streamer._executor_addresses)
        states = await asyncio.gather(*(self._state_of(name) for name in names))
        return dict(zip(names, states, strict=True))

    async def _state_of(self, name: str) -> str:
        """Ask an executor which endpoints it has, which needs its process and nothing else."""
        try:
            question = self._streamer._connection_pool.send_discover_endpoint(
                name, timeout=_HEALTH_TIMEOUT_S, retries=0
            )
            answer = await asyncio.wait_for(question, 2 * _HEALTH_TIMEOUT_S)
        except TimeoutError:
            return f"no answer within {2 * _HEALTH_TIMEOUT_S:g} s"
        except Exception as exc:
            return _first_line(exc)
        # Jina returns nothing where the connection broke while it was asking.
        return "ok" if answer else "the connection broke"


def _first_line(exc: BaseException) -> str:
    details = exc.details() if isinstance(exc, InternalNetworkError) else str(exc)
    return (details or type(exc).__name__).strip().splitlines()[0]
