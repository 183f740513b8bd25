"""Store recordings that come with vectors of another program."""

from typing import Sequence

from docarray import DocList

from executors.messages.documents import Indexed
from executors.messages.parameters import VectorsParameters
from executors.messages.vector_documents import VectorsDoc, dimension_of, from_document
from soundalike.indexing.items import IndexResult
from soundalike.indexing.vectors.indexing import external_spec, index_vectors
from soundalike.store import Store


def store_vectors(
    docs: Sequence[VectorsDoc], store: Store, parameters: VectorsParameters
) -> DocList[Indexed]:
    """Store the recordings of documents; one that cannot be stored comes back marked.

    Raises
    ------
    ParameterError, StoreError
        As their names say.
    """
    dimension = next((found for found in map(dimension_of, docs) if found), 0)
    if not dimension:
        return DocList[Indexed]()
    recordings = [from_document(doc, dimension) for doc in docs]
    collection = parameters.collection
    spec = external_spec(
        store, recordings, dimension, encoder=parameters.encoder_name, collection=collection
    )
    results = index_vectors(store, recordings, spec, collection=collection)
    return DocList[Indexed](
        _document(doc, result, spec.encoder) for doc, result in zip(docs, results, strict=True)
    )


def _document(doc: VectorsDoc, result: IndexResult, encoder: str) -> Indexed:
    return Indexed(
        id=doc.id,
        uri=result.uri,
        recording_id=result.recording_id,
        outcome=result.outcome,
        n_windows=result.n_windows,
        n_searchable=result.n_searchable,
        duration_s=result.duration_s,
        label=doc.label,
        encoder=encoder,
        warnings=list(result.warnings),
        error_code=result.error_code,
        error=result.error,
    )
