"""List, add and remove annotations by documents."""

from itertools import islice
from typing import Any, Dict, Sequence

from docarray import DocList

from executors.messages.documents import time_text
from executors.messages.listings import (
    AnnotatedDoc,
    AnnotationDoc,
    AnnotationLabelDoc,
    RemovedAnnotationsDoc,
    listed,
)
from executors.messages.parameters import (
    AnnotateParameters,
    AnnotationChoice,
    AnnotationsParameters,
    CountParameters,
)
from soundalike.annotations.types import Annotation, BadRow, StoredAnnotation
from soundalike.errors import ParameterError
from soundalike.indexing.annotations import RecordingNames, add_annotations
from soundalike.store import Store
from soundalike.store.partial import partial_answers


def page_of_annotations(store: Store, parameters: AnnotationsParameters) -> DocList[AnnotationDoc]:
    """Return some annotations, by recording and time."""
    with partial_answers() as missing:
        found = islice(store.annotations(**_chosen(parameters)), parameters.offset, None)
        docs = DocList[AnnotationDoc](map(_document, islice(found, parameters.limit)))
    return listed(docs, missing)


def annotation_labels(store: Store, parameters: CountParameters) -> DocList[AnnotationLabelDoc]:
    """Return the labels of annotations, most frequent first."""
    with partial_answers() as missing:
        found = store.annotation_labels(limit=parameters.limit, collection=parameters.collection)
    docs = DocList[AnnotationLabelDoc](
        AnnotationLabelDoc(id=label, label=label, annotations=count) for label, count in found
    )
    return listed(docs, missing)


def annotate(
    docs: Sequence[AnnotationDoc], store: Store, parameters: AnnotateParameters
) -> DocList[AnnotatedDoc]:
    """Add annotations; return the counts in one document.

    Raises
    ------
    ParameterError, StoreError
        As their names say.
    """
    rows, bad = [], []
    for number, doc in enumerate(docs, start=1):
        line = doc.line or number
        row = Annotation(
            doc.start_s,
            doc.end_s,
            doc.label,
            doc.low_hz,
            doc.high_hz,
            doc.recording_id or doc.file or "",
            line,
        )
        try:
            row.check()
            rows.append(row)
        except ParameterError as exc:
            bad.append(BadRow(line, exc.message))
    names = RecordingNames(store, parameters.collection)
    found = add_annotations(
        names,
        rows,
        name=parameters.source,
        source=parameters.source,
        recording=parameters.recording_id,
    )
    failed = sorted((*bad, *found.bad), key=lambda row: row.line)
    return DocList[AnnotatedDoc](
        [
            AnnotatedDoc(
                added=found.added,
                unchanged=found.unchanged,
                bad_lines=[row.line for row in failed],
                bad_reasons=[row.reason for row in failed],
            )
        ]
    )


def remove_annotations(store: Store, parameters: AnnotationChoice) -> DocList[RemovedAnnotationsDoc]:
    """Remove the chosen annotations.

    Raises
    ------
    ParameterError
        None are chosen.
    """
    chosen = _chosen(parameters)
    if len(chosen) == 1:
        raise ParameterError("name what to remove: give label, recording_id or source")
    return DocList[RemovedAnnotationsDoc](
        [RemovedAnnotationsDoc(removed=store.remove_annotations(**chosen))]
    )


def _chosen(parameters: AnnotationChoice) -> Dict[str, Any]:
    given = {name: getattr(parameters, name) for name in ("label", "recording_id", "source")}
    return {
        "collection": parameters.collection,
        **{name: value for name, value in given.items() if value is not None},
    }


def _document(stored: StoredAnnotation) -> AnnotationDoc:
    span = stored.annotation
    return AnnotationDoc(
        id=str(stored.annotation_id),
        recording_id=stored.recording_id,
        uri=stored.uri,
        start_s=span.start_s,
        end_s=span.end_s,
        label=span.label,
        low_hz=span.low_hz,
        high_hz=span.high_hz,
        source=stored.source,
        created_at=time_text(stored.created_at),
        duration_s=stored.duration_s,
    )
