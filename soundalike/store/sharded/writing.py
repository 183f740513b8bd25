"""Write recordings into the database that each of them belongs to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import StoreUnavailable
from soundalike.ranges import Layout, check_layout
from soundalike.store.base import Entry, Outcome, check_entry, check_recording, check_spec, is_storable
from soundalike.store.partial import whole_answers
from soundalike.store.postgres import PostgresStore
from soundalike.store.sharded.collections import ShardedCollections
from soundalike.types import IndexSpec, Recording

_log = logging.getLogger(__name__)


class ShardedWriter(ShardedCollections):
    """The part of `ShardedStore` that adds and removes recordings."""

    def add_many(
        self, entries: Sequence[Entry], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> list[Outcome]:
        """Store recordings: each database all of its own, or none of them.

        Raises
        ------
        StoreError
            A database cannot be used. Others have stored their recordings; storing them again changes
            nothing.
        """
        for entry in entries:
            check_entry(entry, spec)
        if not entries:
            return []
        self._ensure(collection, spec)
        recordings = [entry.recording for entry in entries]
        if len(entries) > 1 and (_changes_within(recordings) or self._elsewhere(recordings, collection)):
            # A path that moves may take its content with it, which another entry may add again.
            return [self._add([entry], spec, collection)[0] for entry in entries]
        return self._add(entries, spec, collection)

    def transactions(self, entries: Sequence[Entry]) -> list[list[int]]:
        """Return the positions of the entries that are stored together, in groups."""
        if _changes_within([entry.recording for entry in entries]):
            return [list(range(len(entries)))]
        owned = self._shards.owned(range(len(entries)), lambda at: entries[at].recording.recording_id)
        return list(owned.values())

    def _add(self, entries: Sequence[Entry], spec: IndexSpec, collection: str) -> list[Outcome]:
        elsewhere = self._elsewhere([entry.recording for entry in entries], collection)
        positions = range(len(entries))
        owned = self._shards.owned(positions, lambda at: entries[at].recording.recording_id)

        def add(store: PostgresStore, some: Sequence[int]) -> list[Outcome]:
            return store.add_many([entries[at] for at in some], spec, collection=collection)

        with whole_answers():
            found = self._shards.each_of(owned, add)
        self._forget_elsewhere(elsewhere, collection)
        outcomes = {
            at: outcome
            for number, some in owned.items()
            for at, outcome in zip(some, found[number], strict=True)
        }
        moved = {uri for uris in elsewhere.values() for uri in uris}
        return [
            _replaced(outcomes[at]) if entries[at].recording.uri in moved else outcomes[at]
            for at in positions
        ]

    def link(
        self,
        recording: Recording,
        spec: IndexSpec,
        *,
        renew: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> Outcome | None:
        """Store a path of audio that is stored already; None if it is not."""
        check_recording(recording, has_length=False)
        elsewhere = self._elsewhere([recording], collection)
        outcome = self._shards.at(
            self._shards.owner(recording.recording_id),
            lambda store: store.link(recording, spec, renew=renew, collection=collection),
        )
        if outcome is None or not elsewhere:
            return outcome
        self._forget_elsewhere(elsewhere, collection)
        return _replaced(outcome)

    def _elsewhere(self, recordings: Sequence[Recording], collection: str) -> dict[int, list[str]]:
        """Return the paths that other databases than those of their new contents hold.

        Databases that cannot be reached are not asked: a path that one of them holds too is read again
        by the next command that finds both, see `ShardedReader.known_files`.
        """
        owners = {one.uri: self._shards.owner(one.recording_id) for one in recordings}
        found, _ = self._shards.each_reachable(
            lambda store: store.stored_among(list(owners), collection=collection)
        )
        held = {
            number: [uri for uri in stored if owners[uri] != number] for number, stored in found.items()
        }
        return {number: uris for number, uris in held.items() if uris}

    def _forget_elsewhere(self, elsewhere: Mapping[int, list[str]], collection: str) -> None:
        for number, uris in elsewhere.items():
            try:
                self._shards.at(number, lambda store: store.delete_files(uris, collection=collection))  # noqa: B023
            except StoreUnavailable as exc:
                _log.warning("the earlier content of %d paths was not removed: %s", len(uris), exc)

    def delete(self, key: str, *, collection: str = DEFAULT_COLLECTION) -> int:
        """Delete a path, all paths in a folder, or a recording; return the number of paths."""
        self._shards.require_all()
        return sum(self._shards.each(lambda store: store.delete(key, collection=collection)).values())

    def delete_files(self, uris: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> list[str]:
        """Delete these paths; return the ones that were stored."""
        if not any(map(is_storable, uris)):
            return []
        self._shards.require_all()
        found = self._shards.each(lambda store: store.delete_files(uris, collection=collection))
        return list(dict.fromkeys(uri for gone in found.values() for uri in gone))

    def finish_batch(self, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Build missing vector indexes where databases can be reached, and renew the null model."""
        self._shards.each_reachable(lambda store: store.build_index(collection))
        self._look_for_growth(collection)

    def drop_index(self, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Drop the vector indexes of the databases that can be reached, before many additions."""
        found, _ = self._shards.each_reachable(lambda store: store.drop_index(collection=collection))
        return any(found.values())

    def optimize(self, *, collection: str = DEFAULT_COLLECTION, layout: Layout | None = None) -> None:
        """Rebuild the vector index of each database; ``auto`` chooses a layout for each of them."""
        check_layout(layout)
        self._shards.require_all()
        self._shards.each(lambda store: store.rebuild_index(collection, layout))
        found = self._current(collection, is_fresh=True)
        if found is not None:
            self._null_models.renew(found)

    def _ensure(self, collection: str, spec: IndexSpec) -> None:
        """Create a collection in every database that lacks it.

        Raises
        ------
        ModelMismatch
            It has another specification.
        StoreUnavailable
            It is new, and a database cannot be reached.
        """
        found, away = self._shards.each_reachable(lambda store: store.collections().get(collection))
        for known in found.values():
            if known is not None:
                check_spec(known, spec)
        if all(found.values()):
            return
        if away:
            raise StoreUnavailable(
                f"the collection {collection!r} is new and needs every database, but {away[0]} cannot "
                "be reached; check that it runs, and try again"
            )
        self.create_collection(collection, spec)


def _replaced(outcome: Outcome) -> Outcome:
    """Return the outcome for a path whose earlier content another database had."""
    return "replaced" if outcome in ("added", "linked") else outcome


def _changes_within(recordings: Sequence[Recording]) -> bool:
    """Return whether a path has several contents."""
    contents: dict[str, str] = {}
    return any(contents.setdefault(one.uri, one.recording_id) != one.recording_id for one in recordings)
