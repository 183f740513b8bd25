"""What the answers of every store look like, and what every store refuses."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import (
    DimensionMismatch,
    IndexEmpty,
    InvalidSamples,
    ModelMismatch,
    ParameterError,
    RecordingNotFound,
)
from soundalike.store.times import check_times
from soundalike.types import (
    DECODER_VERSION,
    Filters,
    FloatArray,
    HalfArray,
    Hit,
    IndexSpec,
    Recording,
    Tags,
    Window,
)

#: What became of a recording that was handed to `Store.add`. ``linked``: the same audio was there
#: under another path. ``replaced``: the path held other audio before. ``updated``: its label, tags or
#: start time changed, or what a later decoder made of it.
Outcome = Literal["added", "unchanged", "updated", "linked", "replaced"]

#: The most that a page of a list may hold.
MAX_PAGE = 1000
_COLLECTION_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
#: Follow the name of a collection whose successor is being built, or which is just being imported.
_REBUILD = "~rebuild"
_IMPORT = "~import"
#: Who may say when a recording began, in rising trust.
START_SOURCES = (None, "mtime", "filename", "metadata", "given")
_FIRST_LIMIT = 32


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of a search and the recordings behind them: the best ones, as many as were asked for.

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
    """What a collection holds.

    Attributes
    ----------
    database : str
        Where it is; never holds a password.
    spec : IndexSpec or None
        What the collection was made with; None where there is none yet.
    recordings, files, windows : int
        Distinct contents, paths that they are known under, windows.
    extensions : dict of str to str
        Extensions in use, with their versions.
    index : str
        How a search is answered: ``exact`` or ``hnsw``.
    starts : dict of str to int
        How many recordings have their start from which source, in falling trust: ``given``,
        ``metadata``, ``filename``, ``mtime``, and ``unknown`` where nobody said.
    earliest_start, latest_start : datetime or None
        Of the recordings whose start is known, in UTC.
    earlier_decoder : int
        Recordings that were decoded by an earlier decoder; see `soundalike.types.DECODER_VERSION`.
    unsearchable : int
        Recordings of which no window has a vector, so that no search finds them.
    """

    database: str
    spec: IndexSpec | None
    recordings: int
    files: int
    windows: int
    extensions: dict[str, str] = field(default_factory=dict)
    index: str = "exact"
    starts: dict[str, int] = field(default_factory=dict)
    earliest_start: datetime | None = None
    latest_start: datetime | None = None
    earlier_decoder: int = 0
    unsearchable: int = 0


class StoredFile(NamedTuple):
    """A stored path with its recording, and how many windows that has."""

    recording: Recording
    n_windows: int


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A named index.

    Attributes
    ----------
    name : str
    spec : IndexSpec
        What it was made with.
    recordings, files, windows : int
        Distinct contents, paths that they are known under, windows; 0 where nobody asked to count.
    """

    name: str
    spec: IndexSpec
    recordings: int = 0
    files: int = 0
    windows: int = 0


class Entry(NamedTuple):
    """A recording with its windows and a row of ``(n_windows, dimension)`` float32 for each.

    `decoder_version` tells which decoder its samples are from.
    """

    recording: Recording
    windows: Sequence[Window]
    embeddings: FloatArray
    decoder_version: int = DECODER_VERSION


@dataclass(frozen=True, slots=True)
class Content:
    """All that is stored of one recording.

    Attributes
    ----------
    files : list of Recording
        The recording under each of its paths, in their order; at least one.
    windows : list of Window
        In their order.
    embeddings : (n_windows, dimension) float16
        As they are stored. Zeros where a window has none, because its quality is not ``ok``.
    decoder_version : int
        Which decoder its samples are from.
    """

    files: list[Recording]
    windows: list[Window]
    embeddings: HalfArray
    decoder_version: int = DECODER_VERSION


def rebuild_name(collection: str) -> str:
    """Return the name of the collection in which a collection's successor is built."""
    return collection + _REBUILD


def import_name(collection: str) -> str:
    """Return the name that a collection has while it is being imported."""
    return collection + _IMPORT


def is_unfinished(name: str) -> bool:
    """Tell whether a name is one of those that collections have until they are complete."""
    return name.endswith((_REBUILD, _IMPORT))


def check_collection_name(name: str) -> None:
    """Raise `ParameterError` unless a name may be given to a collection."""
    if not _COLLECTION_NAME.fullmatch(name.removesuffix(_REBUILD).removesuffix(_IMPORT)):
        raise ParameterError(
            f"collection is {name!r}; use up to 63 small letters, digits, - and _, beginning with a "
            "letter or digit"
        )


