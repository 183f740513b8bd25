"""Work that releases the interpreter, such as decoding, on all processors at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_ahead(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int | None = None
) -> Iterator[_Result]:
    """Apply a function to items in threads, and yield the results in order.

    At most two results a worker wait to be taken, so that memory stays bounded however many items
    there are.

    Parameters
    ----------
    function : callable
        Applied to each item; what it raises is raised here, in the item's turn.
    items : iterable
        Taken from as results are taken.
    workers : int, optional
        Threads; one a processor by default.

    Examples
    --------
    >>> list(map_ahead(abs, [-1, 2, -3], workers=2))
    [1, 2, 3]
    """
    waiting: deque[Future[_Result]] = deque()
    workers = workers or os.cpu_count() or 1
    with threads(workers) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def threads(workers: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that are needed no longer than the context is; what has not begun is dropped.

    Nothing is waited for where Ctrl-C ends the context: a decoder may be at work for minutes.

    Parameters
    ----------
    workers : int, optional
        One a processor by default.
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
