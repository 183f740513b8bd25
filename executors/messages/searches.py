"""Documents of named searches and their marks.

Fields have the types that `executors.messages.documents` names.
"""

import json
from typing import Any, Dict, List, Mapping, Optional

from docarray import BaseDoc, DocList
from pydantic import Field

from executors.messages.documents import Found
from executors.messages.int32 import to_int64
from soundalike.config import DEFAULT_COLLECTION


class SearchMarkDoc(BaseDoc):
    """A decision on a place."""

    recording_id: str = ""
    uri: str = Field(default="", description="path of the recording when the place was marked")
    start_s: float = 0.0
    end_s: float = 0.0
    verdict: Optional[str] = Field(default=None, description="right or wrong; null: cleared")
    marked_by: str = ""
    marked_at: Optional[str] = Field(default=None, description="ISO-8601")


class NamedSearchDoc(BaseDoc):
    """A named search, and the numbers of its marks."""

    name: str = ""
    collection: str = DEFAULT_COLLECTION
    query: str = Field(default="", description="name of the query with its part; empty for a vector")
    kind: str = Field(default="", description="file, recording, vector, text or label")
    recording_id: Optional[str] = Field(default=None, description="of the query's content")
    like: List[str] = Field(default=[], description="further right examples")
    unlike: List[str] = Field(default=[], description="wrong examples")
    filters: Dict[str, Any] = Field(default={}, description="as they were given")
    exclude_self: bool = False
    top_k: int = 0
    min_score: float = -1.0
    max_false_alarms: Optional[float] = None
    group_by: str = "recording"
    encoder: str = ""
    right: int = Field(default=0, description="number of right places")
    wrong: int = Field(default=0, description="number of wrong places")
    version: int = Field(default=0, description="grows each time the search is saved again")
    created_at: Optional[str] = Field(default=None, description="ISO-8601")
    updated_at: Optional[str] = Field(default=None, description="ISO-8601")
    marks: DocList[SearchMarkDoc] = DocList[SearchMarkDoc]()
    error_code: Optional[str] = None
    error: Optional[str] = None


class FoundAgain(Found):
    """The answer of a named search: matches, best first."""

    max_false_alarms: Optional[float] = Field(default=None, description="the limit of this run")
    time_zone: str = Field(default="UTC", description="zone of the times in the answer")


class UndoneDoc(BaseDoc):
    """What was taken back."""

    undone: Optional[str] = Field(
        default=None, description="mark, clear or accept; null: there was nothing to take back"
    )
    #: The mark that was taken back, if there is one.
    marks: DocList[SearchMarkDoc] = DocList[SearchMarkDoc]()
    label: Optional[str] = Field(default=None, description="of the accepted annotations")
    annotations: int = Field(default=0, description="number of annotations that were removed")


class AcceptedDoc(BaseDoc):
    """Right places that became annotations."""

    label: str = ""
    added: int = 0
    unchanged: int = Field(default=0, description="places that are annotated already")
    missing: int = Field(default=0, description="places in recordings that are not stored")


class ReviewHitDoc(BaseDoc):
    """A hit without a mark: the best place of a recording."""

    recording_id: str = ""
    uri: str = ""
    start_s: float = 0.0
    end_s: float = 0.0
    score: float = 0.0
    band: int = Field(default=0, description="band of scores; 1 has the highest")
    expected_precision: Optional[float] = Field(
        default=None, description="probability that the hit is right; null: too few marks"
    )
    expected_precision_low: Optional[float] = Field(default=None, description="of a 95 % interval")
    expected_precision_high: Optional[float] = Field(default=None, description="of a 95 % interval")


class ScoreBandDoc(BaseDoc):
    """Hits with similar scores, and the ones that were reviewed."""

    band: int = Field(default=0, description="1 has the highest scores")
    low: float = Field(default=0.0, description="lowest score")
    high: float = Field(default=0.0, description="highest score")
    hits: int = 0
    reviewed: int = Field(default=0, description="number of hits with a mark")
    right: int = Field(default=0, description="number of right hits among them")
    precision: Optional[float] = Field(default=None, description="null: none was reviewed")
    precision_low: Optional[float] = Field(default=None, description="of a 95 % interval")
    precision_high: Optional[float] = Field(default=None, description="of a 95 % interval")


class EstimateDoc(BaseDoc):
    """The precision of a named search, as its marks show it."""

    name: str = ""
    hits: int = 0
    reviewed: int = Field(default=0, description="number of hits with a mark")
    right: int = Field(default=0, description="number of right hits among them")
    precision: Optional[float] = Field(
        default=None, description="share of right hits; null: a band has no reviewed hit"
    )
    precision_low: Optional[float] = Field(default=None, description="of a 95 % interval")
    precision_high: Optional[float] = Field(default=None, description="of a 95 % interval")
    expected_right: Optional[float] = Field(
        default=None, description="number of right hits by their scores; null: too few marks"
    )
    expected_right_low: Optional[float] = Field(default=None, description="of a 95 % interval")
    expected_right_high: Optional[float] = Field(default=None, description="of a 95 % interval")
    min_precision: float = 0.0
    likely_right: Optional[int] = Field(
        default=None, description="number of hits with at least this expected precision"
    )
    auc_plain: Optional[float] = Field(
        default=None,
        description="share of pairs of a right and a wrong mark in the right order, by the query alone",
    )
    auc_combined: Optional[float] = Field(default=None, description="the same, with other marks")
    bands: DocList[ScoreBandDoc] = DocList[ScoreBandDoc]()


class SearchFileDoc(BaseDoc):
    """The file of a named search; see docs/named-searches.md."""

    content: str = Field(default="", description="a JSON object as text")


class ImportedSearchDoc(BaseDoc):
    """A search that was imported."""

    name: str = ""
    marks: int = 0
    moved: int = Field(default=0, description="marks whose recordings have another id here")
    missing: int = Field(default=0, description="marks of recordings that are not stored")
    warnings: List[str] = []


class RemovedSearchDoc(BaseDoc):
    """A search that was removed."""

    name: str = ""


def named_search_doc(row: Mapping[str, Any]) -> NamedSearchDoc:
    """Return the document of a row of `soundalike.searches.listing`."""
    given = {**row, "filters": to_int64(row["filters"])}
    marks = DocList[SearchMarkDoc](map(search_mark_doc, given.pop("marks", [])))
    return NamedSearchDoc(id=row["name"], marks=marks, **given)


def search_mark_doc(row: Mapping[str, Any]) -> SearchMarkDoc:
    """Return the document of a row of `soundalike.searches.reviewing.mark_to_json`."""
    return SearchMarkDoc(**row)


def undone_doc(row: Mapping[str, Any]) -> UndoneDoc:
    """Return the document of a row of `soundalike.searches.reviewing.undone_to_json`."""
    marks = [] if row["mark"] is None else [search_mark_doc(row["mark"])]
    rest = {name: value for name, value in row.items() if name != "mark"}
    return UndoneDoc(marks=DocList[SearchMarkDoc](marks), **rest)


def estimate_doc(row: Mapping[str, Any]) -> EstimateDoc:
    """Return the document of `soundalike.searches.review.estimate_search`."""
    bands = DocList[ScoreBandDoc](ScoreBandDoc(**band) for band in row["bands"])
    return EstimateDoc(**{**row, "bands": bands})


def search_file_doc(row: Mapping[str, Any]) -> SearchFileDoc:
    """Return the document of a file."""
    return SearchFileDoc(content=json.dumps(row, ensure_ascii=False, allow_nan=False))
