"""Run blocking calls in a bounded number of threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Workers:
    """Threads with a bound; calls that find none free wait without blocking the event loop.

    Parameters
    ----------
    most : int, optional
        Calls at the same time; default: the number of processors.
    """

    def __init__(self, most: int | None = None) -> None:
        self._limiter = anyio.CapacityLimiter(most or os.cpu_count() or 1)

    async def run(
        self,
        function: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **keywords: _Arguments.kwargs,
    ) -> _Result:
        """Call a function in a thread; return its result or raise its exception."""
        call = partial(function, *arguments, **keywords)
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)
