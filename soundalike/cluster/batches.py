"""Batches of files: as many as a worker decodes and embeds together, within a limit of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soundalike.indexing.items import IndexItem, ScannedFile

#: Files of a batch. A worker decodes the next files while it embeds the first, so a batch has more than
#: `soundalike.indexing.pipeline.BATCH_RECORDINGS`.
BATCH_FILES = 64
#: Bytes of the files of a batch; a longer file is a batch of its own.
BATCH_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class FileBatch:
    """Files for one worker.

    Attributes
    ----------
    items : tuple of IndexItem
    n_bytes : int
        Size of the files.
    """

    items: tuple[IndexItem, ...]
    n_bytes: int

    def halves(self) -> tuple[FileBatch, ...]:
        """Return the two halves of the batch; a batch of one file has none."""
        middle = len(self.items) // 2
        if not middle:
            return ()
        share = self.n_bytes // 2
        return FileBatch(self.items[:middle], share), FileBatch(self.items[middle:], share)


def batches_of(files: Iterable[ScannedFile]) -> Iterator[FileBatch]:
    """Yield batches of files, in their order."""
    items: list[IndexItem] = []
    n_bytes = 0
    for file in files:
        size = file.size_bytes
        if items and (len(items) == BATCH_FILES or n_bytes + size > BATCH_BYTES):
            yield FileBatch(tuple(items), n_bytes)
            items, n_bytes = [], 0
        items.append(file.item)
        n_bytes += size
    if items:
        yield FileBatch(tuple(items), n_bytes)