def start_source(recording: Recording) -> str | None:
    """Return who said when a recording began; whoever said it without a name gave it."""
    if recording.recorded_at is None:
        return None
    return recording.recorded_at_source or "given"


def starts_by_trust(counts: Mapping[str | None, int]) -> dict[str, int]:
    """Return how many recordings have their start from which source, most trusted first."""
    return {
        source or "unknown": counts[source] for source in reversed(START_SOURCES) if counts.get(source)
    }


def start_differs(stored: Recording, new: Recording) -> bool:
    """Tell whether `new` knows better when the recording began.

    Where nobody says, the stored start stays. What is merely read off a file only fills a gap or
    takes the place of something less trusted: copies of a file differ in it.
    """
    if new.recorded_at is None or new.recorded_at == stored.recorded_at:
        return False
    before, now = start_source(stored), start_source(new)
    return now == "given" or START_SOURCES.index(now) > START_SOURCES.index(before)


def check_spec(stored: IndexSpec, given: IndexSpec) -> None:
    """Raise `ModelMismatch` unless vectors of both may be compared."""
    if stored != given and stored.is_external:
        raise ModelMismatch(
            f"the collection holds vectors of another program ({stored.describe()}), and this request "
            f"was made with {given.describe()}; search it with a vector or a stored recording, or use "
            "another collection"
        )
    if stored != given:
        raise ModelMismatch(
            f"the index was made with {stored.describe()}, this request with {given.describe()}; "
            f"go back to the index's settings (SOUNDALIKE_MODEL={stored.encoder}), or rebuild it from "
            "the stored paths: soundalike reindex"
        )


def check_entry(entry: Entry, spec: IndexSpec) -> None:
    """Raise where a recording cannot be stored; see `check_recording` and `check_embeddings`."""
    check_recording(entry.recording, has_length=True)
    check_embeddings(entry.embeddings, len(entry.windows), spec)


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
    checked_id(recording.recording_id)
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
    """Raise `ParameterError` where a filter could match nothing, whatever is stored."""
    _check_text("path", filters.uri_prefix)
    for label in filters.labels:
        _check_text("label", label)
    _check_tags(filters.tags)
    for condition in filters.where:
        for text in (*condition.key, *condition.values):
            _check_text("condition", text if isinstance(text, str) else "")
    if filters.exclude_recording_id is not None:
        checked_id(filters.exclude_recording_id)
    check_times(filters)


def checked_id(recording_id: str) -> str:
    """Return a recording's id in the form in which it is stored.

    Raises
    ------
    ParameterError
        It is no UUID.
    """
    found = as_id(recording_id)
    if found is None:
        raise ParameterError(f"recording_id is {recording_id!r}; give a UUID")
    return found


def as_id(key: str) -> str | None:
    """Return a recording's id in the form in which it is stored; None for what is no UUID."""
    try:
        return str(uuid.UUID(key))
    except ValueError:
        return None


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


def first_limit(top_k: int) -> int:
    """Return how many hits per query window to ask for first: several windows share a recording.

    A power of two, so that there are few different ones: a server keeps a plan for each.

    Examples
    --------
    >>> first_limit(1), first_limit(10), first_limit(1000)
    (32, 32, 2048)
    """
    return max(_FIRST_LIMIT, 1 << (2 * top_k - 1).bit_length())


def not_indexed(collection: str) -> IndexEmpty:
    """Return the error of those who ask for something in a collection that is not there."""
    if collection == DEFAULT_COLLECTION:
        return IndexEmpty("nothing has been indexed yet; run: soundalike index PATH")
    return IndexEmpty(
        f"there is no collection {collection!r}; see: soundalike collections, or make it with: "
        f"soundalike index --collection {collection} PATH"
    )


def not_found(key: str, collection: str) -> RecordingNotFound:
    """Return the error of those who name a recording that is not stored."""
    return RecordingNotFound(
        f"{key!r} is not in the collection {collection!r}; see what is, or index it first: "
        "soundalike index PATH"
    )


def check_page(limit: int, after: str) -> None:
    """Raise `ParameterError` where there can be no such page of a list."""
    if not 1 <= limit <= MAX_PAGE:
        raise ParameterError(f"limit is {limit}; choose a number from 1 to {MAX_PAGE}")
    _check_text("cursor", after)


def is_under(uri: str, key: str) -> bool:
    """Tell whether a stored path is `key` or lies below the folder `key`."""
    return uri == key or uri.startswith(folder_prefix(key))


def folder_prefix(key: str) -> str:
    """Return what every path below the folder `key` begins with."""
    return key.rstrip("/") + "/"
