"""TimescaleIndexer: stores windows in PostgreSQL and finds their neighbours."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type, Union, cast

from docarray import BaseDoc, DocList
from jina import requests

from executors.messages import given
from executors.messages.documents import (
    BucketDoc,
    Counted,
    Deletion,
    EmbeddedClip,
    Indexed,
    SearchHits,
    Status,
    WindowDoc,
    carried_fields,
    note_missing,
    time_text,
    to_embeddings,
    to_recording,
    to_spec,
    to_windows,
)
from executors.messages.events import EventsFound, ListenedDoc
from executors.messages.failures import document_at_fault, mark_failed, request_at_fault
from executors.messages.hits import write_hits
from executors.messages.listings import (
    CollectionDoc,
    FolderDoc,
    LabelDoc,
    StoredDoc,
    listed,
)
from executors.messages.parameters import (
    CollectionParameters,
    CollectionsParameters,
    CountParameters,
    DropParameters,
    EventsParameters,
    IndexParameters,
    ListenParameters,
    RecordingsParameters,
    SearchParameters,
    TimelineParameters,
    VectorsParameters,
)
from executors.monitoring.watching import watch_executors
from executors.timescale_indexer.annotation_endpoints import AnnotationEndpoints
from executors.timescale_indexer.events import add_unrelated, keep_model, recordings_with_events
from executors.timescale_indexer.listing import all_paths, look_up, page_of_recordings, to_drop
from executors.timescale_indexer.map_endpoints import MapEndpoints
from executors.timescale_indexer.normal_endpoints import NormalEndpoints
from executors.timescale_indexer.querying import CLIENT_ERRORS, copy_query, query_of
from executors.timescale_indexer.repeats_endpoints import RepeatsEndpoints
from executors.timescale_indexer.search_endpoints import SearchEndpoints
from executors.timescale_indexer.speaker_endpoints import SpeakerEndpoints
from executors.timescale_indexer.vectors import store_vectors
from soundalike.audio.sources import stored_names
from soundalike.config import Settings
from soundalike.errors import AudioError, ParameterError, SoundalikeError, StoreUnavailable
from soundalike.events.calibrating import rates_of
from soundalike.events.candidates import check_fit
from soundalike.search.find import find_hits
from soundalike.search.marked import with_examples
from soundalike.search.queries import EmbeddedQuery
from soundalike.store import open_store
from soundalike.store.base import Entry, is_unfinished
from soundalike.store.each import add_each
from soundalike.store.partial import partial_answers
from soundalike.store.renewal import count_searchable, zero_warning
from soundalike.types import BucketWidth

watch_executors()

_STANDARD, _COLLECTION, _DROP = IndexParameters(), CollectionParameters(), DropParameters()
_VECTORS, _EVENTS = VectorsParameters(), EventsParameters()
_LISTING, _COUNTED, _ALL = RecordingsParameters(), CollectionsParameters(), CountParameters()
#: Documents that are committed together.
_TRANSACTION = 32


class TimescaleIndexer(
    AnnotationEndpoints,
    SpeakerEndpoints,
    NormalEndpoints,
    SearchEndpoints,
    MapEndpoints,
    RepeatsEndpoints,
):
    """Keeps windows in PostgreSQL, in a hypertable where the server has TimescaleDB.

    The server is named by ``SOUNDALIKE_DATABASE_URL``, never in YAML, because it may hold a
    password. Without it the embedded server is started and shared.

    Parameters
    ----------
    data_dir : str, optional
        Folder of the embedded server.
    """

    def __init__(self, data_dir: Optional[str] = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = Settings.from_env()
        if data_dir:
            settings = replace(settings, data_dir=Path(data_dir))
        self._store = open_store(settings)
        self.missing_shards: Tuple[str, ...] = ()
        try:
            self._store.status()
        except StoreUnavailable as exc:
            # The server may come up later; until then each request says so.
            self.logger.warning(str(exc))

    @requests(on="/index")
    def index(
        self, docs: DocList[EmbeddedClip], parameters: IndexParameters = _STANDARD, **kwargs: Any
    ) -> DocList[Indexed]:
        """Store every document that has no error; a failure affects only its own document."""
        results = DocList[Indexed](_new_result(doc) for doc in docs)
        usable = [(doc, result) for doc, result in zip(docs, results, strict=True) if not doc.error_code]
        for begin in range(0, len(usable), _TRANSACTION):
            self._index_some(usable[begin : begin + _TRANSACTION], parameters.collection)
        self._store.finish_batch(collection=parameters.collection)
        return results

    def _index_some(self, pairs: Sequence[Tuple[EmbeddedClip, Indexed]], collection: str) -> None:
        """Store documents in one transaction; where one cannot be stored, each in its own."""
        usable = []
        for doc, result in pairs:
            with document_at_fault(result):
                usable.append((_entry(doc), doc, result))
        if not usable:
            return
        entries = [entry for entry, _, _ in usable]
        spec = to_spec(usable[0][1])
        outcomes = add_each(self._store, entries, spec, collection=collection)
        for (entry, _, result), outcome in zip(usable, outcomes, strict=True):
            if isinstance(outcome, SoundalikeError):
                mark_failed(result, outcome)
                continue
            windows, rows = entry.windows, entry.embeddings
            result.outcome, result.n_windows = outcome, len(windows)
            result.n_searchable = count_searchable(windows, rows)
            result.warnings = [*result.warnings, *zero_warning(windows, rows)]

    @requests(on="/index_vectors")
    def index_vectors(
        self, docs: DocList[given.VectorsDoc], parameters: VectorsParameters = _VECTORS, **kwargs: Any
    ) -> DocList[Indexed]:
        """Store recordings by vectors of another program, in a collection of their own."""
        return store_vectors(docs, self._store, parameters)

    @requests(on="/search")
    def search(
        self, docs: DocList[EmbeddedClip], parameters: SearchParameters, **kwargs: Any
    ) -> DocList[SearchHits]:
        """Find window hits for every document that has no error."""
        return DocList[SearchHits](self._search_one(doc, parameters) for doc in docs)

    def _search_one(self, doc: EmbeddedClip, parameters: SearchParameters) -> SearchHits:
        result = SearchHits(**carried_fields(doc), encoder=doc.encoder)
        names = parameters.collections or [parameters.collection]
        query = self._query_of(doc, result, [*names, parameters.collection])
        if query is None:
            return result
        with request_at_fault(result, (AudioError,)):
            query = with_examples(self._store, query, *parameters.examples, names)
            with partial_answers() as missing:
                found = find_hits(
                    self._store,
                    query,
                    top_k=parameters.top_k,
                    filters=parameters.filters(query.recording_id),
                    collections=names,
                    group_by=parameters.group_by,
                )
            copy_query(query, result)
            note_missing(result, missing)
            write_hits(result, found)
            for window in query.windows:
                result.chunks.append(
                    WindowDoc(index=window.index, start_s=window.start_s, end_s=window.end_s)
                )
        return result

    def _query_of(
        self, doc: EmbeddedClip, result: Union[SearchHits, Counted, EventsFound], collections: List[str]
    ) -> Optional[EmbeddedQuery]:
        """Return the query of a document; None where that has an error, which is in the result."""
        if not doc.error_code:
            with request_at_fault(result, CLIENT_ERRORS):
                return query_of(doc, self._store, collections)
        return None

    @requests(on="/timeline")
    def count(
        self, docs: DocList[EmbeddedClip], parameters: TimelineParameters, **kwargs: Any
    ) -> DocList[Counted]:
        """Count similar windows by time for every document that has no error."""
        return DocList[Counted](self._count_one(doc, parameters) for doc in docs)

    def _count_one(self, doc: EmbeddedClip, parameters: TimelineParameters) -> Counted:
        result = Counted(**_fields_of(Counted, doc), encoder=doc.encoder or None)
        query = self._query_of(doc, result, [parameters.collection])
        if query is None:
            return result
        copy_query(query, result)
        filters = parameters.filters(query.recording_id)
        # The store refuses a width that it does not know.
        width = cast(BucketWidth, parameters.by)
        with request_at_fault(result):
            with partial_answers() as missing:
                found = self._store.count_by_time(
                    query.embeddings,
                    query.spec,
                    min_score=parameters.min_score,
                    bucket=width,
                    zone=filters.time_zone,
                    filters=filters,
                    collection=parameters.collection,
                )
            note_missing(result, missing)
            result.undated = found.undated
            for bucket in found.buckets:
                start, end = bucket.start.isoformat(), bucket.end.isoformat()
                result.buckets.append(BucketDoc(id=start, start=start, end=end, count=bucket.count))
        return result

    @requests(on="/events")
    def find_events(
        self, docs: DocList[EmbeddedClip], parameters: EventsParameters = _EVENTS, **kwargs: Any
    ) -> DocList[EventsFound]:
        """Find the parts of recordings that resemble each query, by stored vectors."""
        return DocList[EventsFound](self._events_of(doc, parameters) for doc in docs)

    def _events_of(self, doc: EmbeddedClip, parameters: EventsParameters) -> EventsFound:
        result = EventsFound(**_fields_of(EventsFound, doc), encoder=doc.encoder or None)
        query = self._query_of(doc, result, [parameters.collection])
        if query is None:
            return result
        copy_query(query, result)
        with request_at_fault(result), partial_answers() as missing:
            check_fit(self._store, query, parameters.request(parameters.filters(query.recording_id)))
            rates = rates_of(self._store, query, parameters.collection)
            result.recordings = recordings_with_events(self._store, query, parameters, rates)
            result.rates = rates.to_json()
            if parameters.reread_s > 0 and not missing.shards:
                add_unrelated(result, self._store, rates, query.spec, parameters.collection)
            note_missing(result, missing)
        return result

    @requests(on="/listen")
    def pass_listened(
        self, docs: DocList[ListenedDoc], parameters: ListenParameters, **kwargs: Any
    ) -> DocList[ListenedDoc]:
        """Pass on what was heard; keep what it says of the false alarms of a collection."""
        if parameters.model_of is not None and docs and docs[0].model:
            keep_model(self._store, docs[0].model, parameters.model_of)
        return docs

    @requests(on="/delete")
    def delete(
        self,
        docs: DocList[given.Deletion],
        parameters: CollectionParameters = _COLLECTION,
        **kwargs: Any,
    ) -> DocList[Deletion]:
        """Delete by path, folder or recording id; a document without either comes back marked.

        Raises
        ------
        ParameterError
            There are no documents.
        """
        if not docs:
            raise ParameterError(
                "the request has no documents; give one with uri or recording_id for each deletion"
            )
        for doc in docs:
            if not doc.recording_id and not doc.uri:
                mark_failed(doc, ParameterError("give uri or recording_id of what is to go"))
            elif doc.recording_id:
                doc.deleted = self._store.delete(doc.recording_id, collection=parameters.collection)
            else:
                # An upload is stored under the name that it came with, a file under its whole path.
                names = [str(doc.uri), *stored_names(str(doc.uri))]
                doc.deleted = sum(
                    self._store.delete(name, collection=parameters.collection)
                    for name in dict.fromkeys(names)
                )
        return DocList[Deletion](docs)

    @requests(on="/status")
    def status(
        self, docs: DocList[Status], parameters: CollectionParameters = _COLLECTION, **kwargs: Any
    ) -> DocList[Status]:
        """Complete the status with the state of the index; make one where there is no document."""
        docs = docs or DocList[Status]([Status()])
        stored = self._store.status(collection=parameters.collection)
        names = list(self._store.collections())
        self._check_known(parameters.collection in names, parameters.collection)
        for doc in docs:
            spec = stored.spec
            doc.collection, doc.collections = parameters.collection, names
            doc.encoder = spec.encoder if spec else doc.configured_encoder
            doc.recordings, doc.files, doc.windows = stored.recordings, stored.files, stored.windows
            doc.index, doc.layout, doc.database = stored.index, stored.layout, stored.database
            doc.extensions = stored.extensions
            doc.starts = stored.starts
            doc.earliest_start = time_text(stored.earliest_start)
            doc.latest_start = time_text(stored.latest_start)
            doc.missing_shards = list(stored.missing_shards)
            doc.earlier_decoder, doc.unsearchable = stored.earlier_decoder, stored.unsearchable
            doc.unrelated_scores = stored.null_model.summary() if stored.null_model else {}
            doc.unrelated_events = stored.unrelated_events
            if spec:
                doc.window_s, doc.stride_s = spec.window_s, spec.stride_s
                doc.dimension = spec.dimension
        return docs

    @requests(on="/recordings")
    def recordings(
        self, docs: DocList[given.StoredDoc], parameters: RecordingsParameters = _LISTING, **kwargs: Any
    ) -> DocList[StoredDoc]:
        """Complete the recordings that are named; where none is, return a page of all."""
        if docs:
            complete = all_paths if parameters.all_paths else look_up
            return complete(DocList[StoredDoc](docs), self._store, parameters.collection)
        with partial_answers() as missing:
            page = page_of_recordings(self._store, parameters)
        self._check_known(bool(page), parameters.collection)
        return listed(page, missing)

    @requests(on="/collections")
    def collections(
        self,
        docs: DocList[given.CollectionDoc],
        parameters: CollectionsParameters = _COUNTED,
        **kwargs: Any,
    ) -> DocList[CollectionDoc]:
        """Return every collection that is complete."""
        with partial_answers() as missing:
            summaries = self._store.summaries(count=parameters.count)
        found = DocList[CollectionDoc](
            CollectionDoc(
                id=one.name,
                name=one.name,
                **asdict(one.spec),
                recordings=one.recordings,
                files=one.files,
                windows=one.windows,
                layout=one.layout,
            )
            for one in summaries
            if not is_unfinished(one.name)
        )
        return listed(found, missing)

    @requests(on="/drop")
    def drop(
        self, docs: DocList[given.CollectionDoc], parameters: DropParameters = _DROP, **kwargs: Any
    ) -> DocList[CollectionDoc]:
        """Delete collections by the names of documents, or one by the parameter; return those found.

        Raises
        ------
        ParameterError
            No collection is named, or one by the parameter beside others by documents.
        """
        found = to_drop(docs, parameters)
        return DocList[CollectionDoc](doc for doc in found if self._store.drop_collection(doc.name))

    @requests(on="/labels")
    def labels(
        self, docs: DocList[given.LabelDoc], parameters: CountParameters = _ALL, **kwargs: Any
    ) -> DocList[LabelDoc]:
        """Return the labels with the number of their paths, most frequent first."""
        with partial_answers() as missing:
            found = self._store.labels(limit=parameters.limit, collection=parameters.collection)
        self._check_known(bool(found), parameters.collection)
        labels = DocList[LabelDoc](LabelDoc(id=name, label=name, files=count) for name, count in found)
        return listed(labels, missing)

    @requests(on="/folders")
    def folders(
        self, docs: DocList[given.FolderDoc], parameters: CountParameters = _ALL, **kwargs: Any
    ) -> DocList[FolderDoc]:
        """Return the folders of stored paths with the number of these, in their order."""
        with partial_answers() as missing:
            found = self._store.folders(limit=parameters.limit, collection=parameters.collection)
        self._check_known(bool(found), parameters.collection)
        folders = DocList[FolderDoc](
            FolderDoc(id=name, folder=name, files=count) for name, count in found
        )
        return listed(folders, missing)

    def check_ready(self) -> None:
        """Raise `StoreError` where no database can be used; note those that cannot."""
        self.missing_shards = self._store.missing_shards()

    def close(self) -> None:
        """Close the connection; the embedded server stops where no other process needs it."""
        self._store.close()


def _new_result(doc: EmbeddedClip) -> Indexed:
    return Indexed(**_fields_of(Indexed, doc), encoder=doc.encoder or None)


def _fields_of(kind: Type[BaseDoc], doc: EmbeddedClip) -> Dict[str, Any]:
    """Return the carried fields of a document that an answer of some kind has too."""
    return {name: value for name, value in carried_fields(doc).items() if name in kind.model_fields}


def _entry(doc: EmbeddedClip) -> Entry:
    return Entry(
        to_recording(doc), to_windows(doc.chunks), to_embeddings(doc), max(1, doc.decoder_version)
    )
