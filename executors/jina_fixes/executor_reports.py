"""Let an executor answer Jina's status call with a report of its own.

Jina's ``_status`` tells versions and environment variables, and nothing of how the executor is. There is
no other call that reaches an executor without a request to its endpoints.

It can go when Jina lets an executor serve a gRPC method of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from jina.proto import jina_pb2
from jina.serve.runtimes.worker.request_handling import WorkerRequestHandler

#: Key of the report in the answer.
KEY = "soundalike"
#: Returns the report of an executor.
Report = Callable[[Any], Awaitable[str]]


def answer_status_with(report: Report) -> None:
    """Let the executors of this process answer with a report.

    Parameters
    ----------
    report : callable
        Called with the executor; its text is under `KEY` of the answer's ``envs``.
    """

    async def status(self: Any, empty: Any, context: Any) -> Any:
        answer = jina_pb2.JinaInfoProto()
        answer.envs[KEY] = await report(self._executor)
        return answer

    WorkerRequestHandler._status = status
