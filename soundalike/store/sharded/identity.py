"""Check that the databases are those of one index, in their order."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress

from soundalike.errors import ShardMismatch, StoreUnavailable
from soundalike.store import shard_records
from soundalike.store.postgres import PostgresStore
from soundalike.store.shard_records import ShardRecord, ShardState, read_state


class Identity:
    """Compares the record in each database with its place; thread-safe.

    Parameters
    ----------
    stores : sequence of PostgresStore
        In the order of the setting.
    """

    def __init__(self, stores: Sequence[PostgresStore]) -> None:
        self._stores = stores
        self._checked: set[int] = set()
        self._shards_id: str | None = None

    def check(self, number: int) -> None:
        """Raise `ShardMismatch` unless a database belongs to this place, or nothing is stored at all."""
        if number in self._checked:
            return
        state = self._state(number)
        record = self._fitting(number, state)
        if record is not None:
            self._shards_id = record.shards_id
            self._checked.add(number)
        elif any(self._is_used_with_record(other) for other in range(len(self._stores))):
            raise ShardMismatch(
                f"the database {self._name(number)} is empty, but should be {self._place(number)} of an "
                "index; restore it from a backup, or name the right database in SOUNDALIKE_DATABASE_URL"
            )

    def is_recorded(self, number: int) -> bool:
        """Return whether a database is recorded at this place."""
        return self._fitting(number, self._state(number)) is not None

    def forget(self) -> None:
        """Check all databases again, for example after they were reset."""
        self._checked.clear()
        self._shards_id = None

    def claim(self) -> None:
        """Record which databases belong together, in databases that hold nothing yet."""
        total = len(self._stores)
        self.forget()
        for number in range(total):
            self.check(number)
        shards_id = str(uuid.uuid4())
        for number in range(total):
            # An earlier or concurrent call may have recorded the first one; the others follow it.
            if number == 0 or self._state(number).record != ShardRecord(shards_id, number, total):
                shards_id = self._claimed(ShardRecord(shards_id, number, total))
        for number in range(total):
            if self._state(number).record != ShardRecord(shards_id, number, total):
                raise ShardMismatch(
                    f"the database {self._name(number)} is named twice in SOUNDALIKE_DATABASE_URL, or "
                    "another process is setting it up with other databases; name each database once"
                )
            self.check(number)

    def _claimed(self, wanted: ShardRecord) -> str:
        store = self._stores[wanted.number]
        return store.transact(lambda cursor: shard_records.claim(cursor, wanted)).shards_id

    def _fitting(self, number: int, state: ShardState) -> ShardRecord | None:
        """Return the record of a database if it fits its place; None if nothing is stored there.

        Raises
        ------
        ShardMismatch
            Something else is stored there.
        """
        record, total = state.record, len(self._stores)
        is_placed = record is not None and record[1:] == (number, total)
        if is_placed and record is not None and self._shards_id in (None, record.shards_id):
            return record
        if not state.is_in_use:
            return None
        if is_placed:
            raise ShardMismatch(
                f"the database {self._name(number)} belongs to another index than the others; name the "
                "databases of one index in SOUNDALIKE_DATABASE_URL"
            )
        if record is None:
            raise ShardMismatch(
                f"the database {self._name(number)} holds an index of its own; name empty databases in "
                "SOUNDALIKE_DATABASE_URL, and bring the index there with soundalike export and import"
            )
        raise ShardMismatch(
            f"the database {self._name(number)} is number {record.number + 1} of {record.total} of its "
            f"index, but SOUNDALIKE_DATABASE_URL names it as {self._place(number)}; name all of them in "
            "their order"
        )

    def _is_used_with_record(self, number: int) -> bool:
        with suppress(StoreUnavailable):
            state = self._state(number)
            return state.record is not None and state.is_in_use
        return False

    def _state(self, number: int) -> ShardState:
        return self._stores[number].transact(read_state, reads=True)

    def _name(self, number: int) -> str:
        return self._stores[number].description

    def _place(self, number: int) -> str:
        return f"number {number + 1} of {len(self._stores)}"
