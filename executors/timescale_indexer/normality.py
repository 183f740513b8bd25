"""Learn what is normal from stored recordings, and score the recordings of documents."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from docarray import DocList

from executors.messages.documents import EmbeddedClip
from executors.messages.failures import document_at_fault
from executors.messages.normal import (
    NormalModelDoc,
    NormalScoreDoc,
    RemovedNormalDoc,
    WatchEventDoc,
    normal_model_doc,
    watch_event_doc,
    write_score,
)
from executors.messages.parameters import (
    NormalEventsParameters,
    NormalLearnParameters,
    NormalModelsParameters,
    NormalParameters,
    NormalScoreParameters,
)
from executors.timescale_indexer.querying import query_of
from soundalike.anomalies.detector import Detector, check_same, stored_recordings
from soundalike.anomalies.model import NormalModel
from soundalike.anomalies.packing import unpack
from soundalike.anomalies.results import NormalRecording
from soundalike.errors import DimensionMismatch, ParameterError, RecordingNotFound
from soundalike.store import Store
from soundalike.store.base import not_indexed
from soundalike.store.normal_models import normal_not_found

#: Errors that one document of a request is to blame for; the others are answered.
_OF_DOCUMENT = (DimensionMismatch, ParameterError, RecordingNotFound)


def list_models(store: Store, parameters: NormalModelsParameters) -> DocList[NormalModelDoc]:
    """Return all models, or one with its recordings."""
    name = parameters.name
    found = [one for one in store.normal_models() if name in (None, one.name)]
    if name is not None and not found:
        raise normal_not_found(name)
    model = None if name is None else Detector(store).model(name)
    return DocList[NormalModelDoc](normal_model_doc(one, model) for one in found)


def learn_model(store: Store, parameters: NormalLearnParameters) -> DocList[NormalModelDoc]:
    """Add the recordings of a collection that pass filters to a model, or make it.

    Raises
    ------
    ModelMismatch, ParameterError, StoreError
        As for `Detector.learn`.
    """
    spec = store.status(collection=parameters.collection).spec
    if spec is None:
        raise not_indexed(parameters.collection)
    request = parameters.request
    found = stored_recordings(store, parameters.collection, parameters.filters, request)
    learned = Detector(store).learn(parameters.name, list(found), spec, request)
    models = list_models(store, NormalModelsParameters(name=parameters.name))
    models[0].outcome, models[0].new = learned.outcome, learned.n_new
    return models


def score_documents(
    docs: DocList[EmbeddedClip], store: Store, parameters: NormalScoreParameters
) -> DocList[NormalScoreDoc]:
    """Score every document that has no error; a failure affects only its own document.

    Raises
    ------
    NormalModelNotFound, ModelMismatch
        There is no such model, or the service's encoder is another one.
    """
    summary, content = store.normal_model(parameters.name)
    model = _unpacked(summary.name, summary.version, content)
    return DocList[NormalScoreDoc](_scored(doc, store, parameters, model) for doc in docs)


def _scored(
    doc: EmbeddedClip, store: Store, parameters: NormalScoreParameters, model: NormalModel
) -> NormalScoreDoc:
    result = NormalScoreDoc(
        id=doc.id,
        uri=doc.uri,
        recording_id=doc.recording_id,
        name=parameters.name,
        warnings=doc.warnings,
        error_code=doc.error_code,
        error=doc.error,
    )
    if doc.error_code:
        return result
    with document_at_fault(result, _OF_DOCUMENT):
        if doc.kind not in ("audio", "stored"):
            raise ParameterError("give uri or recording_id of the recording to score")
        query = query_of(doc, store, [parameters.collection])
        check_same(parameters.name, model.spec, query.spec)
        rows = [row for row, vector in enumerate(query.embeddings) if vector.any()]
        spans = [(query.windows[row].start_s, query.windows[row].end_s) for row in rows]
        recording = NormalRecording(query.recording_id or "", query.name, spans, query.embeddings[rows])
        result.uri, result.recording_id = query.name or doc.uri, query.recording_id
        result.warnings = list(query.warnings)
        write_score(model.score(recording), result)
    return result


@lru_cache(maxsize=8)
def _unpacked(name: str, version: int, content: bytes) -> NormalModel:
    """Return a model; a model of the same name and version may have other bytes after a removal."""
    del name, version
    return unpack(content)


def list_events(store: Store, parameters: NormalEventsParameters) -> DocList[WatchEventDoc]:
    """Return the events of the last hours, the latest first."""
    if parameters.name not in {one.name for one in store.normal_models()}:
        raise normal_not_found(parameters.name)
    request = parameters.request
    found = store.watch_events(
        parameters.name,
        since=datetime.now(UTC) - timedelta(hours=request.hours),
        only_anomalous=request.only_anomalous,
        limit=request.limit,
    )
    return DocList[WatchEventDoc](map(watch_event_doc, found))


def remove_model(store: Store, parameters: NormalParameters) -> DocList[RemovedNormalDoc]:
    """Remove a model with its events.

    Raises
    ------
    NormalModelNotFound
        There is none of this name.
    """
    if not store.remove_normal_model(parameters.name):
        raise normal_not_found(parameters.name)
    return DocList[RemovedNormalDoc]([RemovedNormalDoc(id=parameters.name, name=parameters.name)])
