"""Index and search in one process, without Jina: for the command line, tests and benchmarks.

The Flow's executors call the same functions; what is here is only the order of the calls.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from soundalike.audio import recording_id_of, resolve_path, uri_of
from soundalike.audio.sources import Glance
from soundalike.config import DEFAULT_COLLECTION
from soundalike.embedding import CutRecording, Encoder, embed_windows, index_spec
from soundalike.errors import AudioError
from soundalike.items import (
    IndexItem,
    IndexResult,
    SightedFile,
    failed_result,
    glance_at,
    identified,
)
from soundalike.neighbours import Answer, answer_to
from soundalike.queries import EmbeddedQuery, Query, audible, heard_query, query_without_sound
from soundalike.segmenter import Segments, segment
from soundalike.start_time import DEFAULT_PATTERNS
from soundalike.store.base import Entry, Outcome, start_source
from soundalike.store.protocol import Store
from soundalike.types import Filters, FloatArray, Recording
from soundalike.wall_clock import Dating, counted_back
from soundalike.windows import WindowPlan

__all__ = ["Answer", "IndexItem", "IndexResult", "Pipeline"]

#: Recordings that are embedded together, so that their patches fill the batches.
BATCH_RECORDINGS = 16
_STANDARD_DATING = Dating()
#: Paths that the store is asked for at once.
PAGE_FILES = 500


@dataclass(frozen=True, slots=True)
class _Cut:
    recording: Recording
    segments: Segments

    def stored(self, outcome: Outcome) -> IndexResult:
        """Return the result for a recording that was stored."""
        return IndexResult(
            self.recording.uri,
            outcome,
            self.recording.recording_id,
            len(self.segments.windows),
            self.segments.duration_s,
            self.segments.warnings,
            n_searchable=self.segments.n_searchable,
        )


@dataclass(frozen=True, slots=True)
class _Pending:
    """A file that is being decoded."""

    recording: Recording
    glance: Glance
    segments: Future[Segments]
    is_dated_by_end: bool

    def cut(self) -> _Cut | IndexResult:
        """Wait for the segments."""
        try:
            segments = self.segments.result()
        except AudioError as exc:
            return failed_result(self.recording.uri, exc)
        recording = replace(
            self.recording, duration_s=segments.duration_s, stat=self.glance.trusted_stat()
        )
        if self.is_dated_by_end:
            recording = counted_back(recording, segments.duration_s)
        return _Cut(recording, segments)


class Pipeline:
    """Segments, embeds, stores and searches.

    Parameters
    ----------
    store : Store
        Where windows are kept.
    encoder : Encoder
        What embeds them.
    plan : WindowPlan
        How recordings are cut.
    collection : str
        Which of the store's collections is meant.
    dating : Dating
        How to find out when recordings began.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        plan: WindowPlan,
        collection: str = DEFAULT_COLLECTION,
        dating: Dating = _STANDARD_DATING,
    ) -> None:
        self.store = store
        self.encoder = encoder
        self.plan = plan
        self.collection = collection
        self.dating = dating
        self.spec = index_spec(encoder, plan)

    def index(self, items: Iterable[IndexItem], *, checksum: bool = False) -> Iterator[IndexResult]:
        """Index files; yield one result each, in order, as they are done.

        A file that cannot be used yields a ``failed`` result and the rest goes on. While a batch is
        embedded and stored, the next one is decoded.

        Parameters
        ----------
        items : iterable of IndexItem
        checksum : bool
            Read every file, also where its size and its time of last change are those stored.

        Raises
        ------
        StoreError, ModelError
            The database or the encoder cannot be used; what was yielded is stored.
        """
        ahead: deque[list[_Pending | IndexResult]] = deque()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for batch in self._batches(items, pool, checksum=checksum):
                    ahead.append(batch)
                    if len(ahead) > 1:
                        yield from self._finish(ahead.popleft())
                while ahead:
                    yield from self._finish(ahead.popleft())
            finally:
                pool.shutdown(cancel_futures=True)
        self.store.finish_batch(collection=self.collection)

    def sight(self, items: Iterable[IndexItem]) -> Iterator[SightedFile]:
        """Look at files without opening them, and at what is stored of them: a question a page.

        Raises
        ------
        ModelMismatch
            The collection was made with another encoder or other windows.
        """
        iterator = iter(items)
        while page := list(islice(iterator, PAGE_FILES)):
            sighted = [SightedFile(item, glance_at(item)) for item in page]
            names = [uri_of(file.glance.path) for file in sighted if isinstance(file.glance, Glance)]
            known = self.store.known_files(names, self.spec, collection=self.collection)
            for file in sighted:
                yield self._recognised(file, known)

    def _recognised(self, file: SightedFile, known: Mapping[str, Recording]) -> SightedFile:
        if isinstance(file.glance, AudioError):
            return file
        stored = known.get(uri_of(file.glance.path))
        vague = stored is not None and start_source(stored) in (None, "mtime")
        may_gain_start = vague and self.dating.patterns != DEFAULT_PATTERNS
        return replace(file, known=stored, may_gain_start=may_gain_start)

    def _batches(
        self, items: Iterable[IndexItem], pool: ThreadPoolExecutor, *, checksum: bool
    ) -> Iterator[list[_Pending | IndexResult]]:
        """Yield parts, in each batch only so many that had to be opened."""
        batch: list[_Pending | IndexResult] = []
        n_opened = 0
        for file in self.sight(items):
            if file.known is not None and not checksum and file.is_unchanged():
                batch.append(IndexResult(file.known.uri, "unchanged", file.known.recording_id))
            else:
                batch.append(self._begin(file, pool))
                n_opened += 1
            if n_opened == BATCH_RECORDINGS or len(batch) == PAGE_FILES:
                yield batch
                batch, n_opened = [], 0
        if batch:
            yield batch

    def described(self, file: SightedFile) -> Recording:
        """Read a file for its id and its start; its duration is 0 until it is decoded.

        Raises
        ------
        AudioError
            It cannot be read.
        """
        if isinstance(file.glance, AudioError):
            raise file.glance
        path = file.glance.path
        told = identified(path, file.item, recording_id_of(path))
        return told if file.item.is_upload else self.dating.dated(told, path)

    def _begin(self, file: SightedFile, pool: ThreadPoolExecutor) -> _Pending | IndexResult:
        """Let a file be decoded, unless its audio is stored already or it fails at once."""
        if isinstance(file.glance, AudioError):
            return failed_result(file.item.uri, file.glance)
        path = file.glance.path
        try:
            recording = replace(self.described(file), stat=file.glance.trusted_stat())
            # Of known audio the stored start stays, unless this one is more trustworthy; then it is
            # stored anew, for which it must be decoded.
            renew = file.item.stored is not None
            outcome = self.store.link(recording, self.spec, renew=renew, collection=self.collection)
        except AudioError as exc:
            return failed_result(file.item.uri, exc)
        if outcome is not None:
            return IndexResult(recording.uri, outcome, recording.recording_id)
        is_dated_by_end = file.item.recorded_at is None and recording.recorded_at_source == "mtime"
        segments = pool.submit(segment, path, self.plan)
        return _Pending(recording, file.glance, segments, is_dated_by_end)

    def _finish(self, pending: Sequence[_Pending | IndexResult]) -> Iterator[IndexResult]:
        """Embed and store what was decoded; the next batch is being decoded meanwhile."""
        parts = [part.cut() if isinstance(part, _Pending) else part for part in pending]
        cuts = [part for part in parts if isinstance(part, _Cut)]
        if not cuts:
            yield from (part for part in parts if isinstance(part, IndexResult))
            return
        embedded = self._embed([cut.segments for cut in cuts])
        entries = [
            Entry(cut.recording, cut.segments.windows, rows)
            for cut, rows in zip(cuts, embedded, strict=True)
        ]
        outcomes = iter(self.store.add_many(entries, self.spec, collection=self.collection))
        for part in parts:
            yield part.stored(next(outcomes)) if isinstance(part, _Cut) else part

    def search(
        self,
        query: str | Path | Query,
        *,
        top_k: int = 10,
        filters: Filters | None = None,
        exclude_self: bool = False,
        min_score: float = -1.0,
        collections: Sequence[str] = (),
        group_by: str = "recording",
    ) -> Answer:
        """Find the recordings that hold something like a query.

        Parameters
        ----------
        query : str, Path or Query
            A file, or what else can be looked for.
        top_k : int
            At most this many matches.
        filters : Filters, optional
            Which recordings may answer.
        exclude_self : bool
            Leave out the query's own recording, under whatever path it is stored.
        min_score : float
            Leave out matches with a lower cosine similarity.
        collections : sequence of str
            Where to look; by default in the pipeline's own collection.
        group_by : str
            ``recording``, or ``label`` for the best match of each label.

        Raises
        ------
        SilentQuery
            Every window of the query is silent.
        RecordingNotFound
            The query is a recording that is not stored.
        AudioError, StoreError, ParameterError
            As their names say.
        """
        return answer_to(
            self.embedded(query, collections),
            self.store,
            top_k=top_k,
            filters=filters,
            exclude_self=exclude_self,
            min_score=min_score,
            collections=collections or [self.collection],
            group_by=group_by,
        )

    def embedded(self, query: str | Path | Query, collections: Sequence[str] = ()) -> EmbeddedQuery:
        """Return the vectors of a query, computed or read from the store.

        Parameters
        ----------
        query : str, Path or Query
        collections : sequence of str
            Where a stored recording is looked for, before the pipeline's own collection.

        Raises
        ------
        SilentQuery, RecordingNotFound, AudioError, StoreError, ParameterError
            As for `search`.
        """
        if not isinstance(query, Query):
            query = Query(query)
        if query.source is None:
            return query_without_sound(self.store, query, [*collections, self.collection])
        return self._heard(query)

    def _heard(self, query: Query) -> EmbeddedQuery:
        assert query.source is not None
        source = query.source if isinstance(query.source, bytes) else resolve_path(query.source)
        recording_id = recording_id_of(source)
        segments = segment(source, self.plan, query.excerpt)
        audible(segments.windows)
        (embeddings,) = self._embed([segments])
        return heard_query(
            f"upload:{recording_id}" if isinstance(source, bytes) else uri_of(source),
            recording_id,
            segments.windows,
            embeddings,
            self.spec,
            segments.duration_s,
            segments.warnings,
        )

    def embed(self, source: str | Path) -> tuple[Segments, FloatArray]:
        """Return a file's windows and their embeddings, ``(n_windows, dimension)`` float32."""
        segments = segment(resolve_path(source), self.plan)
        return segments, self._embed([segments])[0]

    def _embed(self, segments: Sequence[Segments]) -> list[FloatArray]:
        recordings = [CutRecording(part.samples, part.windows, part.offset_s) for part in segments]
        return embed_windows(recordings, self.encoder, self.plan)
