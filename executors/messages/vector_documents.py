"""The document of a recording that is known by vectors of another program."""

from typing import Any, Dict, List, Optional, Union

import numpy as np
from docarray import BaseDoc
from pydantic import Field

from executors.messages.documents import Array, parse_time, time_text
from soundalike.errors import DimensionMismatch, InvalidSamples, ParameterError, SoundalikeError
from soundalike.indexing.vectors.recordings import Refused, VectorRecording, check_is_plain_name
from soundalike.types import Window

_QUALITIES = ("ok", "silent", "clipped")


class VectorsDoc(BaseDoc):
    """A recording by its vectors: row ``i`` is the window from ``bounds[i][0]`` to ``bounds[i][1]``."""

    uri: str = Field(default="", description="name of the recording; not a path of the server")
    vectors: Optional[Array] = Field(default=None, description="(n_windows, dimension)")
    bounds: Optional[Array] = Field(default=None, description="(n_windows, 2), seconds")
    qualities: List[str] = Field(
        default=[], description="of each window ok, silent or clipped; default: all ok"
    )
    duration_s: float = Field(default=0.0, description="default: the end of the last window")
    label: Optional[str] = None
    tags: Dict[str, Any] = {}
    recorded_at: Optional[str] = Field(default=None, description="when it began, ISO-8601")


def to_document(found: VectorRecording, number: int) -> VectorsDoc:
    """Return the document of a recording."""
    return VectorsDoc(
        id=str(number),
        uri=found.name,
        vectors=np.ascontiguousarray(found.vectors, dtype=np.float32),
        bounds=np.array([(window.start_s, window.end_s) for window in found.windows], dtype=np.float64),
        qualities=[window.quality for window in found.windows],
        duration_s=found.duration_s,
        label=found.label,
        tags=dict(found.tags),
        recorded_at=time_text(found.recorded_at),
    )


def from_document(doc: VectorsDoc, dimension: int) -> Union[VectorRecording, Refused]:
    """Return the recording of a document, or why it cannot be used.

    Parameters
    ----------
    doc : VectorsDoc
    dimension : int
        Numbers in each vector of the request's first recording.
    """
    try:
        return _recording(doc, dimension)
    except SoundalikeError as exc:
        return Refused(doc.uri, exc)


def dimension_of(doc: VectorsDoc) -> int:
    """Return how many numbers each vector of a document has; 0 where there are none."""
    shape = np.shape(doc.vectors) if doc.vectors is not None else ()
    return int(shape[1]) if len(shape) == 2 else 0


def _recording(doc: VectorsDoc, dimension: int) -> VectorRecording:
    name = check_is_plain_name(doc.uri)
    vectors = np.asarray(doc.vectors if doc.vectors is not None else [], dtype=np.float32)
    bounds = np.asarray(doc.bounds if doc.bounds is not None else [], dtype=np.float64)
    if vectors.ndim != 2 or not len(vectors) or bounds.shape != (len(vectors), 2):
        raise ParameterError(
            f"vectors of {name!r} have shape {vectors.shape} and bounds {bounds.shape}; give "
            "(n_windows, dimension) and (n_windows, 2)"
        )
    if vectors.shape[1] != dimension:
        raise DimensionMismatch(
            f"vectors of {name!r} have {vectors.shape[1]} numbers, those of the first recording "
            f"{dimension}; send them to another collection"
        )
    if not np.isfinite(vectors).all():
        raise InvalidSamples(f"a vector of {name!r} holds NaN or infinite numbers; compute it again")
    return VectorRecording(
        name,
        _windows(name, bounds, doc.qualities or ["ok"] * len(vectors)),
        vectors,
        max(doc.duration_s, float(bounds[:, 1].max())),
        doc.label,
        doc.tags,
        parse_time(doc.recorded_at),
    )


def _windows(name: str, bounds: "Array", qualities: List[str]) -> List[Window]:
    begins, ends = bounds[:, 0], bounds[:, 1]
    is_right = np.isfinite(bounds).all() and (begins >= 0).all() and (begins < ends).all()
    if not is_right or (np.diff(begins) < 0).any():
        raise ParameterError(
            f"bounds of {name!r} are not in order; give begin and end of each window in seconds, the "
            "windows in the order of their begins"
        )
    if len(qualities) != len(bounds) or not set(qualities) <= set(_QUALITIES):
        raise ParameterError(
            f"qualities of {name!r} are {str(qualities[:5])[:80]}; give {', '.join(_QUALITIES)} for "
            "each window"
        )
    return [
        Window(index, begin, end, quality == "silent", quality == "clipped")
        for index, ((begin, end), quality) in enumerate(zip(bounds.tolist(), qualities, strict=True))
    ]
