"""Endpoints of annotations."""

from typing import Any

from docarray import DocList
from jina import requests

from executors.messages import given
from executors.messages.listings import (
    AnnotatedDoc,
    AnnotationDoc,
    AnnotationLabelDoc,
    RemovedAnnotationsDoc,
)
from executors.messages.parameters import (
    AnnotateParameters,
    AnnotationChoice,
    AnnotationsParameters,
    CountParameters,
)
from executors.timescale_indexer import annotations
from executors.timescale_indexer.base import StoreExecutor

_ANNOTATIONS, _ANNOTATE, _CHOICE = AnnotationsParameters(), AnnotateParameters(), AnnotationChoice()
_ALL = CountParameters()


class AnnotationEndpoints(StoreExecutor):
    """Lists, adds and removes annotations."""

    @requests(on="/annotations")
    def annotations(
        self,
        docs: DocList[given.AnnotationDoc],
        parameters: AnnotationsParameters = _ANNOTATIONS,
        **kwargs: Any,
    ) -> DocList[AnnotationDoc]:
        """Return annotations by recording and time."""
        found = annotations.page_of_annotations(self._store, parameters)
        self._check_known(bool(found), parameters.collection)
        return found

    @requests(on="/annotation_labels")
    def annotation_labels(
        self, docs: DocList[given.LabelDoc], parameters: CountParameters = _ALL, **kwargs: Any
    ) -> DocList[AnnotationLabelDoc]:
        """Return the labels of annotations, most frequent first."""
        found = annotations.annotation_labels(self._store, parameters)
        self._check_known(bool(found), parameters.collection)
        return found

    @requests(on="/annotate")
    def annotate(
        self,
        docs: DocList[given.AnnotationDoc],
        parameters: AnnotateParameters = _ANNOTATE,
        **kwargs: Any,
    ) -> DocList[AnnotatedDoc]:
        """Add annotations to stored recordings."""
        return annotations.annotate(docs, self._store, parameters)

    @requests(on="/remove_annotations")
    def remove_annotations(
        self,
        docs: DocList[given.AnnotationDoc],
        parameters: AnnotationChoice = _CHOICE,
        **kwargs: Any,
    ) -> DocList[RemovedAnnotationsDoc]:
        """Remove annotations by label, recording or origin."""
        return annotations.remove_annotations(self._store, parameters)
