"""Store many recordings, so that one that fails does not affect the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    """Store recordings in one transaction; if that fails, each in its own.

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
    try:
        return list(store.add_many(entries, spec, collection=collection))
    except _OF_ALL:
        raise
    except Exception as exc:
        if len(entries) == 1:
            return [_own(exc, entries[0])]
    results = [_added(store, entry, spec, collection) for entry in entries]
    refused = [result for result in results if isinstance(result, StoreError)]
    if len(refused) == len(results) and not any(_is_of_values(error) for error in refused):
        # For example, a full disk or a read-only server.
        raise refused[0]
    return results


def _added(store: Store, entry: Entry, spec: IndexSpec, collection: str) -> Outcome | SoundalikeError:
    try:
        return store.add_many([entry], spec, collection=collection)[0]
    except _OF_ALL:
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
