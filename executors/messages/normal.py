"""Documents of models of what is normal.

Fields have the types that `executors.messages.documents` names.
"""

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from docarray import BaseDoc, DocList
from pydantic import Field

from executors.messages.documents import time_text
from soundalike.anomalies.results import Score
from soundalike.anomalies.summary import learned_rows, warnings_of

if TYPE_CHECKING:
    from soundalike.anomalies.model import NormalModel
    from soundalike.store.normal_models import NormalSummary, WatchEvent


class LearnedDoc(BaseDoc):
    """A recording that a model has learned."""

    uri: str = ""
    recording_id: str = ""
    session: str = Field(default="", description="recordings of one session are left out together")
    score: float = Field(default=0.0, description="by a model without its session")
    accepted: bool = Field(default=False, description="learned after it had been checked")


class NormalModelDoc(BaseDoc):
    """A model of what is normal, and its threshold."""

    name: str = ""
    version: int = Field(default=0, description="grows with each change")
    encoder: str = ""
    fingerprint: str = Field(default="", description="hash of the encoder's weights or constants")
    dimension: int = Field(default=0, description="length of a vector")
    window_s: float = 0.0
    stride_s: float = 0.0
    recordings: int = Field(default=0, description="number of normal recordings")
    sessions: int = Field(default=0, description="number of their sessions")
    windows: int = 0
    accepted: int = Field(default=0, description="recordings that were learned after a check")
    method: str = ""
    threshold: float = Field(default=0.0, description="recordings that score higher are anomalous")
    false_alarm_rate: float = Field(
        default=0.0, description="expected share of normal recordings above the threshold"
    )
    false_alarm_interval: List[float] = Field(default=[], description="95 % interval of the rate")
    window_threshold: float = Field(default=0.0, description="windows that score higher are unusual")
    wanted_false_alarm_rate: float = Field(default=0.0, description="the rate that was asked for")
    finest_false_alarm_rate: float = Field(
        default=0.0, description="the lowest rate that so many sessions can promise"
    )
    power: Dict[str, float] = Field(
        default={}, description="how well each method tells normal recordings from shifted ones"
    )
    warnings: List[str] = Field(default=[], description="what to know about the threshold")
    created_at: Optional[str] = Field(default=None, description="ISO-8601")
    updated_at: Optional[str] = Field(default=None, description="ISO-8601")
    learned: Dict[str, str] = Field(
        default={}, description="paths by recording id, where one model is asked for"
    )
    learned_recordings: DocList[LearnedDoc] = DocList[LearnedDoc]()
    outcome: Optional[str] = Field(
        default=None, description="of learning: created, updated or unchanged"
    )
    new: Optional[int] = Field(default=None, description="of learning: recordings that were not known")


class RegionDoc(BaseDoc):
    """An unusual stretch of a recording."""

    start_s: float = 0.0
    end_s: float = 0.0
    score: float = 0.0


class NormalScoreDoc(BaseDoc):
    """The score of a recording, and what explains it."""

    uri: Optional[str] = None
    recording_id: Optional[str] = None
    name: str = ""
    score: float = Field(default=0.0, description="mean score of the most unusual windows")
    threshold: float = 0.0
    is_anomalous: bool = False
    false_alarm_rate: float = Field(
        default=0.0, description="expected share of normal recordings above the threshold"
    )
    p_value: float = Field(
        default=1.0, description="share of normal recordings that score at least as high"
    )
    regions: DocList[RegionDoc] = DocList[RegionDoc]()
    worst: Dict[str, float] = Field(default={}, description="the most unusual window")
    nearest: Dict[str, Any] = Field(
        default={}, description="the normal clip that is most similar to the worst window"
    )
    warnings: List[str] = []
    error_code: Optional[str] = None
    error: Optional[str] = None


class WatchEventDoc(BaseDoc):
    """A watched recording and its score."""

    event_id: str = ""
    name: str = ""
    uri: str = ""
    occurred_at: Optional[str] = Field(default=None, description="ISO-8601")
    is_anomalous: bool = False
    details: Dict[str, Any] = Field(default={}, description="the score, or the error")


class RemovedNormalDoc(BaseDoc):
    """A model that was removed."""

    name: str = ""


def normal_model_doc(found: "NormalSummary", model: "Optional[NormalModel]" = None) -> NormalModelDoc:
    """Return the document of a model, with its recordings where it is given."""
    summary = {
        name: value for name, value in found.summary.items() if name in NormalModelDoc.model_fields
    }
    learned = [] if model is None else learned_rows(model)
    return NormalModelDoc(
        **{
            **summary,
            "id": found.name,
            "name": found.name,
            "version": found.version,
            "warnings": warnings_of(found.summary),
            "created_at": time_text(found.created_at),
            "updated_at": time_text(found.updated_at),
            "learned": {row["recording_id"]: row["uri"] for row in learned},
            "learned_recordings": DocList[LearnedDoc](LearnedDoc(**row) for row in learned),
        }
    )


def write_score(found: Score, result: NormalScoreDoc) -> None:
    """Write a score into its document."""
    row = found.to_json()
    result.regions = DocList[RegionDoc](RegionDoc(**region) for region in row.pop("regions"))
    for name, value in row.items():
        setattr(result, name, value)


def watch_event_doc(found: "WatchEvent") -> WatchEventDoc:
    """Return the document of an event."""
    return WatchEventDoc(
        id=found.event_id,
        event_id=found.event_id,
        name=found.name,
        uri=found.file.uri,
        occurred_at=time_text(found.occurred_at),
        is_anomalous=found.is_anomalous,
        details=dict(found.details),
    )
