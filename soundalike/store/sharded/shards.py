"""The databases of one index: which one holds a recording, and work on all that can be reached."""

from __future__ import annotations

import hashlib
import heapq
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, TypeVar

from soundalike.errors import IndexEmpty, ParameterError, StoreUnavailable
from soundalike.store.base import as_id
from soundalike.store.connection import Cursor
from soundalike.store.partial import collected
from soundalike.store.postgres import PostgresStore
from soundalike.store.sharded.identity import Identity

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
Work = Callable[[PostgresStore], _Result]
#: How long a database that could not be reached is left alone.
RETRY_AFTER_S = 15.0
#: Requests that may ask all databases at the same time; further ones wait.
_REQUESTS = 16


def number_of(recording_id: str, total: int) -> int:
    """Return the number of the database that holds a recording, from 0.

    Depends on nothing but the id and the number of databases: changing this function needs an export and
    an import of every index over several databases.

    Examples
    --------
    >>> [number_of(f"00000000-0000-4000-8000-00000000000{n}", 2) for n in range(4)]
    [1, 1, 0, 1]
    """
    digest = hashlib.blake2b(uuid.UUID(recording_id).bytes, digest_size=8).digest()
    return int.from_bytes(digest, "big") % total


class Shards:
    """The databases of one index, in their order; thread-safe.

    Parameters
    ----------
    stores : sequence of PostgresStore
        At least two.
    """

    def __init__(self, stores: Sequence[PostgresStore]) -> None:
        self.stores = tuple(stores)
        self._away_until = [0.0] * len(self.stores)
        self._identity = Identity(self.stores)
        self._pool = self._new_pool()

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_REQUESTS * len(self.stores), "shards")

    @property
    def names(self) -> list[str]:
        """Names of the databases without passwords."""
        return [store.description for store in self.stores]

    def owner(self, recording_id: str) -> int:
        """Return the number of the database that holds a recording.

        Raises
        ------
        ParameterError
            The id is not a UUID.
        """
        if as_id(recording_id) is None:
            raise ParameterError(f"recording_id is {recording_id!r}; give a UUID")
        return number_of(recording_id, len(self.stores))

    def owned(self, items: Sequence[_Item], id_of: Callable[[_Item], str]) -> dict[int, list[_Item]]:
        """Return items by the number of the database that holds their recordings."""
        found: dict[int, list[_Item]] = {}
        for item in items:
            found.setdefault(self.owner(id_of(item)), []).append(item)
        return found

    def at(self, number: int, work: Work[_Result]) -> _Result:
        """Run a function on one database.

        Raises
        ------
        StoreUnavailable
            It cannot be reached; the other databases may be.
        ShardMismatch
            It is another database than the one that belongs here.
        """
        if not self._may_try(number):
            reason = f"the database {self.names[number]} could not be reached a moment ago"
            raise self._unavailable(number, f"{reason}; check that it runs, and try again")
        try:
            self._identity.check(number)
            result = work(self.stores[number])
        except StoreUnavailable as exc:
            self._away_until[number] = time.monotonic() + RETRY_AFTER_S
            raise self._unavailable(number, exc.message) from exc
        self._away_until[number] = 0.0
        return result

    def _may_try(self, number: int) -> bool:
        """Return whether to try a database; others do without it while one call finds it back."""
        if not self._away_until[number]:
            return True
        now = time.monotonic()
        if now < self._away_until[number]:
            return False
        self._away_until[number] = now + RETRY_AFTER_S
        return True

    def _unavailable(self, number: int, message: str) -> StoreUnavailable:
        error = StoreUnavailable(message)
        error.is_of_one_shard = any(
            not until for other, until in enumerate(self._away_until) if other != number
        )
        return error

    def each(self, work: Work[_Result], among: Collection[int] | None = None) -> dict[int, _Result]:
        """Run a function on several databases, on all by default; return the results by number.

        A database without the collection has no result, unless none has it.

        Raises
        ------
        StoreUnavailable
            A database cannot be reached and `soundalike.store.partial.partial_answers` does not note it,
            or none can be reached.
        """
        results, away = self._gathered(work, among)
        self._note(away, is_any_left=len(away) < len(self.stores if among is None else among))
        return results

    def each_of(
        self, owned: Mapping[int, _Item], work: Callable[[PostgresStore, _Item], _Result]
    ) -> dict[int, _Result]:
        """Run a function on the databases that hold some items, as `each` does.

        Parameters
        ----------
        owned : mapping
            By number; see `owned`.
        work : callable
            Called with a store and its items.
        """
        return self.each(lambda store: work(store, owned[self.stores.index(store)]), owned)

    def each_reachable(
        self, work: Work[_Result], among: Collection[int] | None = None
    ) -> tuple[dict[int, _Result], tuple[str, ...]]:
        """Do the same without the databases that cannot be reached; return their names too."""
        results, away = self._gathered(work, among)
        if away and len(away) == len(self.stores):
            raise next(iter(away.values()))
        return results, tuple(self.names[number] for number in away)

    def _gathered(
        self, work: Work[_Result], among: Collection[int] | None
    ) -> tuple[dict[int, _Result], dict[int, StoreUnavailable]]:
        numbers = sorted(range(len(self.stores)) if among is None else among)
        waiting = {number: self._pool.submit(self.at, number, work) for number in numbers}
        results: dict[int, _Result] = {}
        away: dict[int, StoreUnavailable] = {}
        absent: IndexEmpty | None = None
        for number, future in waiting.items():
            try:
                results[number] = future.result()
            except StoreUnavailable as exc:
                away[number] = exc
            except IndexEmpty as exc:
                absent = exc
        if absent is not None and not results:
            raise absent
        return results, away

    def _note(self, away: Mapping[int, StoreUnavailable], *, is_any_left: bool) -> None:
        """Note missing databases for the caller, or raise the error of the first."""
        missing = collected()
        if away and (missing is None or not is_any_left):
            raise next(iter(away.values()))
        for number in away:
            assert missing is not None
            missing.add(self.names[number])

    def merged(
        self,
        begin: Work[Iterator[_Item]],
        key: Callable[[_Item], Any],
        among: Collection[int] | None = None,
    ) -> Iterator[_Item]:
        """Yield the sorted items of several databases, sorted.

        Parameters
        ----------
        begin : callable
            Returns the sorted items of a database.
        key : callable
            Returns the sort key of an item.
        among : collection of int, optional
            Numbers of the databases; all by default.

        Raises
        ------
        StoreUnavailable, IndexEmpty
            As for `each`.
        """
        firsts = self.each(lambda store: _begun(begin(store)), among)
        parts = [
            chain(first, self._rest(number, rest)) for number, (first, rest) in firsts.items() if first
        ]
        yield from heapq.merge(*parts, key=key)

    def _rest(self, number: int, items: Iterator[_Item]) -> Iterator[_Item]:
        """Yield further items of a database until it cannot be reached."""
        try:
            yield from items
        except StoreUnavailable as exc:
            self._away_until[number] = time.monotonic() + RETRY_AFTER_S
            error = self._unavailable(number, exc.message)
            self._note({number: error}, is_any_left=error.is_of_one_shard)

    def require_all(self) -> None:
        """Raise `StoreUnavailable` if a database cannot be reached, before any of them is changed."""
        _, away = self._gathered(lambda store: store.transact(lambda cursor: None), None)
        for error in away.values():
            raise error

    def is_claimed(self, number: int) -> bool:
        """Return whether a database is recorded as one of these."""
        return self._identity.is_recorded(number)

    def claim(self) -> None:
        """Record which databases belong together, if they are new.

        Raises
        ------
        StoreUnavailable
            One of them cannot be reached.
        ShardMismatch
            One of them holds something else.
        """
        self._identity.claim()

    def forget(self) -> None:
        """Check all databases again, after they were reset."""
        self._identity.forget()

    def together(self, work: Callable[[list[Cursor]], _Result]) -> _Result:
        """Run a function in a transaction of every database; an error rolls all of them back.

        They are committed one after another, so only a failure just then can leave them different.

        Parameters
        ----------
        work : callable
            Called with a cursor for each database.
        """
        for number in range(len(self.stores)):
            self.at(number, lambda store: None)

        def begun(cursors: list[Cursor]) -> _Result:
            if len(cursors) == len(self.stores):
                return work(cursors)
            store = self.stores[len(cursors)]
            return store.transact(lambda cursor: begun([*cursors, cursor]))

        return begun([])

    def close(self) -> None:
        """Close the connections and end the threads; both begin again when needed."""
        pool, self._pool = self._pool, self._new_pool()
        pool.shutdown(wait=False)
        for store in self.stores:
            store.close()


def _begun(items: Iterator[_Item]) -> tuple[list[_Item], Iterator[_Item]]:
    """Return the first item, if there is one, and the iterator of the others."""
    return list(islice(items, 1)), items
