"""Tell observers how long the stages of the work take; without observers this costs next to nothing."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

#: Stages, in the order of a search. ``batching`` is the time from handing patches to a shared network
#: until their vectors are there; it contains ``network``, which counts batches.
STAGES = ("decode", "mel", "batching", "network", "ann", "rank")
#: Other values: patches in a batch divided by its size, and patches that wait for the network.
VALUES = ("batch_fill", "queued_patches")


class Observer(Protocol):
    """Receives durations and values; any thread calls it."""

    def stage(self, name: str, seconds: float) -> None:
        """Note that one of `STAGES` has ended, also by an exception."""
        ...

    def value(self, name: str, value: float) -> None:
        """Note one of `VALUES`."""
        ...


_observers: tuple[Observer, ...] = ()


def observe(observer: Observer) -> None:
    """Add an observer of this process."""
    global _observers
    _observers = (*_observers, observer)


def forget(observer: Observer) -> None:
    """Remove an observer."""
    global _observers
    _observers = tuple(one for one in _observers if one is not observer)


def note(name: str, value: float) -> None:
    """Tell the observers a value."""
    for observer in _observers:
        observer.value(name, value)


class stage:  # noqa: N801 - used like a function
    """Context in which one of `STAGES` runs.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> with stage("rank"):
    ...     sorted([2, 1])
    [1, 2]
    """

    __slots__ = ("_begun", "_name")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if _observers:
            seconds = time.perf_counter() - self._begun
            for observer in _observers:
                observer.stage(self._name, seconds)
