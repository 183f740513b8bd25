"""Documents of copies and of repeated sounds.

Fields have the types that `executors.messages.documents` names.
"""

from typing import TYPE_CHECKING, Any, List, Optional

from docarray import BaseDoc
from docarray.typing import NdArray
from pydantic import Field

from executors.messages.events import RecordingWithParts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = NdArray


class RepeatsClip(BaseDoc):
    """A stored recording that is compared with others.

    With `other_id`, ``/duplicates`` compares the stored vectors of both recordings, at the offset of
    `start_s` and `other_start_s`.
    """

    recording_id: str = Field(default="", description="id of a stored recording")
    other_id: Optional[str] = Field(default=None, description="id of a recording to compare it with")
    start_s: float = Field(default=0.0, description="begin of a window of the recording")
    other_start_s: float = Field(default=0.0, description="begin of a window of the other one")


class CandidatesDoc(BaseDoc):
    """A recording under all its paths, and the recordings that may be copies of it."""

    recording_id: str = ""
    duration_s: float = 0.0
    paths: List[str] = Field(default=[], description="all paths, sorted")
    labels: List[str] = Field(default=[], description="the label of each path; empty: none")
    files: List[str] = Field(default=[], description="size and modification time of each path's file")
    other_ids: List[str] = Field(default=[], description="ids of the most alike recordings")
    places: Optional[Array] = Field(
        default=None,
        description="(n, 3) array: begin of a window, begin of the other recording's window, cosine",
    )
    offset_s: Optional[float] = Field(
        default=None, description="with other_id: second at which a copy begins; null: it is none"
    )
    score: float = Field(default=0.0, description="with other_id: cosine of the vectors")


class MotifPartsDoc(RecordingWithParts):
    """The parts of a recording that stand out from its background; its id is the recording's."""

    parts: Optional[Array] = Field(
        default=None, description="(n, 3) array: begin and end in seconds, and contrast"
    )
    vectors: Optional[Array] = Field(default=None, description="(n, dimension) array")
