"""What a named search looks for, with all vectors, so that it works without its files.

In the database and in files it is a JSON object and one block of vectors::

    {"query": {"kind": "file", "name": "/field/bark.wav", "recording_id": "...", "start_s": 1.0,
               "end_s": 3.0, "windows": [[0.0, 4.0]], "duration_s": 2.0, "warnings": []},
     "like": [{"name": "/field/dog.wav", "recording_id": "...", "start_s": 10.0, "end_s": 14.0,
               "windows": 2}],
     "unlike": [],
     "encoder": {"encoder": "logmel-modulation", "fingerprint": "...", "dimension": 512,
                 "window_s": 4.0, "stride_s": 2.0},
     "filters": {"labels": ["pond"], "since": "2025-05-01", "time_zone": "UTC"},
     "exclude_self": false, "top_k": 10, "min_score": -1.0, "max_false_alarms": null,
     "group_by": "recording"}

The block has a row of little-endian 32-bit floats for each window: first those of the query, then those
of the examples in their order. `kind` is one of `soundalike.searches.requests.KINDS`; `start_s`, `end_s`
and `at_s` are missing for whole recordings, and `recording_id` is null for vectors, texts and labels.
Limits that are missing have the defaults of a search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from soundalike.audio.excerpt import Excerpt
from soundalike.search.queries import EmbeddedQuery
from soundalike.searches.requests import (
    Settings,
    check_kind,
    narrowing_from_json,
    narrowing_to_json,
)
from soundalike.store.base import checked_id
from soundalike.types import FloatArray, IndexSpec, Window

_ROW = np.dtype("<f4")
_PART = ("start_s", "end_s", "at_s")
#: Settings and their types.
_SETTINGS: dict[str, tuple[type, ...]] = {
    "exclude_self": (bool,),
    "top_k": (int,),
    "min_score": (float, int),
    "max_false_alarms": (float, int, type(None)),
    "group_by": (str,),
}


@dataclass(frozen=True, slots=True)
class Source:
    """The query or an example: where it comes from, and its vectors.

    Attributes
    ----------
    query : EmbeddedQuery
    excerpt : Excerpt
        Part of its recording.
    kind : str
        One of `soundalike.searches.requests.KINDS`; ``recording`` for an example.
    """

    query: EmbeddedQuery
    excerpt: Excerpt
    kind: str = "recording"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a named search looks for.

    Attributes
    ----------
    query : Source
    like, unlike : tuple of Source
        Further right and wrong examples.
    spec : IndexSpec
        Encoder and windows of all vectors.
    settings : Settings
    """

    query: Source
    like: tuple[Source, ...]
    unlike: tuple[Source, ...]
    spec: IndexSpec
    settings: Settings

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object; see the module."""
        query = self.query.query
        return {
            "query": {
                "kind": self.query.kind,
                **_place(self.query),
                "windows": [[window.start_s, window.end_s] for window in query.windows],
                "duration_s": query.duration_s,
                "warnings": list(query.warnings),
            },
            "like": [{**_place(one), "windows": len(one.query.embeddings)} for one in self.like],
            "unlike": [{**_place(one), "windows": len(one.query.embeddings)} for one in self.unlike],
            "encoder": asdict(self.spec),
            "filters": narrowing_to_json(self.settings.narrowing),
            **{name: getattr(self.settings, name) for name in _SETTINGS},
        }

    def vectors(self) -> bytes:
        """Return the block of vectors; see the module."""
        rows = [one.query.embeddings for one in (self.query, *self.like, *self.unlike)]
        return np.concatenate(rows).astype(_ROW).tobytes()


def definition_from(row: Mapping[str, Any], vectors: bytes) -> Definition:
    """Return the definition of a JSON object and its vectors.

    Raises
    ------
    KeyError, TypeError, ValueError
        They have another form.
    """
    spec = _spec(row["encoder"])
    if len(vectors) % (spec.dimension * _ROW.itemsize):
        raise ValueError(f"{len(vectors)} bytes are not rows of {spec.dimension} numbers")
    rows = np.frombuffer(vectors, _ROW).reshape(-1, spec.dimension).astype(np.float32)
    if not np.isfinite(rows).all():
        raise ValueError("a vector has NaN or infinite numbers")
    about = row["query"]
    windows = [
        Window(number, float(start_s), float(end_s))
        for number, (start_s, end_s) in enumerate(about["windows"])
    ]
    check_kind(about["kind"])
    reader = _Rows(rows)
    query = EmbeddedQuery(
        *_name(about),
        windows,
        reader.take(len(windows)),
        spec,
        float(about["duration_s"]),
        tuple(map(str, about["warnings"])),
        is_text=about["kind"] == "text",
    )
    like, unlike = (
        tuple(_example(one, reader, spec) for one in row[name]) for name in ("like", "unlike")
    )
    reader.check_end()
    given = {name: _typed(name, row[name]) for name in _SETTINGS if name in row}
    settings = Settings(narrowing=narrowing_from_json(row["filters"]), **given)
    return Definition(Source(query, _excerpt(about), about["kind"]), like, unlike, spec, settings)


def _typed(name: str, value: Any) -> Any:
    if type(value) not in _SETTINGS[name]:
        raise TypeError(f"{name} is {value!r}")
    return value


class _Rows:
    """Reads the block of vectors part by part."""

    def __init__(self, rows: FloatArray) -> None:
        self._rows = rows
        self._at = 0

    def take(self, count: Any) -> FloatArray:
        if type(count) is not int or not 0 < count <= len(self._rows) - self._at:
            raise ValueError(f"{count!r} windows are not in the block of vectors")
        self._at += count
        return self._rows[self._at - count : self._at]

    def check_end(self) -> None:
        if self._at != len(self._rows):
            raise ValueError(f"the block of vectors has {len(self._rows) - self._at} rows too many")


def _example(row: Mapping[str, Any], reader: _Rows, spec: IndexSpec) -> Source:
    rows = reader.take(row["windows"])
    windows = [Window(number, 0.0, 0.0) for number in range(len(rows))]
    return Source(EmbeddedQuery(*_name(row), windows, rows, spec, 0.0), _excerpt(row))


def _place(source: Source) -> dict[str, Any]:
    part = {name: getattr(source.excerpt, name) for name in _PART}
    return {
        "name": source.query.name,
        "recording_id": source.query.recording_id,
        **{name: value for name, value in part.items() if value is not None},
    }


def _name(row: Mapping[str, Any]) -> tuple[str, str | None]:
    name, recording_id = row["name"], row.get("recording_id")
    if not isinstance(name, str):
        raise TypeError("a name is not a text")
    return name, None if recording_id is None else checked_id(recording_id)


def _excerpt(row: Mapping[str, Any]) -> Excerpt:
    return Excerpt(*(row.get(name) for name in _PART))


def _spec(row: Mapping[str, Any]) -> IndexSpec:
    values = [row[one.name] for one in fields(IndexSpec)]
    encoder, fingerprint, dimension, *seconds = values
    if not isinstance(encoder, str) or not isinstance(fingerprint, str):
        raise TypeError("the encoder has no name")
    if type(dimension) is not int or dimension < 1:
        raise ValueError(f"the vectors have {dimension!r} dimensions")
    return IndexSpec(encoder, fingerprint, dimension, *map(float, seconds))


def name_of(name: str, row: Mapping[str, Any]) -> str:
    """Return the name of a query or an example with its part, like ``/field/pond.flac:10-14``."""
    at_s, start_s, end_s = row.get("at_s"), row.get("start_s"), row.get("end_s")
    if at_s is not None:
        return f"{name} at {at_s:g}"
    if start_s is None and end_s is None:
        return name
    return f"{name}:{start_s or 0:g}-{'' if end_s is None else format(end_s, 'g')}"
