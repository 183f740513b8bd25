"""What is told of the starts of recordings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

AT = datetime(2025, 5, 1, 6, 30, tzinfo=timezone(timedelta(hours=2)))


def test_an_empty_index_has_no_starts(collection: Collection):
    status = collection.store.status()

    assert (status.starts, status.earliest_start, status.latest_start) == ({}, None, None)


def test_starts_are_counted_by_their_source_most_trusted_first(collection: Collection):
    collection.add("/a/0.wav")
    for number, source in enumerate(("mtime", "filename", None, "filename", "metadata"), start=1):
        at = AT + timedelta(days=number)
        collection.add(f"/a/{number}.wav", recorded_at=at, recorded_at_source=source)
    collection.add("/b/copy of 1.wav", content="/a/1.wav", recorded_at=AT, recorded_at_source="mtime")

    status = collection.store.status()
    assert list(status.starts.items()) == [
        ("given", 1),
        ("metadata", 1),
        ("filename", 2),
        ("mtime", 1),
        ("unknown", 1),
    ]
    assert status.earliest_start == AT + timedelta(days=1)
    assert status.latest_start == AT + timedelta(days=5)
    assert (status.earliest_start.tzinfo, status.latest_start.tzinfo) == (UTC, UTC)
