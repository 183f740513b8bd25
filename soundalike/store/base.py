"""What every store does, and what its answers look like."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Literal, Protocol

import numpy as np

from soundalike.errors import DimensionMismatch, InvalidSamples, ModelMismatch, ParameterError
from soundalike.types import Filters, FloatArray, Hit, IndexSpec, Recording, Tags, Window

#: What became of a recording that was handed to `Store.add`. ``linked``: the same audio was there
#: under another path. ``replaced``: the path held other audio before. ``updated``: only its label,
#: tags or start time changed.
Outcome = Literal["added", "unchanged", "updated", "linked", "replaced"]

MAX_TOP_K = 1000
_FIRST_LIMIT = 40


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of a search and the recordings behind them.

    Attributes
    ----------
    hits : list of Hit
        Unordered.
    recordings : dict of str to Recording
        By id; holds every recording that the hits name.
    """

    hits: list[Hit]
    recordings: dict[str, Recording]


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store holds.

    Attributes
    ----------
    database : str
        Where it is; never holds a password.
    spec : IndexSpec or None
        What the index was made with; None while it is empty.
    recordings, files, windows : int
        Distinct contents, paths that they are known under, windows.
    extensions : dict of str to str
        Extensions in use, with their versions.
    index : str
        How a search is answered: ``exact`` or ``hnsw``.
    """

    database: str
    spec: IndexSpec | None
    recordings: int
    files: int
    windows: int
    extensions: dict[str, str] = field(default_factory=dict)
    index: str = "exact"


class Store(Protocol):
    """Keeps recordings and their windows; every call is one transaction."""

    def add(
        self,
        recording: Recording,
        windows: Sequence[Window],
        embeddings: FloatArray,
        spec: IndexSpec,
    ) -> Outcome:
        """Store a recording entirely or not at all; storing it again changes nothing."""
        ...

    def known_ids(self, recording_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are stored."""
        ...

    def link(self, recording: Recording, spec: IndexSpec) -> Outcome | None:
        """Store a path of audio that is stored already; None where it is not."""
        ...

    def search(
        self, vectors: FloatArray, spec: IndexSpec, *, top_k: int, filters: Filters
    ) -> SearchResult:
        """Return enough hits to make up `top_k` distinct recordings, where there are that many."""
        ...

    def delete(self, key: str) -> int:
        """Delete a path, every path below a folder, or a recording; return how many paths went."""
        ...

    def finish_batch(self) -> None:
        """Do what is better done once after many additions."""
        ...

    def status(self) -> StoreStatus:
        """Return what is stored."""
        ...

    def reset(self) -> None:
        """Delete everything."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


def check_spec(stored: IndexSpec, given: IndexSpec) -> None:
    """Raise `ModelMismatch` unless vectors of both may be compared."""
    if stored != given:
        raise ModelMismatch(
            f"the index was made with {stored.describe()}, this request with {given.describe()}; "
            f"go back to the index's settings (SOUNDALIKE_MODEL={stored.encoder}), or make a new "
            "index: soundalike reset, then soundalike index PATH"
        )


def check_embeddings(embeddings: FloatArray, n_windows: int | None, spec: IndexSpec) -> None:
    """Raise where vectors cannot be stored or searched for.

    Raises
    ------
    DimensionMismatch
        The shape is not ``(n_windows, spec.dimension)``; `n_windows` None allows any number.
    InvalidSamples
        A number is NaN or infinite.
    """
    expected = (len(embeddings) if n_windows is None else n_windows, spec.dimension)
    if embeddings.shape != expected:
        raise DimensionMismatch(
            f"the vectors have shape {embeddings.shape}, the index needs {expected}; "
            "embed with the settings of the index"
        )
    if not np.isfinite(embeddings).all():
        raise InvalidSamples("a vector holds NaN or infinite numbers; check the recording")


def check_recording(recording: Recording, *, has_length: bool) -> None:
    """Raise `ParameterError` where what is said of a recording cannot be stored.

    That is: an id that is no UUID, no length where there must be one, no path, text with NUL or half a
    surrogate pair, tags that are not JSON, or a start that no database knows.
    """
    _check_id(recording.recording_id)
    if has_length and not recording.duration_s > 0:
        raise ParameterError(f"duration_s is {recording.duration_s}; it must be above 0")
    if not recording.uri:
        raise ParameterError("the recording has no path; give it a name")
    _check_text("path", recording.uri)
    _check_text("label", recording.label or "")
    _check_tags(recording.tags)
    if recording.recorded_at is not None:
        try:
            # A day to spare, because the database shows it in any time zone.
            recording.recorded_at.astimezone(UTC) - timedelta(days=1)
            recording.recorded_at.astimezone(UTC) + timedelta(days=1, seconds=recording.duration_s)
        except OverflowError as exc:
            start = recording.recorded_at.isoformat()
            raise ParameterError(f"recorded_at is {start}; give a year from 1 to 9999") from exc


def check_filters(filters: Filters) -> None:
    """Raise `ParameterError` where a filter could match nothing, because it could not be stored."""
    _check_text("path", filters.uri_prefix)
    for label in filters.labels:
        _check_text("label", label)
    _check_tags(filters.tags)
    if filters.exclude_recording_id is not None:
        _check_id(filters.exclude_recording_id)


def _check_id(recording_id: str) -> None:
    try:
        uuid.UUID(recording_id)
    except ValueError as exc:
        raise ParameterError(f"recording_id is {recording_id!r}; give a UUID") from exc


def _check_tags(tags: Tags) -> None:
    try:
        text = json.dumps(dict(tags), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as exc:
        raise ParameterError(f"the tags are no JSON ({exc}); give text, numbers, lists") from exc
    _check_text("tags", text.replace("\\u0000", "\0"))


def _check_text(what: str, text: str) -> None:
    if not is_storable(text):
        raise ParameterError(
            f"the {what} {text[:80]!r} holds a character that cannot be stored; remove it"
        )


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can store a text: it has no NUL and no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_top_k(top_k: int) -> None:
    """Raise `ParameterError` unless `top_k` is from 1 to 1000."""
    if not 1 <= top_k <= MAX_TOP_K:
        raise ParameterError(f"top_k is {top_k}; choose a number from 1 to {MAX_TOP_K}")


def first_limit(top_k: int) -> int:
    """Return how many hits per query window to ask for first: several windows share a recording."""
    return max(_FIRST_LIMIT, 4 * top_k)


def is_under(uri: str, key: str) -> bool:
    """Tell whether a stored path is `key` or lies below the folder `key`."""
    return uri == key or uri.startswith(folder_prefix(key))


def folder_prefix(key: str) -> str:
    """Return what every path below the folder `key` begins with."""
    return key.rstrip("/") + "/"
