"""Fill in the window size and stride of the collection that a request names."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, Optional

from docarray import BaseDoc, DocList
from jina.proto import jina_pb2
from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from jina.types.request.data import DataRequest

from executors.gateway.counting import asked_by_gateway
from executors.jina_fixes.request_steps import Forward
from executors.messages.listings import CollectionDoc
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ModelMismatch

#: Where audio is cut.
_ENDPOINTS = frozenset({"/index", "/search", "/timeline", "/events", "/search_save"})
#: Older values are renewed in the background while requests use them.
_FRESH_S = 2.0


class CollectionWindows:
    """Fill in ``window_size`` and ``stride`` of requests that name only a collection: a step.

    Every request passes here, over HTTP, gRPC and from the gateway's own routes. The Flow itself is
    asked for its collections, because only the indexer can reach the database. Its answer is kept; a
    request that does not fit its collection is sent once more with a new answer.

    Parameters
    ----------
    streamer : GatewayStreamer
        Asked for the collections.
    """

    def __init__(self, streamer: GatewayStreamer) -> None:
        self._streamer = streamer
        self._known: Dict[str, Dict[str, float]] = {}
        self._asked_at = -_FRESH_S
        self._asking: Optional[asyncio.Task[None]] = None

    async def __call__(self, request: DataRequest, forward: Forward) -> DataRequest:
        """Answer a request, filled in."""
        if request.header.exec_endpoint not in _ENDPOINTS:
            return await forward(request)
        given = dict(request.parameters)
        filled = await self._windows_for(given)
        if not filled:
            return await forward(request)
        request.parameters = {**given, **filled}
        answer = await forward(request)
        if _is_mismatch(answer):
            # The collection may have been dropped and created in the meantime.
            await self._ask()
            again = await self._windows_for(given)
            if again != filled:
                request.parameters = {**given, **again}
                answer = await forward(request)
        # An answer repeats the parameters of the request.
        answer.parameters = {key: value for key, value in answer.parameters.items() if key not in filled}
        return answer

    async def _windows_for(self, parameters: Dict[str, Any]) -> Dict[str, float]:
        """Return the parameters that are missing and known."""
        missing = [key for key in ("window_size", "stride") if parameters.get(key) is None]
        name = _collection(parameters)
        if not missing or name is None:
            return {}
        if name not in self._known:
            await self._ask()
        elif time.monotonic() - self._asked_at > _FRESH_S:
            self._begin_to_ask()
        windows = self._known.get(name, {})
        return {key: windows[key] for key in missing if key in windows}

    def _begin_to_ask(self) -> asyncio.Task[None]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._learn())
        return self._asking

    async def _ask(self) -> None:
        """Ask for the collections; an answer to an earlier question is not new enough.

        Others may wait for the same answer, and get it when this one is cancelled.
        """
        if self._asking is not None and not self._asking.done():
            await asyncio.shield(self._asking)
        await asyncio.shield(self._begin_to_ask())

    async def _learn(self) -> None:
        begun = time.monotonic()
        endpoint = "/collections"
        try:
            with asked_by_gateway(endpoint):
                await self._read_collections(endpoint, begun)
        except Exception:
            # The request that asked goes on without, meets the same fault, and is answered with it.
            self._known = {}

    async def _read_collections(self, endpoint: str, begun: float) -> None:
        async for answer in self._streamer.stream_docs(
            docs=DocList[BaseDoc](),
            exec_endpoint=endpoint,
            parameters={"count": False},
            return_results=True,
            return_type=DocList[CollectionDoc],
        ):
            if answer.header.status.code != jina_pb2.StatusProto.ERROR:
                self._known = {
                    doc.name: {"window_size": doc.window_s, "stride": doc.stride_s}
                    for doc in answer.docs
                }
                self._asked_at = begun


def _collection(parameters: Dict[str, Any]) -> Optional[str]:
    """Return the name of the collection that is meant; of several, which are alike, the first."""
    names = parameters.get("collections") or [parameters.get("collection") or DEFAULT_COLLECTION]
    first = names[0] if isinstance(names, list) else None
    return first if isinstance(first, str) else None


def _is_mismatch(answer: DataRequest) -> bool:
    status = answer.header.status
    return bool(
        status.code == jina_pb2.StatusProto.ERROR
        and status.description.startswith(f"{ModelMismatch.code}:")
    )
