"""Work that blocks, in threads, and never in more of them than there are processors for it."""

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
    """Threads with a bound; those who find none free wait without blocking anybody else.

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
        """Call a function in a thread; return or raise what it does."""
        call = partial(function, *arguments, **keywords)
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)
