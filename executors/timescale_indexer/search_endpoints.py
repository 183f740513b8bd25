"""Endpoints of named searches."""

from typing import Any

from docarray import DocList
from jina import requests

from executors.messages import given
from executors.messages.documents import EmbeddedClip
from executors.messages.search_parameters import (
    AcceptSearchParameters,
    EstimateSearchParameters,
    ImportSearchParameters,
    MarkSearchParameters,
    NamedSearchParameters,
    ReviewSearchParameters,
    RunSearchParameters,
    SaveSearchParameters,
    SearchesParameters,
)
from executors.messages.searches import (
    AcceptedDoc,
    EstimateDoc,
    FoundAgain,
    ImportedSearchDoc,
    NamedSearchDoc,
    RemovedSearchDoc,
    ReviewHitDoc,
    SearchFileDoc,
    SearchMarkDoc,
    UndoneDoc,
    estimate_doc,
    search_file_doc,
    undone_doc,
)
from executors.timescale_indexer import named_searches
from executors.timescale_indexer.base import StoreExecutor
from executors.timescale_indexer.named_searches import searches_of
from soundalike.searches.reviewing import undone_to_json

_SEARCHES = SearchesParameters()


class SearchEndpoints(StoreExecutor):
    """Saves, lists, runs and removes named searches, and marks what they find."""

    @requests(on="/searches")
    def searches(
        self,
        docs: DocList[given.SearchFileDoc],
        parameters: SearchesParameters = _SEARCHES,
        **kwargs: Any,
    ) -> DocList[NamedSearchDoc]:
        """Return all named searches of a collection, or one with its marks."""
        found = named_searches.list_searches(self._store, parameters)
        self._check_known(bool(found), parameters.collection)
        return found

    @requests(on="/search_save")
    def search_save(
        self, docs: DocList[EmbeddedClip], parameters: SaveSearchParameters, **kwargs: Any
    ) -> DocList[NamedSearchDoc]:
        """Save the search for one document under a name."""
        return named_searches.save_search(docs, self._store, parameters)

    @requests(on="/search_run")
    def search_run(
        self, docs: DocList[given.SearchFileDoc], parameters: RunSearchParameters, **kwargs: Any
    ) -> DocList[FoundAgain]:
        """Search again, without the places that were marked wrong."""
        return named_searches.run_search(self._store, parameters)

    @requests(on="/search_mark")
    def search_mark(
        self, docs: DocList[given.SearchFileDoc], parameters: MarkSearchParameters, **kwargs: Any
    ) -> DocList[SearchMarkDoc]:
        """Mark a place right or wrong, or clear its marks; return the marks."""
        return named_searches.mark_place(self._store, parameters)

    @requests(on="/search_undo")
    def search_undo(
        self, docs: DocList[given.SearchFileDoc], parameters: NamedSearchParameters, **kwargs: Any
    ) -> DocList[UndoneDoc]:
        """Take back the latest mark, clearing or acceptance."""
        undone = searches_of(self._store, parameters).undo(parameters.name)
        return DocList[UndoneDoc]([undone_doc(undone_to_json(undone))])

    @requests(on="/search_accept")
    def search_accept(
        self, docs: DocList[given.SearchFileDoc], parameters: AcceptSearchParameters, **kwargs: Any
    ) -> DocList[AcceptedDoc]:
        """Add an annotation for each right place."""
        return named_searches.accept_marks(self._store, parameters)

    @requests(on="/search_review")
    def search_review(
        self, docs: DocList[given.SearchFileDoc], parameters: ReviewSearchParameters, **kwargs: Any
    ) -> DocList[ReviewHitDoc]:
        """Return the hits to review, in their order."""
        rows = searches_of(self._store, parameters).review(parameters.name, parameters.request)
        return DocList[ReviewHitDoc](ReviewHitDoc(**row) for row in rows)

    @requests(on="/search_estimate")
    def search_estimate(
        self, docs: DocList[given.SearchFileDoc], parameters: EstimateSearchParameters, **kwargs: Any
    ) -> DocList[EstimateDoc]:
        """Estimate the precision of a search from its marks."""
        row = searches_of(self._store, parameters).estimate(parameters.name, parameters.request)
        return DocList[EstimateDoc]([estimate_doc(row)])

    @requests(on="/search_export")
    def search_export(
        self, docs: DocList[given.SearchFileDoc], parameters: NamedSearchParameters, **kwargs: Any
    ) -> DocList[SearchFileDoc]:
        """Return a search as a file."""
        row = searches_of(self._store, parameters).export(parameters.name)
        return DocList[SearchFileDoc]([search_file_doc(row)])

    @requests(on="/search_import")
    def search_import(
        self,
        docs: DocList[given.SearchFileDoc],
        parameters: ImportSearchParameters,
        **kwargs: Any,
    ) -> DocList[ImportedSearchDoc]:
        """Save the searches of files."""
        return named_searches.import_searches(docs, self._store, parameters)

    @requests(on="/search_remove")
    def search_remove(
        self, docs: DocList[given.SearchFileDoc], parameters: NamedSearchParameters, **kwargs: Any
    ) -> DocList[RemovedSearchDoc]:
        """Remove a search with its marks."""
        searches_of(self._store, parameters).remove(parameters.name)
        return DocList[RemovedSearchDoc]([RemovedSearchDoc(name=parameters.name)])
