"""Hits on their way from the indexer to the ranker: from the core's types to columns, and back."""

from collections import defaultdict
from typing import Dict, List, Mapping, Optional, Tuple

import numpy as np
from docarray import DocList

from executors.messages.documents import RecordingDoc, SearchHits, parse_time, time_text
from executors.messages.int32 import to_int64
from soundalike.store.base import SearchResult
from soundalike.types import Hit, Recording


def write_hits(doc: SearchHits, results: Mapping[str, SearchResult]) -> None:
    """Write hits and their recordings into a document, by columns.

    Parameters
    ----------
    doc : SearchHits
    results : mapping of str to SearchResult
        By collection.
    """
    hits: List[Tuple[int, Hit]] = []
    doc.recordings = DocList[RecordingDoc]()
    for collection, result in results.items():
        order = {key: len(doc.recordings) + n for n, key in enumerate(result.recordings)}
        hits += [(order[hit.recording_id], hit) for hit in result.hits if hit.recording_id in order]
        doc.recordings.extend(
            _document(
                found, collection, result.false_alarm_rates.get(key), result.n_other_events.get(key)
            )
            for key, found in result.recordings.items()
        )
    doc.hit_query = np.array([hit.query_window for _, hit in hits], dtype=np.int32)
    doc.hit_recording = np.array([row for row, _ in hits], dtype=np.int32)
    doc.hit_window = np.array([hit.window_index for _, hit in hits], dtype=np.int32)
    doc.hit_start_s = np.array([hit.start_s for _, hit in hits], dtype=np.float64)
    doc.hit_end_s = np.array([hit.end_s for _, hit in hits], dtype=np.float64)
    doc.hit_score = np.array([hit.score for _, hit in hits], dtype=np.float64)


def get_hits(doc: SearchHits) -> Dict[str, SearchResult]:
    """Return the hits and recordings that `write_hits` has written, by collection."""
    results: Dict[str, SearchResult] = defaultdict(lambda: SearchResult([], {}))
    for found in doc.recordings:
        of_collection = results[found.collection]
        of_collection.recordings[str(found.id)] = _recording(found)
        if found.false_alarm_rate is not None:
            of_collection.false_alarm_rates[str(found.id)] = found.false_alarm_rate
        if found.n_other_events is not None:
            of_collection.n_other_events[str(found.id)] = found.n_other_events
    if doc.hit_query is None:
        return dict(results)
    columns = (
        doc.hit_query,
        doc.hit_recording,
        doc.hit_window,
        doc.hit_start_s,
        doc.hit_end_s,
        doc.hit_score,
    )
    for query, row, window, start_s, end_s, score in zip(
        *(np.asarray(column).tolist() for column in columns), strict=True
    ):
        found = doc.recordings[row]
        hit = Hit(query, str(found.id), window, start_s, end_s, score)
        results[found.collection].hits.append(hit)
    return dict(results)


def _document(
    found: Recording,
    collection: str,
    false_alarm_rate: Optional[float],
    n_other_events: Optional[int],
) -> RecordingDoc:
    return RecordingDoc(
        id=found.recording_id,
        uri=found.uri,
        duration_s=found.duration_s,
        label=found.label,
        tags=to_int64(dict(found.tags)),
        recorded_at=time_text(found.recorded_at),
        recorded_at_source=found.recorded_at_source,
        collection=collection,
        false_alarm_rate=false_alarm_rate,
        n_other_events=n_other_events,
    )


def _recording(found: RecordingDoc) -> Recording:
    return Recording(
        recording_id=str(found.id),
        uri=found.uri,
        duration_s=found.duration_s,
        label=found.label,
        tags=found.tags,
        recorded_at=parse_time(found.recorded_at),
        recorded_at_source=found.recorded_at_source,
    )
