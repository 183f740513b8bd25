"""Endpoints of copies and of sounds that occur again and again."""

from typing import Any

from docarray import DocList
from jina import requests

from executors.messages import given
from executors.messages.parameters import DuplicatesParameters, MotifsParameters
from executors.messages.repeats import CandidatesDoc, MotifPartsDoc
from executors.timescale_indexer.base import StoreExecutor
from executors.timescale_indexer.repeating import candidates_of_copies, parts_of_motifs

_DUPLICATES, _MOTIFS = DuplicatesParameters(), MotifsParameters()


class RepeatsEndpoints(StoreExecutor):
    """Finds candidates of copies, and parts that stand out; the gateway compares their sound."""

    @requests(on="/duplicates")
    def duplicates(
        self,
        docs: DocList[given.RepeatsClip],
        parameters: DuplicatesParameters = _DUPLICATES,
        **kwargs: Any,
    ) -> DocList[CandidatesDoc]:
        """Return the recordings that may be copies of each one."""
        return candidates_of_copies(docs, self._store, parameters)

    @requests(on="/motifs")
    def motifs(
        self,
        docs: DocList[given.RepeatsClip],
        parameters: MotifsParameters = _MOTIFS,
        **kwargs: Any,
    ) -> DocList[MotifPartsDoc]:
        """Return the parts of each recording that stand out from its background."""
        return parts_of_motifs(docs, self._store, parameters)
