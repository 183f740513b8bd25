"""Check of the databases of one index: whether they belong together, and can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress

from soundalike.config import Settings
from soundalike.doctor.checks import Check, failed
from soundalike.errors import ShardMismatch, StoreError
from soundalike.store.stores import open_store


def shards(settings: Settings, collection: str) -> Check:
    """Check that the databases are those of one index, in their order, and can be reached."""
    with closing(open_store(settings)) as store:
        found = store.status(collection=collection)
    total = len(settings.database_urls)
    if found.missing_shards:
        return Check(
            "shards",
            "warn",
            f"{len(found.missing_shards)} of {total} databases cannot be reached: answers lack the "
            f"recordings of {', '.join(found.missing_shards)}",
        )
    return Check("shards", "ok", f"{total} databases, {found.recordings} recordings in {collection!r}")


def alone(settings: Settings) -> Iterator[Check]:
    """Yield a failure if the database is one of several of an index, and the others are not named."""
    # Other errors are found by other checks.
    with closing(open_store(settings)) as store, suppress(StoreError):
        try:
            store.collections()
        except ShardMismatch as exc:
            yield failed("shards", exc)
