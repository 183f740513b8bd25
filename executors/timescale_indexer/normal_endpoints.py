"""Endpoints of models of what is normal."""

from typing import Any

from docarray import DocList
from jina import requests

from executors.messages import given
from executors.messages.documents import EmbeddedClip
from executors.messages.normal import (
    NormalModelDoc,
    NormalScoreDoc,
    RemovedNormalDoc,
    WatchEventDoc,
)
from executors.messages.parameters import (
    NormalEventsParameters,
    NormalLearnParameters,
    NormalModelsParameters,
    NormalParameters,
    NormalScoreParameters,
)
from executors.timescale_indexer.base import StoreExecutor
from executors.timescale_indexer.normality import (
    learn_model,
    list_events,
    list_models,
    remove_model,
    score_documents,
)

_NORMAL_MODELS = NormalModelsParameters()


class NormalEndpoints(StoreExecutor):
    """Learns, lists, applies and removes models of what is normal."""

    @requests(on="/normal_models")
    def normal_models(
        self,
        docs: DocList[given.SpokenClip],
        parameters: NormalModelsParameters = _NORMAL_MODELS,
        **kwargs: Any,
    ) -> DocList[NormalModelDoc]:
        """Return all models of what is normal, or one with its recordings."""
        return list_models(self._store, parameters)

    @requests(on="/normal_learn")
    def normal_learn(
        self, docs: DocList[given.SpokenClip], parameters: NormalLearnParameters, **kwargs: Any
    ) -> DocList[NormalModelDoc]:
        """Add recordings of a collection to a model of what is normal, or make it."""
        return learn_model(self._store, parameters)

    @requests(on="/normal_score")
    def normal_score(
        self, docs: DocList[EmbeddedClip], parameters: NormalScoreParameters, **kwargs: Any
    ) -> DocList[NormalScoreDoc]:
        """Score every recording with a model of what is normal."""
        return score_documents(docs, self._store, parameters)

    @requests(on="/normal_events")
    def normal_events(
        self, docs: DocList[given.SpokenClip], parameters: NormalEventsParameters, **kwargs: Any
    ) -> DocList[WatchEventDoc]:
        """Return what watching a folder has found in the last hours, the latest first."""
        return list_events(self._store, parameters)

    @requests(on="/normal_remove")
    def normal_remove(
        self, docs: DocList[given.SpokenClip], parameters: NormalParameters, **kwargs: Any
    ) -> DocList[RemovedNormalDoc]:
        """Remove a model of what is normal, with its events."""
        return remove_model(self._store, parameters)
