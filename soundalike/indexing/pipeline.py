"""Index and search in one process, without Jina: for the command line, tests and benchmarks.

The Flow's executors call the same functions; what is here is only the order of the calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from soundalike.audio import recording_id_of, resolve_path, uri_of
from soundalike.audio.sandbox import IsolatedDecoding, shared
from soundalike.audio.segmenter import Segments, segment
from soundalike.audio.sources import Glance
from soundalike.audio.windows import WindowPlan
from soundalike.clock.start_time import DEFAULT_PATTERNS
from soundalike.clock.wall_clock import Dating, with_start
from soundalike.config import DEFAULT_COLLECTION
from soundalike.encoders.base import CutRecording, Encoder, embed_each, index_spec
from soundalike.errors import SoundalikeError
from soundalike.indexing.items import (
    IndexItem,
    IndexResult,
    SightedFile,
    glance_at,
    identified,
    unchanged_result,
)
from soundalike.indexing.stages import Indexing
from soundalike.search.find import Answer, answer_to
from soundalike.search.queries import EmbeddedQuery, Query, audible, heard_query, query_without_sound
from soundalike.store.base import start_source
from soundalike.store.protocol import Store
from soundalike.types import Filters, FloatArray, Recording

__all__ = ["Answer", "IndexItem", "IndexResult", "Pipeline"]

#: Recordings that are embedded together, so that their patches fill the batches.
BATCH_RECORDINGS = 16
_STANDARD_DATING = Dating()
#: Paths that the store is asked for at once.
PAGE_FILES = 500


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
    decoding : IsolatedDecoding, optional
        Processes that decode; by default those that all pipelines of this program share.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        plan: WindowPlan,
        collection: str = DEFAULT_COLLECTION,
        dating: Dating = _STANDARD_DATING,
        decoding: IsolatedDecoding | None = None,
    ) -> None:
        self.store = store
        self.encoder = encoder
        self.plan = plan
        self.collection = collection
        self.dating = dating
        self.spec = index_spec(encoder, plan)
        self._decoding = decoding

    @property
    def decoding(self) -> IsolatedDecoding:
        """The processes that decode; nothing is started by asking for them."""
        return self._decoding or shared()

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
        StoreError, ModelError, ServiceError
            The database, the encoder or the decoding processes cannot be used; what was yielded is
            stored.
        """
        indexing = Indexing(
            self.store, self.encoder, self.plan, self.collection, self.dating, self.decoding
        )
        yield from indexing.run(self._batches(items, checksum=checksum))
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
        if not isinstance(file.glance, Glance):
            return file
        stored = known.get(uri_of(file.glance.path))
        vague = stored is not None and start_source(stored) in (None, "mtime")
        may_gain_start = vague and self.dating.patterns != DEFAULT_PATTERNS
        return replace(file, known=stored, may_gain_start=may_gain_start)

    def _batches(
        self, items: Iterable[IndexItem], *, checksum: bool
    ) -> Iterator[list[SightedFile | IndexResult]]:
        """Yield files, in each batch only so many that have to be opened."""
        batch: list[SightedFile | IndexResult] = []
        n_opened = 0
        for file in self.sight(items):
            if file.known is not None and not checksum and file.is_unchanged():
                batch.append(unchanged_result(file.known))
            else:
                batch.append(file)
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
        SoundalikeError
            It cannot be read; what is raised is the file's own error.
        """
        told = identified(file)
        if told.recorded_at is not None or file.item.is_upload:
            return told
        assert isinstance(file.glance, Glance)
        start = self.decoding.run(self.dating.start_of, file.glance.path, None, None)
        return with_start(told, start)

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
        segments = self.decoding.run(segment, source, self.plan, query.excerpt)
        audible(segments.windows)
        name = f"upload:{recording_id}" if isinstance(source, bytes) else uri_of(source)
        embeddings = self._embed(segments, name)
        return heard_query(
            name,
            recording_id,
            segments.windows,
            embeddings,
            self.spec,
            segments.duration_s,
            segments.warnings,
        )

    def embed(self, source: str | Path) -> tuple[Segments, FloatArray]:
        """Return a file's windows and their embeddings, ``(n_windows, dimension)`` float32."""
        path = resolve_path(source)
        segments = self.decoding.run(segment, path, self.plan)
        return segments, self._embed(segments, uri_of(path))

    def _embed(self, segments: Segments, name: str) -> FloatArray:
        cut = CutRecording(segments.samples, segments.windows, segments.offset_s)
        (found,) = embed_each([cut], [name], self.encoder, self.plan)
        if isinstance(found, SoundalikeError):
            raise found
        return found
