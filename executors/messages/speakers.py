"""Documents of speakers, and their translation to the core's types.

Fields have the types that `executors.messages.documents` names.
"""

from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np
from docarray import BaseDoc, DocList
from docarray.typing import NdArray
from pydantic import Field

from executors.messages.documents import time_text
from soundalike.errors import ParameterError
from soundalike.speakers.answer_json import identification_json, verification_json
from soundalike.speakers.values import EnrolmentResult, Identification, Verification
from soundalike.types import Speaker, Utterance, Voice, VoiceSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = NdArray


class SpokenClip(BaseDoc):
    """A recording of one speaker: a path that the server can read, or uploaded bytes."""

    uri: Optional[str] = Field(default=None, description="path of a sound file on the server")
    audio_base64: Optional[str] = Field(default=None, description="bytes of a sound file, base64")


class _Spoken(BaseDoc):
    """Fields that a recording keeps on its way through the Flow."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    duration_s: float = 0.0
    speech_s: float = 0.0
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class SpeechClip(_Spoken):
    """The speech of a recording, mono at 16 kHz; long ones lie in a spool file."""

    samples: Optional[Array] = None
    spool_name: Optional[str] = None


class VoiceDoc(_Spoken):
    """The voice of a recording."""

    encoder: str = ""
    fingerprint: str = ""
    dimension: int = 0
    embedding: Optional[Array] = None


class EnrolledDoc(BaseDoc):
    """Result of enrolling a recording."""

    uri: Optional[str] = None
    speaker: str = ""
    outcome: str = Field(default="failed", description="added, unchanged, updated or failed")
    recording_id: Optional[str] = None
    speech_s: float = Field(default=0.0, description="seconds of speech")
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class CandidateDoc(BaseDoc):
    """A speaker with the score of a recording."""

    speaker: str = ""
    score: float = Field(default=0.0, description="cosine, -1 to 1")


class _Judged(BaseDoc):
    """Fields of answers about the voice in a recording."""

    uri: Optional[str] = None
    score: float = Field(default=0.0, description="cosine, -1 to 1")
    threshold: float = Field(default=0.0, description="lowest score that is accepted")
    false_accept_rate: Optional[float] = Field(
        default=None, description="rate at which a stranger is accepted; null for a given threshold"
    )
    false_accept_interval: Optional[List[float]] = Field(
        default=None, description="95 % interval of the rate"
    )
    measured_on: Optional[str] = Field(default=None, description="readers and method of the rate")
    speech_s: float = Field(default=0.0, description="seconds of speech")
    encoder: Optional[str] = None
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class IdentifiedDoc(_Judged):
    """The answer to who speaks in a recording."""

    speaker: Optional[str] = Field(default=None, description="null: no enrolled speaker")
    candidates: DocList[CandidateDoc] = DocList[CandidateDoc]()


class VerifiedDoc(_Judged):
    """Whether a speaker is the one in a recording."""

    speaker: str = ""
    accepted: bool = False


class SpeakerDoc(BaseDoc):
    """An enrolled speaker."""

    name: str = ""
    utterances: int = Field(default=0, description="number of enrolled recordings")
    speech_s: float = Field(default=0.0, description="seconds of speech in them")
    enrolled_at: Optional[str] = Field(default=None, description="of the first, ISO-8601")
    encoder: str = ""


class UtteranceDoc(BaseDoc):
    """An enrolled recording of a speaker."""

    recording_id: str = ""
    uri: str = ""
    duration_s: float = 0.0
    speech_s: float = Field(default=0.0, description="seconds without pauses")
    enrolled_at: Optional[str] = Field(default=None, description="ISO-8601")


class RemovedDoc(BaseDoc):
    """How many recordings of a speaker were removed, and their paths."""

    speaker: str = ""
    removed: int = 0
    uris: List[str] = []


def spoken_fields(doc: Any) -> Dict[str, Any]:
    """Return the fields that a recording keeps on its way, for the next executor's document."""
    return {"id": doc.id, **{name: getattr(doc, name) for name in _Spoken.model_fields if name != "id"}}


def to_voice(doc: VoiceDoc) -> Voice:
    """Return a document's voice as the core's type.

    Raises
    ------
    ParameterError
        It has no vector.
    """
    if doc.embedding is None:
        raise ParameterError("the document has no vector; send it through the encoder")
    vector = np.asarray(doc.embedding, dtype=np.float32)
    return Voice(vector, doc.speech_s, doc.duration_s, tuple(doc.warnings))


def to_voice_spec(doc: VoiceDoc) -> VoiceSpec:
    """Return the encoder of a document's voice."""
    return VoiceSpec(doc.encoder, doc.fingerprint, doc.dimension)


def to_utterance(doc: VoiceDoc) -> Utterance:
    """Return a document's recording as the core's type."""
    return Utterance(str(doc.recording_id), doc.uri or "", doc.duration_s, doc.speech_s)


def enrolled_doc(result: EnrolmentResult, doc_id: Optional[str]) -> EnrolledDoc:
    """Return the document of an enrolment."""
    fields = {name: getattr(result, name) for name in EnrolledDoc.model_fields if name != "id"}
    return EnrolledDoc(id=doc_id, **{**fields, "warnings": list(result.warnings)})


def identified_doc(found: Identification, doc_id: Optional[str]) -> IdentifiedDoc:
    """Return the document of an identification."""
    row = identification_json(found)
    candidates = DocList[CandidateDoc](CandidateDoc(**one) for one in row.pop("candidates"))
    return IdentifiedDoc(id=doc_id, candidates=candidates, **row)


def verified_doc(found: Verification, doc_id: Optional[str]) -> VerifiedDoc:
    """Return the document of a verification."""
    return VerifiedDoc(id=doc_id, **verification_json(found))


def speaker_doc(found: Speaker, spec: Optional[VoiceSpec]) -> SpeakerDoc:
    """Return the document of a speaker."""
    return SpeakerDoc(
        id=found.name,
        name=found.name,
        utterances=found.utterances,
        speech_s=found.speech_s,
        enrolled_at=time_text(found.enrolled_at),
        encoder=spec.encoder if spec else "",
    )


def utterance_doc(found: Utterance) -> UtteranceDoc:
    """Return the document of an utterance."""
    return UtteranceDoc(
        id=found.recording_id,
        recording_id=found.recording_id,
        uri=found.uri,
        duration_s=found.duration_s,
        speech_s=found.speech_s,
        enrolled_at=time_text(found.enrolled_at),
    )
