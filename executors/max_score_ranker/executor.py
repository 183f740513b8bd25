"""MaxScoreRanker: from window hits to recordings, each scored by its best window."""

from typing import Any

from docarray import DocList
from jina import requests

from executors.behind import AfterIndexer
from executors.messages.documents import Found, MatchDoc, SearchHits, to_windows
from executors.messages.failures import request_at_fault
from executors.messages.hits import get_hits
from executors.messages.matches import match_doc
from executors.messages.parameters import SearchParameters
from soundalike.clock.start_time import zone_named
from soundalike.runtime.stages import stage
from soundalike.search.ranking import rank_collections


class MaxScoreRanker(AfterIndexer):
    """Merges window hits into matches, and passes the documents of all other endpoints on."""

    @requests(on="/search")
    def rank(
        self, docs: DocList[SearchHits], parameters: SearchParameters, **kwargs: Any
    ) -> DocList[Found]:
        """Rank the recordings of every document that has no error."""
        return DocList[Found](_ranked(doc, parameters) for doc in docs)


def _ranked(doc: SearchHits, parameters: SearchParameters) -> Found:
    found = Found(
        id=doc.id,
        uri=doc.uri,
        recording_id=doc.recording_id,
        duration_s=doc.duration_s,
        encoder=doc.encoder or None,
        warnings=doc.warnings,
        missing_shards=doc.missing_shards,
        error_code=doc.error_code,
        error=doc.error,
    )
    if doc.error_code:
        return found
    with request_at_fault(found), stage("rank"):
        matches = rank_collections(
            get_hits(doc),
            to_windows(doc.chunks),
            top_k=parameters.top_k,
            min_score=parameters.min_score,
            group_by=parameters.group_by,
            max_false_alarms=parameters.max_false_alarms,
        )
        zone = zone_named(parameters.zone_name)
        found.matches = DocList[MatchDoc](match_doc(match, zone) for match in matches)
        found.good_match = None if parameters.max_false_alarms is None else bool(matches)
    return found
