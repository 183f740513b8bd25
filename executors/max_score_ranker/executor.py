"""MaxScoreRanker: from window hits to recordings, each scored by its best window."""

from datetime import tzinfo
from typing import Any

from docarray import DocList
from jina import Executor, requests

from executors.jina_fixes.cheap_discovery import discover_endpoints_once
from executors.messages.documents import (
    Counted,
    Deletion,
    Found,
    Indexed,
    MatchDoc,
    SearchHits,
    Status,
    mark_unexpected,
    time_text,
    to_windows,
)
from executors.messages.hits import get_hits
from executors.messages.listings import CollectionDoc, FolderDoc, LabelDoc, StoredDoc
from executors.messages.parameters import (
    CollectionParameters,
    CollectionsParameters,
    CountParameters,
    DropParameters,
    IndexParameters,
    RecordingsParameters,
    SearchParameters,
    TimelineParameters,
    VectorsParameters,
)
from soundalike.clock.start_time import zone_named
from soundalike.search.ranking import rank_collections
from soundalike.types import Match

discover_endpoints_once()

_RECORDINGS, _ALL, _COUNT = RecordingsParameters(), CollectionsParameters(), CountParameters()
_VECTORS = VectorsParameters()
_INDEX, _COLLECTION, _DROP = IndexParameters(), CollectionParameters(), DropParameters()


class MaxScoreRanker(Executor):
    """Merges window hits into matches. Last in the Flow, so it binds every endpoint."""

    @requests(on="/search")
    def rank(
        self, docs: DocList[SearchHits], parameters: SearchParameters, **kwargs: Any
    ) -> DocList[Found]:
        """Rank the recordings of every document that has no error."""
        return DocList[Found](_ranked(doc, parameters) for doc in docs)

    @requests(on="/index")
    def pass_index(
        self, docs: DocList[Indexed], parameters: IndexParameters = _INDEX, **kwargs: Any
    ) -> DocList[Indexed]:
        """Hand on: Jina wants an endpoint to be bound to the end of the chain."""
        return docs

    @requests(on="/index_vectors")
    def pass_index_vectors(
        self, docs: DocList[Indexed], parameters: VectorsParameters = _VECTORS, **kwargs: Any
    ) -> DocList[Indexed]:
        """Hand on, as above."""
        return docs

    @requests(on="/timeline")
    def pass_timeline(
        self, docs: DocList[Counted], parameters: TimelineParameters, **kwargs: Any
    ) -> DocList[Counted]:
        """Hand on, as above."""
        return docs

    @requests(on="/delete")
    def pass_delete(
        self, docs: DocList[Deletion], parameters: CollectionParameters = _COLLECTION, **kwargs: Any
    ) -> DocList[Deletion]:
        """Hand on, as above."""
        return docs

    @requests(on="/status")
    def pass_status(
        self, docs: DocList[Status], parameters: CollectionParameters = _COLLECTION, **kwargs: Any
    ) -> DocList[Status]:
        """Hand on, as above."""
        return docs

    @requests(on="/recordings")
    def pass_recordings(
        self, docs: DocList[StoredDoc], parameters: RecordingsParameters = _RECORDINGS, **kwargs: Any
    ) -> DocList[StoredDoc]:
        """Hand on, as above."""
        return docs

    @requests(on="/collections")
    def pass_collections(
        self,
        docs: DocList[CollectionDoc],
        parameters: CollectionsParameters = _ALL,
        **kwargs: Any,
    ) -> DocList[CollectionDoc]:
        """Hand on, as above."""
        return docs

    @requests(on="/drop")
    def pass_drop(
        self, docs: DocList[CollectionDoc], parameters: DropParameters = _DROP, **kwargs: Any
    ) -> DocList[CollectionDoc]:
        """Hand on, as above."""
        return docs

    @requests(on="/labels")
    def pass_labels(
        self, docs: DocList[LabelDoc], parameters: CountParameters = _COUNT, **kwargs: Any
    ) -> DocList[LabelDoc]:
        """Hand on, as above."""
        return docs

    @requests(on="/folders")
    def pass_folders(
        self, docs: DocList[FolderDoc], parameters: CountParameters = _COUNT, **kwargs: Any
    ) -> DocList[FolderDoc]:
        """Hand on, as above."""
        return docs


def _ranked(doc: SearchHits, parameters: SearchParameters) -> Found:
    found = Found(
        id=doc.id,
        uri=doc.uri,
        recording_id=doc.recording_id,
        duration_s=doc.duration_s,
        encoder=doc.encoder or None,
        warnings=doc.warnings,
        error_code=doc.error_code,
        error=doc.error,
    )
    if doc.error_code:
        return found
    try:
        matches = rank_collections(
            get_hits(doc),
            to_windows(doc.chunks),
            top_k=parameters.top_k,
            min_score=parameters.min_score,
            group_by=parameters.group_by,
        )
        zone = zone_named(parameters.zone_name)
        found.matches = DocList[MatchDoc](_document(match, zone) for match in matches)
    except Exception as exc:
        mark_unexpected(found, exc)
    return found


def _document(match: Match, zone: tzinfo) -> MatchDoc:
    recording = match.recording
    return MatchDoc(
        id=recording.recording_id,
        rank=match.rank,
        uri=recording.uri,
        score=match.score,
        start_s=match.start_s,
        end_s=match.end_s,
        query_start_s=match.query_start_s,
        query_end_s=match.query_end_s,
        n_hits=match.n_hits,
        label=recording.label,
        tags=dict(recording.tags),
        duration_s=recording.duration_s,
        recording_id=recording.recording_id,
        collection=match.collection,
        occurred_at=time_text(match.occurred_at, zone),
        recorded_at=time_text(recording.recorded_at, zone),
        recorded_at_source=recording.recorded_at_source,
    )
