"""Search in one process, without Jina."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from soundalike.audio.sandbox import IsolatedDecoding, shared
from soundalike.audio.segmenter import Segments, segment
from soundalike.audio.sources import recording_id_of, resolve_path, uri_of
from soundalike.audio.windows import WindowPlan
from soundalike.config import DEFAULT_COLLECTION
from soundalike.encoders.base import Encoder, embed_text, index_spec, plan_for
from soundalike.encoders.embedding import CutRecording, embed_each
from soundalike.errors import SoundalikeError
from soundalike.filters import Filters
from soundalike.ranges import GroupBy
from soundalike.search.examples import parse_examples
from soundalike.search.find import Answer, answer_to
from soundalike.search.queries import (
    EmbeddedQuery,
    Query,
    non_silent,
    query_without_sound,
    sound_query,
    text_query,
)
from soundalike.search.requests import SearchRequest
from soundalike.store.protocol import Store
from soundalike.types import FloatArray


class Searcher:
    """Embeds queries and searches a store.

    Parameters
    ----------
    store : Store
    encoder : Encoder
    plan : WindowPlan
    collection : str
        Default collection.
    decoding : IsolatedDecoding, optional
        Decoding processes; by default the shared ones of this program.
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
        self.plan = plan_for(encoder, plan)
        self.collection = collection
        self.spec = index_spec(encoder, plan)
        self._decoding = decoding

    @property
    def decoding(self) -> IsolatedDecoding:
        """The decoding processes, which start on demand."""
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
        max_false_alarms: float | None = SearchRequest.max_false_alarms,
        like: Sequence[str] = (),
        unlike: Sequence[str] = (),
    ) -> Answer:
        """Find recordings that contain sounds similar to a query.

        Parameters
        ----------
        query : str, Path or Query
            A file, or another query.
        top_k : int
            Maximum number of matches.
        filters : Filters, optional
            Filters of the recordings.
        exclude_self : bool
            Exclude the query recording, under any path.
        min_score : float
            Minimum cosine similarity of a match.
        collections : sequence of str
            Collections to search; by default the searcher's collection.
        group_by : str
            ``recording``, or ``label`` for the best match of each label.
        max_false_alarms : float, optional
            Maximum false-alarm rate of a match; without it, matches of unknown rates remain.
        like, unlike : sequence of str
            Further right and wrong examples: paths or ids of stored recordings, or parts of them, like
            ``/field/pond.flac:10-14``.

        Raises
        ------
        SilentQuery
            Every window of the query is silent.
        RecordingNotFound
            The query is a recording that is not stored.
        AudioError, StoreError, ParameterError
            The query cannot be used, the database failed, or a parameter is invalid.
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
            max_false_alarms,
            parse_examples(like, "like"),
            parse_examples(unlike, "unlike"),
        )
        return answer_to(request, self.embedded(query, collections), self.store)

    def embedded(self, query: str | Path | Query, collections: Sequence[str] = ()) -> EmbeddedQuery:
        """Return a query with its vectors, computed or read from the store.

        Parameters
        ----------
        query : str, Path or Query
        collections : sequence of str
            Collections to search for a stored recording, before the searcher's collection.

        Raises
        ------
        SilentQuery, RecordingNotFound, AudioError, StoreError, ParameterError
            As for `search`.
        """
        if not isinstance(query, Query):
            query = Query(query)
        if query.text is not None:
            return text_query(query.text, embed_text(self.encoder, query.text), self.spec)
        if query.source is None:
            return query_without_sound(self.store, query, [*collections, self.collection])
        return self._embed_sound(query)

    def _embed_sound(self, query: Query) -> EmbeddedQuery:
        assert query.source is not None
        source = query.source if isinstance(query.source, bytes) else resolve_path(query.source)
        recording_id = recording_id_of(source)
        segments = self.decoding.run(segment, source, self.plan, query.excerpt)
        non_silent(segments.windows)
        name = f"upload:{recording_id}" if isinstance(source, bytes) else uri_of(source)
        embeddings = self._embed(segments, name)
        return sound_query(
            name,
            recording_id,
            segments.windows,
            embeddings,
            self.spec,
            segments.duration_s,
            segments.warnings,
        )

    def embed(self, source: str | Path | bytes) -> tuple[Segments, FloatArray]:
        """Return a sound's windows and their embeddings, ``(n_windows, dimension)`` float32."""
        sound = source if isinstance(source, bytes) else resolve_path(source)
        segments = self.decoding.run(segment, sound, self.plan)
        name = "upload" if isinstance(sound, bytes) else uri_of(sound)
        return segments, self._embed(segments, name)

    def _embed(self, segments: Segments, name: str) -> FloatArray:
        cut = CutRecording(segments.samples, segments.windows, segments.offset_s)
        (found,) = embed_each([cut], [name], self.encoder, self.plan)
        if isinstance(found, SoundalikeError):
            raise found
        return found
