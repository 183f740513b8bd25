"""Search in one process, without Jina."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from soundalike.audio.sandbox import IsolatedDecoding, shared
from soundalike.audio.segmenter import Segments, segment
from soundalike.audio.sources import recording_id_of, resolve_path, uri_of
from soundalike.audio.windows import WindowPlan
from soundalike.config import DEFAULT_COLLECTION
from soundalike.encoders.base import CutRecording, Encoder, embed_each, index_spec
from soundalike.errors import SoundalikeError
from soundalike.ranges import GroupBy
from soundalike.search.find import Answer, answer_to
from soundalike.search.queries import EmbeddedQuery, Query, audible, heard_query, query_without_sound
from soundalike.search.requests import SearchRequest
from soundalike.store.protocol import Store
from soundalike.types import Filters, FloatArray


class Searcher:
    """Embed queries, and find what resembles them in a store.

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
    decoding : IsolatedDecoding, optional
        Processes that decode; by default those that all of this program share.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        plan: WindowPlan,
        collection: str = DEFAULT_COLLECTION,
        decoding: IsolatedDecoding | None = None,
    ) -> None:
        self.store = store
        self.encoder = encoder
        self.plan = plan
        self.collection = collection
        self.spec = index_spec(encoder, plan)
        self._decoding = decoding

    @property
    def decoding(self) -> IsolatedDecoding:
        """The processes that decode; nothing is started by asking for them."""
        return self._decoding or shared()

    def search(
        self,
        query: str | Path | Query,
        *,
        top_k: int = SearchRequest.top_k,
        filters: Filters | None = None,
        exclude_self: bool = SearchRequest.exclude_self,
        min_score: float = SearchRequest.min_score,
        collections: Sequence[str] = (),
        group_by: GroupBy = SearchRequest.group_by,
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
        if not isinstance(query, Query):
            query = Query(query)
        request = SearchRequest(
            query,
            filters or Filters(),
            exclude_self,
            top_k,
            min_score,
            tuple(collections) or (self.collection,),
            group_by,
        )
        return answer_to(request, self.embedded(query, collections), self.store)

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
