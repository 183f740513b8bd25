"""Base classes for a user's own executors that stand behind one of Soundalike's.

Jina starts a Flow only if every endpoint of an executor is also bound by the next one, with documents of
the same fields. Each class here binds all endpoints of its place and passes documents on. A subclass
overrides the endpoints that it changes; the README of each executor shows one.
"""

from __future__ import annotations

from typing import Any, Dict, Type

from docarray import BaseDoc, DocList
from jina import Executor, requests

from executors.messages.documents import (
    Counted,
    Deletion,
    EmbeddedClip,
    Found,
    Indexed,
    SearchHits,
    SegmentedClip,
    Status,
)
from executors.messages.endpoints import PARAMETERS
from executors.messages.events import EventsFound, HeardClip, ListenedDoc
from executors.messages.listings import (
    AnnotatedDoc,
    AnnotationDoc,
    AnnotationLabelDoc,
    CollectionDoc,
    FolderDoc,
    LabelDoc,
    RemovedAnnotationsDoc,
    StoredDoc,
)
from executors.messages.maps import MapDoc
from executors.messages.normal import (
    NormalModelDoc,
    NormalScoreDoc,
    RemovedNormalDoc,
    WatchEventDoc,
)
from executors.messages.repeats import CandidatesDoc, MotifPartsDoc
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
)
from executors.messages.speakers import (
    EnrolledDoc,
    IdentifiedDoc,
    RemovedDoc,
    SpeakerDoc,
    SpeechClip,
    UtteranceDoc,
    VerifiedDoc,
    VoiceDoc,
)
from executors.monitoring.watching import watch_executors

watch_executors()

_Documents = Dict[str, Type[BaseDoc]]
_STORED: _Documents = {
    "index": Indexed,
    "index_vectors": Indexed,
    "timeline": Counted,
    "events": EventsFound,
    "listen": ListenedDoc,
    "duplicates": CandidatesDoc,
    "motifs": MotifPartsDoc,
    "delete": Deletion,
    "status": Status,
    "recordings": StoredDoc,
    "collections": CollectionDoc,
    "drop": CollectionDoc,
    "labels": LabelDoc,
    "folders": FolderDoc,
    "annotations": AnnotationDoc,
    "annotate": AnnotatedDoc,
    "annotation_labels": AnnotationLabelDoc,
    "remove_annotations": RemovedAnnotationsDoc,
    "enrol": EnrolledDoc,
    "identify": IdentifiedDoc,
    "verify": VerifiedDoc,
    "speakers": SpeakerDoc,
    "utterances": UtteranceDoc,
    "remove_speaker": RemovedDoc,
    "map": MapDoc,
    "normal_models": NormalModelDoc,
    "normal_learn": NormalModelDoc,
    "normal_score": NormalScoreDoc,
    "normal_events": WatchEventDoc,
    "normal_remove": RemovedNormalDoc,
    "searches": NamedSearchDoc,
    "search_save": NamedSearchDoc,
    "search_run": FoundAgain,
    "search_mark": SearchMarkDoc,
    "search_undo": UndoneDoc,
    "search_accept": AcceptedDoc,
    "search_review": ReviewHitDoc,
    "search_estimate": EstimateDoc,
    "search_export": SearchFileDoc,
    "search_import": ImportedSearchDoc,
    "search_remove": RemovedSearchDoc,
}
#: Endpoints whose documents are cut into windows.
_CLIPS = ("index", "search", "timeline", "events", "normal_score", "search_save")
_VOICES = ("enrol", "identify", "verify")


def _passing(endpoint: str, doc: Type[BaseDoc]) -> Any:
    """Return a method that passes documents on."""

    def pass_on(self: Any, docs: Any, parameters: Any = None, **kwargs: Any) -> Any:
        return docs

    listed: Any = DocList[doc]  # type: ignore[valid-type]
    pass_on.__name__ = f"pass_{endpoint}"
    # Jina reads the schemas of an endpoint here.
    pass_on.__annotations__ = {"docs": listed, "parameters": PARAMETERS[endpoint], "return": listed}
    return requests(on=f"/{endpoint}")(pass_on)


def _base(name: str, documents: _Documents) -> Any:
    methods = {f"pass_{endpoint}": _passing(endpoint, doc) for endpoint, doc in documents.items()}
    text = f"Passes documents on; for executors {name.lower().replace('after', 'after the ')}."
    return type(Executor)(name, (Executor,), {**methods, "__doc__": text, "__module__": __name__})


AfterSegmenter = _base(
    "AfterSegmenter",
    {
        **dict.fromkeys(_CLIPS, SegmentedClip),
        "listen": HeardClip,
        **dict.fromkeys(_VOICES, SpeechClip),
    },
)
AfterEncoder = _base(
    "AfterEncoder",
    {
        **dict.fromkeys(_CLIPS, EmbeddedClip),
        **{"listen": ListenedDoc, "status": Status},
        **dict.fromkeys(_VOICES, VoiceDoc),
    },
)
AfterIndexer = _base("AfterIndexer", {**_STORED, "search": SearchHits})
AfterRanker = _base("AfterRanker", {**_STORED, "search": Found})
