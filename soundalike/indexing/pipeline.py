"""Index and search in one process, without Jina: for the command line, Python, tests and benchmarks.

The Flow's executors call the same functions; this module only orders the calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sources import FileSnapshot
from soundalike.audio.windows import WindowPlan
from soundalike.clock.start_time import DEFAULT_PATTERNS
from soundalike.clock.wall_clock import StartTimeRules, with_start
from soundalike.config import DEFAULT_COLLECTION
from soundalike.encoders.base import Encoder
from soundalike.errors import SoundalikeError
from soundalike.indexing.items import (
    IndexItem,
    IndexResult,
    ScannedFile,
    identified,
    snapshot_of,
    unchanged_result,
)
from soundalike.indexing.stages import Indexing
from soundalike.remote.objects import RemoteObject
from soundalike.remote.spool import SpoolPlace
from soundalike.search.find import Answer
from soundalike.search.searcher import Searcher
from soundalike.store.base import start_source
from soundalike.store.protocol import Store
from soundalike.types import Recording

__all__ = ["Answer", "IndexItem", "IndexResult", "Pipeline"]

#: Number of recordings to embed together, so that their patches fill the batches.
BATCH_RECORDINGS = 16
_DEFAULT_RULES = StartTimeRules()
_DEFAULT_SPOOL = SpoolPlace()
#: Number of paths per query of the store.
PAGE_FILES = 500


class Pipeline(Searcher):
    """Indexes files, and searches.

    Parameters
    ----------
    store, encoder, plan, collection, decoding
        As for `soundalike.search.searcher.Searcher`.
    start_rules : StartTimeRules
        Rules for start times.
    spool : SpoolPlace
        Where copies of remote recordings are kept while they are decoded.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        plan: WindowPlan,
        collection: str = DEFAULT_COLLECTION,
        start_rules: StartTimeRules = _DEFAULT_RULES,
        decoding: IsolatedDecoding | None = None,
        spool: SpoolPlace = _DEFAULT_SPOOL,
    ) -> None:
        super().__init__(store, encoder, plan, collection, decoding)
        self.start_rules = start_rules
        self.spool = spool

    def index(self, items: Iterable[IndexItem], *, checksum: bool = False) -> Iterator[IndexResult]:
        """Index files, and yield their results in order.

        A file that cannot be used yields a ``failed`` result, and the rest goes on. While a batch is
        embedded and stored, the next one is decoded.

        Parameters
        ----------
        items : iterable of IndexItem
        checksum : bool
            Read every file, even if its stored size and modification time are unchanged.

        Raises
        ------
        StoreError, ModelError, ServiceError
            The database, the encoder or the decoding processes cannot be used; the yielded results
            are stored.
        """
        yield from self.add(items, checksum=checksum)
        self.store.finish_batch(collection=self.collection)

    def add(self, items: Iterable[IndexItem], *, checksum: bool = False) -> Iterator[IndexResult]:
        """Do the same as `index`, but leave building the vector index to the caller."""
        indexing = Indexing(
            self.store,
            self.encoder,
            self.plan,
            self.collection,
            self.start_rules,
            self.decoding,
            self.spool,
        )
        yield from indexing.run(self._batches(items, checksum=checksum))

    def scan(self, items: Iterable[IndexItem]) -> Iterator[ScannedFile]:
        """Yield files with their stat and their stored recording, without opening them.

        Raises
        ------
        ModelMismatch
            The collection has another encoder or other windows.
        """
        iterator = iter(items)
        while page := list(islice(iterator, PAGE_FILES)):
            scanned = [ScannedFile(item, snapshot_of(item)) for item in page]
            names = [
                file.snapshot.uri for file in scanned if not isinstance(file.snapshot, SoundalikeError)
            ]
            known = self.store.known_files(names, self.spec, collection=self.collection)
            for file in scanned:
                yield self._recognised(file, known)

    def _recognised(self, file: ScannedFile, known: Mapping[str, Recording]) -> ScannedFile:
        if isinstance(file.snapshot, SoundalikeError):
            return file
        stored = known.get(file.snapshot.uri)
        vague = stored is not None and start_source(stored) in (None, "mtime")
        may_gain_start = vague and self.start_rules.patterns != DEFAULT_PATTERNS
        return replace(file, known=stored, may_gain_start=may_gain_start)

    def _batches(
        self, items: Iterable[IndexItem], *, checksum: bool
    ) -> Iterator[list[ScannedFile | IndexResult]]:
        """Yield batches of files, with a limited number of files to open and of bytes to fetch."""
        batch: list[ScannedFile | IndexResult] = []
        n_opened = n_bytes = 0
        for file in self.scan(items):
            if file.known is not None and not checksum and file.is_unchanged():
                batch.append(unchanged_result(file.known))
            else:
                size = self._copied_bytes(file)
                if n_bytes + size > self.spool.batch_bytes and batch:
                    yield batch
                    batch, n_opened, n_bytes = [], 0, 0
                batch.append(file)
                n_opened += 1
                n_bytes += size
            if n_opened == BATCH_RECORDINGS or len(batch) == PAGE_FILES:
                yield batch
                batch, n_opened, n_bytes = [], 0, 0
        if batch:
            yield batch

    def _copied_bytes(self, file: ScannedFile) -> int:
        """Return how large the copy of a file may be; a recording of unknown size may be the largest."""
        if not isinstance(file.snapshot, RemoteObject):
            return 0
        return file.snapshot.size_bytes or self.spool.batch_bytes

    def described(self, file: ScannedFile) -> Recording:
        """Read a file to find its id and start time; its duration is 0 before decoding.

        Raises
        ------
        SoundalikeError
            The file cannot be read.
        """
        if isinstance(file.snapshot, SoundalikeError):
            raise file.snapshot
        assert isinstance(file.snapshot, FileSnapshot), "remote recordings are not read for this"
        recording = identified(file.snapshot, file.item)
        if recording.recorded_at is not None or file.item.is_upload:
            return recording
        start = self.decoding.run(self.start_rules.start_of, file.snapshot.path, None, None)
        return with_start(recording, start)
