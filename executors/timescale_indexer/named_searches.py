"""Save, list, run and mark named searches by documents."""

from dataclasses import asdict, replace
from typing import Sequence

from docarray import DocList

from executors.messages.documents import EmbeddedClip, MatchDoc
from executors.messages.failures import mark_failed
from executors.messages.matches import match_doc
from executors.messages.parameters import CollectionParameters
from executors.messages.queries import excerpt_of
from executors.messages.search_parameters import (
    AcceptSearchParameters,
    ImportSearchParameters,
    MarkSearchParameters,
    RunSearchParameters,
    SaveSearchParameters,
    SearchesParameters,
)
from executors.messages.searches import (
    AcceptedDoc,
    FoundAgain,
    ImportedSearchDoc,
    NamedSearchDoc,
    SearchFileDoc,
    SearchMarkDoc,
    named_search_doc,
    search_mark_doc,
)
from executors.timescale_indexer.querying import CLIENT_ERRORS, query_of
from soundalike.errors import ParameterError
from soundalike.searches.exchange import read_search
from soundalike.searches.reviewing import mark_to_json
from soundalike.searches.searches import Searches
from soundalike.store import Store
from soundalike.store.named_searches import checked_search_name

#: Kinds of queries by their names in documents.
_KINDS = {"audio": "file", "stored": "recording"}


def searches_of(store: Store, parameters: CollectionParameters) -> Searches:
    """Return the searches of a request's collection."""
    return Searches(store, parameters.collection)


def list_searches(store: Store, parameters: SearchesParameters) -> DocList[NamedSearchDoc]:
    """Return all searches, or one with its marks."""
    searches = searches_of(store, parameters)
    if parameters.name is not None:
        return DocList[NamedSearchDoc]([named_search_doc(searches.show(parameters.name))])
    return DocList[NamedSearchDoc](map(named_search_doc, searches.rows()))


def save_search(
    docs: DocList[EmbeddedClip], store: Store, parameters: SaveSearchParameters
) -> DocList[NamedSearchDoc]:
    """Save the search for one document.

    Raises
    ------
    ParameterError
        There is not exactly one document, or the name is invalid.
    SearchExists, StoreError
        As for `soundalike.searches.saving.save_search`.
    """
    checked_search_name(parameters.name)
    if len(docs) != 1:
        raise ParameterError(f"the request has {len(docs)} documents; give one query to save")
    (doc,) = docs
    result = NamedSearchDoc(id=doc.id, name=parameters.name, error_code=doc.error_code, error=doc.error)
    if doc.error_code:
        return DocList[NamedSearchDoc]([result])
    try:
        query = query_of(doc, store, [parameters.collection])
        # A text is not a path, and has no name yet; that of an upload is the client's.
        query = replace(query, name=parameters.query_name or doc.text or query.name)
        request = parameters.request(_KINDS.get(doc.kind, doc.kind), excerpt_of(doc))
        row = searches_of(store, parameters).save(request, query)
        result = named_search_doc(row)
    except CLIENT_ERRORS as exc:
        mark_failed(result, exc)
    return DocList[NamedSearchDoc]([result])


def run_search(store: Store, parameters: RunSearchParameters) -> DocList[FoundAgain]:
    """Run a search; return the answer in one document."""
    found = searches_of(store, parameters).run(parameters.name, parameters.request)
    answer, zone = found.answer, found.zone
    limit = found.max_false_alarms
    return DocList[FoundAgain](
        [
            FoundAgain(
                uri=answer.query,
                recording_id=answer.recording_id,
                duration_s=found.duration_s,
                encoder=found.encoder,
                matches=DocList[MatchDoc](match_doc(match, zone) for match in answer.matches),
                good_match=None if limit is None else bool(answer.matches),
                warnings=list(answer.warnings),
                missing_shards=list(answer.missing_shards),
                max_false_alarms=limit,
                time_zone=found.time_zone,
            )
        ]
    )


def mark_place(store: Store, parameters: MarkSearchParameters) -> DocList[SearchMarkDoc]:
    """Mark a place, or clear its marks; return the marks, without a verdict where cleared."""
    searches, name, place = searches_of(store, parameters), parameters.name, parameters.place
    if parameters.verdict == "clear":
        rows = [mark_to_json(mark) for mark in searches.clear(name, place, by=parameters.by)]
        return DocList[SearchMarkDoc](search_mark_doc({**row, "verdict": None}) for row in rows)
    if parameters.verdict not in ("right", "wrong"):
        raise ParameterError(f"verdict is {parameters.verdict!r}; choose right, wrong or clear")
    is_right = parameters.verdict == "right"
    mark = searches.mark(name, place, is_right=is_right, by=parameters.by)
    return DocList[SearchMarkDoc]([search_mark_doc(mark_to_json(mark))])


def accept_marks(store: Store, parameters: AcceptSearchParameters) -> DocList[AcceptedDoc]:
    """Annotate the right places."""
    found = searches_of(store, parameters).accept(parameters.name, parameters.label, by=parameters.by)
    return DocList[AcceptedDoc]([AcceptedDoc(**asdict(found))])


def import_searches(
    docs: Sequence[SearchFileDoc], store: Store, parameters: ImportSearchParameters
) -> DocList[ImportedSearchDoc]:
    """Save the searches of files.

    Raises
    ------
    ParameterError
        There is no document, or there are several for one name.
    ArchiveError
        A file is not a search, or is damaged.
    """
    if not docs or (len(docs) > 1 and parameters.name is not None):
        raise ParameterError(f"the request has {len(docs)} documents; give one with the file's content")
    searches = searches_of(store, parameters)
    results = DocList[ImportedSearchDoc]()
    for doc in docs:
        row = read_search(doc.content.encode(errors="replace"), "the content")
        found = searches.load(row, name=parameters.name, replace=parameters.replace)
        results.append(ImportedSearchDoc(**{**asdict(found), "warnings": list(found.warnings)}))
    return results
