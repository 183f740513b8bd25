"""Store many recordings, so that one that fails does not affect the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg2

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import (
    DimensionMismatch,
    ExtensionMissing,
    IndexEmpty,
    ModelMismatch,
    SchemaMismatch,
    SoundalikeError,
    StoreError,
    StoreUnavailable,
)
from soundalike.faults import recording_error
from soundalike.store.base import Entry, Outcome
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec

#: Errors that affect all recordings.
_OF_ALL = (
    *(StoreUnavailable, ExtensionMissing, SchemaMismatch),
    *(ModelMismatch, DimensionMismatch, IndexEmpty),
)
#: Errors of the server about values.
_OF_VALUES = (psycopg2.DataError, psycopg2.IntegrityError)


_Item = TypeVar("_Item")


def batches(items: Iterable[_Item], size: Callable[[_Item], int], limit: int) -> Iterator[list[_Item]]:
    """Yield lists of consecutive items; a list ends when the sizes of its items reach `limit`."""
    batch: list[_Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= limit:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def add_each(
    store: Store,
    entries: Sequence[Entry],
    spec: IndexSpec,
    *,
    collection: str = DEFAULT_COLLECTION,
) -> list[Outcome | SoundalikeError]:
    """Store recordings in one transaction, or in one of each database; if that fails, each in its own.

    Parameters
    ----------
    store, entries, spec, collection
        As for `soundalike.store.Store.add_many`.

    Returns
    -------
    results : list
        The outcome or the error of each recording.

    Raises
    ------
    StoreError
        The database cannot be used, or rejected all recordings.
    """
    if not entries:
        return []
    groups = store.transactions(entries)
    if len(groups) == 1:
        return _add_group(store, entries, spec, collection)
    results: list[Outcome | SoundalikeError | None] = [None] * len(entries)
    with ThreadPoolExecutor(len(groups)) as pool:
        work = [
            pool.submit(_add_group, store, [entries[at] for at in group], spec, collection)
            for group in groups
        ]
    for group, done in zip(groups, work, strict=True):
        for at, result in zip(group, done.result(), strict=True):
            results[at] = result
    return [result for result in results if result is not None]


def _add_group(
    store: Store, entries: Sequence[Entry], spec: IndexSpec, collection: str
) -> list[Outcome | SoundalikeError]:
    try:
        return list(store.add_many(entries, spec, collection=collection))
    except _OF_ALL as exc:
        if not _is_of_one_shard(exc):
            raise
    except Exception as exc:
        if len(entries) == 1:
            return [_own(exc, entries[0])]
    results = [_added(store, entry, spec, collection) for entry in entries]
    refused = [result for result in results if isinstance(result, StoreError)]
    is_beyond_entries = not any(_is_of_values(error) or _is_of_one_shard(error) for error in refused)
    if len(refused) == len(results) and is_beyond_entries:
        # For example, a full disk or a read-only server.
        raise refused[0]
    return results


def _added(store: Store, entry: Entry, spec: IndexSpec, collection: str) -> Outcome | SoundalikeError:
    try:
        return store.add_many([entry], spec, collection=collection)[0]
    except _OF_ALL as exc:
        if _is_of_one_shard(exc):
            return exc
        raise
    except StoreError as exc:
        return exc
    except Exception as exc:
        return recording_error(exc, entry.recording.uri)


def _own(exc: Exception, entry: Entry) -> SoundalikeError:
    """Return the error of the only recording, or raise it."""
    if isinstance(exc, StoreError) and _is_of_values(exc):
        return exc
    return recording_error(exc, entry.recording.uri)


def _is_of_values(exc: StoreError) -> bool:
    return isinstance(exc.__cause__, _OF_VALUES)


def _is_of_one_shard(exc: SoundalikeError) -> bool:
    """Return whether one database of several cannot be reached."""
    return isinstance(exc, StoreUnavailable) and exc.is_of_one_shard
