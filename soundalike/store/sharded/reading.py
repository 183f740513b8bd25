"""Read from several databases as from one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import StoreUnavailable
from soundalike.filters import Filters
from soundalike.store.base import (
    MAX_PAGE,
    CollectionSummary,
    Content,
    StoredFile,
    StoreStatus,
    check_filters,
    check_page,
    checked_id,
)
from soundalike.store.partial import collected
from soundalike.store.sharded.sampling import HOME, ShardedSampling
from soundalike.store.sharded.statuses import merged_status, merged_summaries
from soundalike.types import IndexSpec, Recording


class ShardedReader(ShardedSampling):
    """The part of `ShardedStore` that reads recordings, and counts them."""

    def known_lengths(
        self, recording_ids: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, float]:
        """Return the stored ids among these, with the lengths of the recordings in seconds.

        Recordings of a database that cannot be reached are left out: adding them fails one by one.
        """
        owned = self._shards.owned(recording_ids, lambda key: key)
        found, _ = self._shards.each_reachable(
            lambda store: store.known_lengths(recording_ids, collection=collection), owned
        )
        return {key: length for lengths in found.values() for key, length in lengths.items()}

    def files(
        self, *, under: str | None = None, collection: str = DEFAULT_COLLECTION
    ) -> Iterator[Recording]:
        """Yield all stored paths with their recordings, sorted; with `under`, those in this folder."""
        return self._shards.merged(
            lambda store: store.files(under=under, collection=collection), lambda found: found.uri
        )

    def outdated_files(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Recording]:
        """Yield the paths of recordings from an earlier decoder, sorted."""
        return self._shards.merged(
            lambda store: store.outdated_files(collection=collection), lambda found: found.uri
        )

    def known_files(
        self, uris: Sequence[str], spec: IndexSpec, *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, Recording]:
        """Return the stored paths among these, with their recordings.

        A path is left out if its database cannot be reached, or if two databases have it since one of
        them could not be reached: reading the file again settles what it holds.
        """
        found, _ = self._shards.each_reachable(
            lambda store: store.known_files(uris, spec, collection=collection)
        )
        counts = Counter(uri for files in found.values() for uri in files)
        return {uri: file for files in found.values() for uri, file in files.items() if counts[uri] == 1}

    def contents(self, *, collection: str = DEFAULT_COLLECTION) -> Iterator[Content]:
        """Yield all recordings with their paths and windows, sorted by id."""
        return self._shards.merged(
            lambda store: store.contents(collection=collection),
            lambda content: content.files[0].recording_id,
        )

    def content(
        self,
        recording_id: str,
        excerpt: Excerpt = WHOLE,
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> Content | None:
        """Return a recording with its paths and the windows of an excerpt; None if it is not stored."""
        key = checked_id(recording_id)
        return self._shards.at(
            self._shards.owner(key), lambda store: store.content(key, excerpt, collection=collection)
        )

    def page_of_files(
        self,
        filters: Filters,
        *,
        after: str = "",
        limit: int = 100,
        collection: str = DEFAULT_COLLECTION,
    ) -> list[StoredFile]:
        """Return the next paths after `after` that pass the filters of label, tags and path."""
        check_page(limit, after)
        check_filters(filters)
        pages = self._shards.each(
            lambda store: store.page_of_files(filters, after=after, limit=limit, collection=collection)
        )
        by_path = {file.recording.uri: file for page in pages.values() for file in page}
        return [by_path[uri] for uri in sorted(by_path)[:limit]]

    def files_named(
        self, keys: Sequence[str], *, collection: str = DEFAULT_COLLECTION
    ) -> dict[str, StoredFile]:
        """Return the stored recordings by path or recording id; by id with the first path.

        Raises
        ------
        StoreUnavailable
            One that was not found may be in a database that cannot be reached.
        """
        found, away = self._shards.each_reachable(
            lambda store: store.files_named(keys, collection=collection)
        )
        by_path: dict[str, StoredFile] = {}
        by_id: dict[str, StoredFile] = {}
        for files in found.values():
            for key, file in files.items():
                (by_path if file.recording.uri == key else by_id)[key] = file
        named = {key: by_path.get(key) or by_id[key] for key in keys if key in by_path or key in by_id}
        lost = next((key for key in keys if key not in named), None)
        if away and lost is not None:
            if (missing := collected()) is None:
                raise StoreUnavailable(
                    f"{lost[:200]!r} was not found, and may be in the database {away[0]}, which "
                    "cannot be reached; check that it runs, and try again"
                )
            for name in away:
                missing.add(name)
        return named

    def labels(
        self, *, limit: int | None = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return labels with their number of paths, most frequent first; all without a limit."""
        check_page(MAX_PAGE if limit is None else limit, "")
        found = self._shards.each(lambda store: store.labels(limit=None, collection=collection))
        return most_frequent(found, limit)

    def folders(
        self, *, limit: int = MAX_PAGE, collection: str = DEFAULT_COLLECTION
    ) -> list[tuple[str, int]]:
        """Return the folders of stored paths with their number of paths, sorted."""
        check_page(limit, "")
        found = self._shards.each(lambda store: store.folders(limit=limit, collection=collection))
        return sorted(added(found).items())[:limit]

    def summaries(self, *, count: bool = True) -> list[CollectionSummary]:
        """Return all collections, with counts if `count` is set."""
        if count:
            return merged_summaries(self._shards.each(lambda store: store.summaries()))
        found, _ = self._shards.each_reachable(lambda store: store.summaries(count=False))
        return merged_summaries(found)

    def status(self, *, collection: str = DEFAULT_COLLECTION) -> StoreStatus:
        """Return the status of a collection; it names the databases that cannot be reached."""
        found, away = self._shards.each_reachable(lambda store: store.status(collection=collection))
        return merged_status(found, self._shards.names, away, home=HOME)


def added(found: Mapping[int, Sequence[tuple[str, int]]]) -> Counter[str]:
    """Return the sums of the counts of several databases."""
    total: Counter[str] = Counter()
    for counts in found.values():
        total.update(dict(counts))
    return total


def most_frequent(
    found: Mapping[int, Sequence[tuple[str, int]]], limit: int | None
) -> list[tuple[str, int]]:
    """Return the sums of the counts of several databases, largest first; equal ones by name."""
    return sorted(added(found).items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
