"""Documents of models of what is normal.

Fields have the types that `executors.messages.documents` names.
"""

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from docarray import BaseDoc, DocList
from pydantic import Field

from executors.messages.documents import time_text
from soundalike.anomalies.results import Score

if TYPE_CHECKING:
    from soundalike.store.normal_models import NormalSummary, WatchEvent


class NormalModelDoc(BaseDoc):
    """A model of what is normal, and its threshold."""

    name: str = ""
    version: int = Field(default=0, description="grows with each change")
    encoder: str = ""
    window_s: float = 0.0
    stride_s: float = 0.0
    recordings: int = Field(default=0, description="number of normal recordings")
    windows: int = 0
    method: str = ""
    threshold: float = Field(default=0.0, description="recordings that score higher are anomalous")
    false_alarm_rate: float = Field(
        default=0.0, description="expected share of normal recordings above the threshold"
    )
    false_alarm_interval: List[float] = Field(default=[], description="95 % interval of the rate")
    updated_at: Optional[str] = Field(default=None, description="ISO-8601")
    learned: Dict[str, str] = Field(
        default={}, description="paths by recording id, where one model is asked for"
    )


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


def normal_model_doc(found: "NormalSummary", learned: Dict[str, str]) -> NormalModelDoc:
    """Return the document of a model."""
    summary = {
        name: value for name, value in found.summary.items() if name in NormalModelDoc.model_fields
    }
    return NormalModelDoc(
        **{
            **summary,
            "id": found.name,
            "name": found.name,
            "version": found.version,
            "updated_at": time_text(found.updated_at),
            "learned": learned,
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
