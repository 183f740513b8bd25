"""Count requests over HTTP and gRPC together: how many at once, and how often."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import limits as counting
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from soundalike.errors import ConfigError, ServiceBusy, SoundalikeError, TooManyRequests
from soundalike.limits import Limits

#: Seconds after which a request that found no slot may come again.
_BUSY_S = 2
#: Wrong keys that one client may send before it has to wait.
_FAILED_KEYS = RateLimitItemPerMinute(30)
#: After so many hits the clients of whom nothing counts any more are looked for.
_HITS_BETWEEN = 1_000


@dataclass(frozen=True)
class Rejection:
    """Why a request is turned away, and in how many seconds it may come again."""

    error: SoundalikeError
    retry_after_s: int


class _Counts:
    """Counts hits of each client; a client without hits for the time of the rate is forgotten."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._hits = 0

    def hit(self, rate: counting.RateLimitItem, client: str) -> bool:
        """Count once more; return False where that is too often."""
        self._hits += 1
        if self._hits % _HITS_BETWEEN == 0:
            self._forget()
        return self._limiter.hit(rate, client)

    def reset_at(self, rate: counting.RateLimitItem, client: str) -> float:
        """Return the time at which the client's oldest hit counts no more."""
        return self._limiter.get_window_stats(rate, client).reset_time

    def _forget(self) -> None:
        """Remove clients of whom nothing counts any more.

        The storage empties their lists and keeps them, though a stranger has as many IPv6 addresses as
        he likes. Nothing else runs in between, as all hits are counted in one event loop.
        """
        for client in [client for client, hits in self._storage.events.items() if not hits]:
            self._storage.events.pop(client, None)


class Rate:
    """Limits how often each client asks. A client is an address.

    Parameters
    ----------
    rate : RateLimitItem or None
        None: as often as they like.
    """

    def __init__(self, rate: counting.RateLimitItem | None) -> None:
        self._rate = rate
        self._counts = _Counts()

    def hit(self, client: str) -> Rejection | None:
        """Count a request; return why it is turned away where there were too many."""
        if self._rate is None or self._counts.hit(self._rate, client):
            return None
        wait_s = max(1, round(self._counts.reset_at(self._rate, client) - time.time()))
        too_many = f"{client} asks more than {self._rate}; come again in {wait_s} s"
        return Rejection(TooManyRequests(too_many), wait_s)


class FailedKeyLimit:
    """Limits how many wrong keys each client may send."""

    def __init__(self) -> None:
        self._counts = _Counts()

    def hit(self, client: str) -> Rejection | None:
        """Count a wrong key; return why its client has to wait where there were too many."""
        if self._counts.hit(_FAILED_KEYS, client):
            return None
        too_many = f"{client} has sent {_FAILED_KEYS.amount} wrong keys; wait a minute"
        return Rejection(TooManyRequests(too_many), 60)


class Slots:
    """Bounds how many requests run and how many wait; the others are rejected."""

    def __init__(self, limits: Limits) -> None:
        self._free = asyncio.Semaphore(limits.max_running)
        self._most = limits.max_running + limits.max_waiting
        self._running = self._waiting = self._reserved = 0

    @property
    def running(self) -> int:
        """Number of requests that have a slot."""
        return self._running

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a slot."""
        return self._waiting + self._reserved

    def rejection(self) -> Rejection | None:
        """Return why one more request cannot even wait, where that is so."""
        if self._running + self._waiting + self._reserved < self._most:
            return None
        busy = f"{self.waiting} requests are waiting already; come again in {_BUSY_S} s"
        return Rejection(ServiceBusy(busy), _BUSY_S)

    def reserve(self) -> Reservation:
        """Count a request that was admitted and does not wait yet."""
        self._reserved += 1
        return Reservation(self)

    async def take(self) -> None:
        """Wait for a slot."""
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        self._running += 1

    def give_back(self) -> None:
        """Give a slot back."""
        self._running -= 1
        self._free.release()


class Reservation:
    """The place of a request between its admission and its waiting.

    Without it a burst of calls would be admitted before the first of them waits.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots: Slots | None = slots

    def release(self) -> None:
        """Count the request no longer; a second call does nothing."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots._reserved -= 1


@dataclass(frozen=True)
class Load:
    """Counters that all protocols share.

    Attributes
    ----------
    rate : Rate
    failed_keys : FailedKeyLimit
    slots : Slots
    """

    rate: Rate
    failed_keys: FailedKeyLimit
    slots: Slots

    @classmethod
    def of(cls, limits: Limits, rate: str | None = None) -> Load:
        """Return counters at zero.

        Parameters
        ----------
        limits : Limits
        rate : str, optional
            How often each client may ask, like ``600/minute``; default: as often as it likes.

        Raises
        ------
        ConfigError
            `rate` cannot be read.
        """
        return cls(Rate(_parsed(rate) if rate else None), FailedKeyLimit(), Slots(limits))


def _parsed(text: str) -> counting.RateLimitItem:
    try:
        return counting.parse(text)
    except ValueError as exc:
        raise ConfigError(
            f"SOUNDALIKE_RATE_LIMIT is {text!r}; give a number and a time, like 600/minute or 20/second"
        ) from exc
