"""List stored recordings as documents: page by page, or by name."""

from typing import List

from docarray import DocList

from executors.messages import given
from executors.messages.documents import time_text
from executors.messages.failures import mark_failed
from executors.messages.int32 import to_int64
from executors.messages.listings import StoredDoc
from executors.messages.parameters import DropParameters, RecordingsParameters
from soundalike.audio.excerpt import Excerpt
from soundalike.audio.sources import stored_names
from soundalike.errors import ParameterError, StoreUnavailable
from soundalike.filters import Filters, parse_conditions
from soundalike.search.requests import prefix_of
from soundalike.store import Store, StoredFile
from soundalike.store.base import not_found
from soundalike.store.partial import partial_answers

#: Of a recording whose paths alone are wanted: one window.
_LITTLE = Excerpt(at_s=0.0)


def page_of_recordings(store: Store, parameters: RecordingsParameters) -> DocList[StoredDoc]:
    """Return the next stored paths, in their order; none at the end.

    Raises
    ------
    ParameterError, StoreError
        As their names say.
    """
    page = store.page_of_files(
        _filters(parameters),
        after=parameters.after,
        limit=parameters.limit,
        collection=parameters.collection,
    )
    return DocList[StoredDoc](_described(file) for file in page)


def _filters(parameters: RecordingsParameters) -> Filters:
    return Filters(
        labels=tuple(parameters.labels),
        tags=parameters.tags,
        uri_prefix=prefix_of(parameters.uri_prefix, parameters.under),
        where=parse_conditions(parameters.where),
    )


def to_drop(
    docs: DocList[given.CollectionDoc], parameters: DropParameters
) -> DocList[given.CollectionDoc]:
    """Return a document for each collection to drop.

    Raises
    ------
    ParameterError
        No collection is named, or one by the parameter beside others by documents.
    """
    wanted = parameters.collection
    if wanted is None and docs and all(doc.name for doc in docs):
        return docs
    if wanted and all(doc.name in ("", wanted) for doc in docs):
        return DocList[given.CollectionDoc]([given.CollectionDoc(id=wanted, name=wanted)])
    raise ParameterError(
        "the request does not say which collection to drop; give the parameter collection, or "
        "documents that all have a name"
    )


def look_up(docs: DocList[StoredDoc], store: Store, collection: str) -> DocList[StoredDoc]:
    """Complete documents that name a recording or a path; mark those of which nothing is stored.

    Raises
    ------
    StoreError
        The database cannot be asked.
    """
    names = [_names(doc) for doc in docs]
    with partial_answers() as missing:
        found = store.files_named([key for keys in names for key in keys], collection=collection)
    for doc, keys in zip(docs, names, strict=True):
        file = next((found[key] for key in keys if key in found), None)
        if not keys:
            mark_failed(doc, ParameterError("the document has neither recording_id nor uri; give one"))
        elif file is None and missing.shards:
            mark_failed(doc, StoreUnavailable(f"{keys[0]!r} was not found; {missing.warnings[0]}"))
        elif file is None:
            mark_failed(doc, not_found(keys[0], collection))
        else:
            _describe(doc, file)
    return docs


def all_paths(docs: DocList[StoredDoc], store: Store, collection: str) -> DocList[StoredDoc]:
    """Return a document for each path of the recordings that are named by their ids.

    Raises
    ------
    ParameterError, StoreError
        As their names say.
    """
    keys = [doc.recording_id for doc in docs if doc.recording_id]
    result = DocList[StoredDoc]()
    for key, first in store.files_named(keys, collection=collection).items():
        content = store.content(key, _LITTLE, collection=collection)
        files = content.files if content else []
        result.extend(_described(StoredFile(file, first.n_windows)) for file in files)
    return result


def _names(doc: StoredDoc) -> List[str]:
    """Return the names that a document may be stored under; an upload has its client's name."""
    if doc.recording_id:
        return [doc.recording_id]
    return [doc.uri, *stored_names(doc.uri)] if doc.uri else []


def _described(file: StoredFile) -> StoredDoc:
    doc = StoredDoc(id=file.recording.uri)
    _describe(doc, file)
    return doc


def _describe(doc: StoredDoc, file: StoredFile) -> None:
    recording = file.recording
    doc.uri, doc.recording_id, doc.label = recording.uri, recording.recording_id, recording.label
    doc.tags, doc.duration_s = to_int64(dict(recording.tags)), recording.duration_s
    doc.recorded_at = time_text(recording.recorded_at)
    doc.recorded_at_source = recording.recorded_at_source
    doc.size_bytes = recording.stat and recording.stat.size_bytes
    doc.n_windows = file.n_windows
