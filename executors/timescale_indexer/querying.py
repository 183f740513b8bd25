"""Get the vectors of a query: from its document, or from the store."""

from typing import List, Union

from executors.messages.documents import (
    Counted,
    EmbeddedClip,
    SearchHits,
    to_embeddings,
    to_spec,
    to_windows,
)
from executors.messages.events import EventsFound
from executors.messages.queries import excerpt_of
from soundalike.errors import AudioError, DimensionMismatch, ParameterError, RecordingNotFound
from soundalike.search.queries import (
    EmbeddedQuery,
    annotated_query,
    sound_query,
    stored_query,
    text_query,
    vector_query,
)
from soundalike.store import Store

#: Errors that one document of a request is to blame for; the others are answered.
CLIENT_ERRORS = (AudioError, ParameterError, RecordingNotFound, DimensionMismatch)


def query_of(doc: EmbeddedClip, store: Store, collections: List[str]) -> EmbeddedQuery:
    """Return the query of a document.

    Parameters
    ----------
    doc : EmbeddedClip
        Without an error.
    store : Store
    collections : list of str
        Where a stored recording is looked for.

    Raises
    ------
    AudioError, ParameterError, StoreError
        As their names say.
    """
    if doc.kind == "stored":
        return stored_query(store, str(doc.recording_id), excerpt_of(doc), collections)
    if doc.kind == "label":
        return annotated_query(store, str(doc.like_label), collections)
    rows = to_embeddings(doc)
    if doc.kind == "vector":
        return vector_query(store, rows[0], collections)
    if doc.kind == "text":
        # Answers name paths, which a text is not.
        return text_query("", rows[:1], to_spec(doc))
    return sound_query(
        doc.uri or "",
        doc.recording_id,
        to_windows(doc.chunks),
        rows,
        to_spec(doc),
        doc.duration_s,
        doc.warnings,
    )


def copy_query(query: EmbeddedQuery, result: Union[SearchHits, Counted, EventsFound]) -> None:
    """Write the facts of a query that only the store has into its answer."""
    result.encoder = query.spec.encoder
    result.uri = query.name or result.uri
    result.recording_id = query.recording_id
    result.duration_s = query.duration_s
    result.warnings = list(query.warnings)
