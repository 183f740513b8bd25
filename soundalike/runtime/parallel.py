"""Run work that releases the interpreter lock, such as decoding, on all processors."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_ahead(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int | None = None
) -> Iterator[_Result]:
    """Apply a function to items in threads, and yield the results in order.

    At most two results per worker wait to be consumed, so memory stays bounded.

    Parameters
    ----------
    function : callable
        Applied to each item; its exception is raised when the item's result is due.
    items : iterable
        Consumed as results are consumed.
    workers : int, optional
        Number of threads; one per processor by default.

    Examples
    --------
    >>> list(map_ahead(abs, [-1, 2, -3], workers=2))
    [1, 2, 3]
    """
    waiting: deque[Future[_Result]] = deque()
    workers = workers or os.cpu_count() or 1
    with threads(workers) as pool:
        for item in items:
            # The threads belong to the caller's request, for its log lines and traces.
            waiting.append(pool.submit(copy_context().run, function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def threads(workers: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Yield a thread pool; the end of the context cancels waiting work.

    After Ctrl-C the running work is not awaited: a decoder may run for minutes.

    Parameters
    ----------
    workers : int, optional
        Number of threads; one per processor by default.
    """
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    is_interrupted = False
    try:
        yield pool
    except KeyboardInterrupt:
        is_interrupted = True
        raise
    finally:
        pool.shutdown(wait=not is_interrupted, cancel_futures=True)
