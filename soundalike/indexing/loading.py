"""Decide how a large number of files is loaded: with the vector index, or before it is built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from soundalike.audio.sources import local_path, uri_of
from soundalike.audio.urls import is_remote
from soundalike.errors import SoundalikeError
from soundalike.indexing.items import IndexItem
from soundalike.indexing.pipeline import PAGE_FILES, Pipeline


def begin_load(pipeline: Pipeline, items: Sequence[IndexItem]) -> bool:
    """Drop the vector index of a collection if at least as many new files follow as it has recordings.

    Building the index once takes a fraction of the time that as many additions to it take.
    `Store.finish_batch` builds it, also in a later run if this one is interrupted.

    Parameters
    ----------
    pipeline : Pipeline
    items : sequence of IndexItem
        What will be indexed.

    Returns
    -------
    was_dropped : bool
        Searches are exact and slower until the end.
    """
    stored = pipeline.store.status(collection=pipeline.collection).recordings
    if not stored or len(items) < stored or _count_new(pipeline, items) < stored:
        return False
    return pipeline.store.drop_index(collection=pipeline.collection)


def _count_new(pipeline: Pipeline, items: Sequence[IndexItem]) -> int:
    return sum(
        len(names)
        - len(pipeline.store.known_files(names, pipeline.spec, collection=pipeline.collection))
        for names in _pages(items)
    )


def _pages(items: Sequence[IndexItem]) -> Iterator[list[str]]:
    for first in range(0, len(items), PAGE_FILES):
        page = items[first : first + PAGE_FILES]
        yield [name for item in page if (name := _name_of(item))]


def _name_of(item: IndexItem) -> str | None:
    """Return the name under which a file is stored; None if it has none, and will fail."""
    if is_remote(item.uri):
        return item.uri
    try:
        return uri_of(local_path(item.uri).absolute())
    except (SoundalikeError, ValueError):
        return None
