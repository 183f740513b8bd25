"""Result types and input checks of all stores."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.annotations.types import StoredAnnotation
from soundalike.clock.times import check_times
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import (
    DimensionMismatch,
    IndexEmpty,
    InvalidSamples,
    ModelMismatch,
    ParameterError,
    RecordingNotFound,
)
from soundalike.filters import Filters
from soundalike.ranges import MAX_PAGE as MAX_PAGE
from soundalike.scores.event_model import EventModel, Step
from soundalike.scores.null_model import NullModel
from soundalike.types import (
    DECODER_VERSION,
    FloatArray,
    HalfArray,
    Hit,
    IndexSpec,
    Recording,
    Tags,
    Window,
)

#: Result of `Store.add` for a recording. ``linked``: the same audio was stored under another path.
#: ``replaced``: the path had other audio before. ``updated``: label, tags or start time changed, or a
#: newer decoder gave other samples.
Outcome = Literal["added", "unchanged", "updated", "linked", "replaced"]

_COLLECTION_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
#: Suffixes of collections that are being rebuilt or imported.
_REBUILD = "~rebuild"
_IMPORT = "~import"
#: Sources of start times by increasing reliability.
START_SOURCES = (None, "mtime", "filename", "metadata", "given")
_FIRST_LIMIT = 32


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of the best recordings of a search, and these recordings.

    Attributes
    ----------
    hits : list of Hit
        Unordered.
    recordings : dict of str to Recording
        The recordings of the hits by id.
    n_windows : dict of str to int
        Numbers of searchable windows of these recordings.
    false_alarm_rates : dict of str to float
        Of the best hit of each recording; empty if unknown. The search adds them, not the store.
    n_other_events : dict of str to int
        Other places of each recording, among the hits, that unrelated recordings rarely have; empty if
        unknown. The search adds them too.
    """

    hits: list[Hit]
    recordings: dict[str, Recording]
    n_windows: dict[str, int] = field(default_factory=dict)
    false_alarm_rates: dict[str, float] = field(default_factory=dict)
    n_other_events: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Status of a collection.

    Attributes
    ----------
    database : str
        Name of the database, without a password.
    spec : IndexSpec or None
        Specification of the collection; None if it does not exist.
    recordings, files, windows : int
        Numbers of distinct contents, paths and windows.
    extensions : dict of str to str
        Versions of the installed extensions.
    index : str
        Search method: ``exact`` or ``hnsw``.
    layout : str
        How the vector index keeps vectors, if there is one: ``halfvec`` or ``bit``.
    starts : dict of str to int
        Number of recordings per source of the start time, by decreasing reliability: ``given``,
        ``metadata``, ``filename``, ``mtime`` and ``unknown``.
    earliest_start, latest_start : datetime or None
        Range of the known start times, in UTC.
    earlier_decoder : int
        Recordings decoded by an earlier version; see `soundalike.types.DECODER_VERSION`.
    unsearchable : int
        Recordings without a searchable window.
    null_model : NullModel or None
        The scores of unrelated recordings; None if they were not compared yet.
    event_models : mapping of str to EventModel
        The scores of events in unrelated recordings, by step; missing ones were not compared yet.
    missing_shards : tuple of str
        Databases of an index over several ones that cannot be reached; the counts lack their recordings.
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
    null_model: NullModel | None = None
    layout: str = "halfvec"
    event_models: Mapping[Step, EventModel] = field(default_factory=dict)
    missing_shards: tuple[str, ...] = ()

    @property
    def unrelated_events(self) -> dict[str, Any]:
        """What people want to know of the event models, by step."""
        return {step: model.summary() for step, model in self.event_models.items()}


class StoredFile(NamedTuple):
    """A stored path with its recording and the recording's number of windows."""

    recording: Recording
    n_windows: int


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A named index.

    Attributes
    ----------
    name : str
    spec : IndexSpec
        Specification of the collection.
    recordings, files, windows : int
        Numbers of distinct contents, paths and windows; 0 if not counted.
    layout : str
        How the vector index keeps vectors, if there is one: ``halfvec`` or ``bit``.
    """

    name: str
    spec: IndexSpec
    recordings: int = 0
    files: int = 0
    windows: int = 0
    layout: str = "halfvec"


class Entry(NamedTuple):
    """A recording to store: windows, ``(n_windows, dimension)`` float32 embeddings, decoder version."""

    recording: Recording
    windows: Sequence[Window]
    embeddings: FloatArray
    decoder_version: int = DECODER_VERSION


@dataclass(frozen=True, slots=True)
class Content:
    """Stored content of one recording.

    Attributes
    ----------
    files : list of Recording
        The recording under each of its paths, sorted by path; at least one.
    windows : list of Window
        In order.
    embeddings : (n_windows, dimension) float16
        Zeros for windows without an embedding, whose quality is not ``ok``.
    decoder_version : int
        Version of the decoder.
    """

    files: list[Recording]
    windows: list[Window]
    embeddings: HalfArray
    decoder_version: int = DECODER_VERSION


@dataclass(frozen=True, slots=True)
class SearchableWindows:
    """The windows of one recording that can be found and pass the filters.

    Attributes
    ----------
    recording : Recording
        Under its first path that passes the filters.
    starts_s, ends_s : (n_windows,) float64
        Increasing, in seconds; at least one window.
    embeddings : (n_windows, dimension) float16
    """

    recording: Recording
    starts_s: npt.NDArray[np.float64]
    ends_s: npt.NDArray[np.float64]
    embeddings: HalfArray


def rebuild_name(collection: str) -> str:
    """Return the name of a collection's replacement while it is being built."""
    return collection + _REBUILD


def import_name(collection: str) -> str:
    """Return the name of a collection while it is being imported."""
    return collection + _IMPORT


def is_unfinished(name: str) -> bool:
    """Return whether a name is that of a collection being rebuilt or imported."""
    return name.endswith((_REBUILD, _IMPORT))


def check_collection_name(name: str) -> None:
    """Raise `ParameterError` unless a name is valid for a collection."""
    if not _COLLECTION_NAME.fullmatch(name.removesuffix(_REBUILD).removesuffix(_IMPORT)):
        raise ParameterError(
            f"collection is {name!r}; use up to 63 lower-case letters, digits, - and _, beginning with "
            "a letter or digit"
        )


def start_source(recording: Recording) -> str | None:
    """Return the source of a start time, ``given`` by default; None without a start time."""
    if recording.recorded_at is None:
        return None
    return recording.recorded_at_source or "given"


def starts_by_trust(counts: Mapping[str | None, int]) -> dict[str, int]:
    """Return the number of recordings per source of the start time, the most reliable first."""
    return {
        source or "unknown": counts[source] for source in reversed(START_SOURCES) if counts.get(source)
    }


def start_differs(stored: Recording, new: Recording) -> bool:
    """Return whether the start time of `new` replaces the stored one.

    A given start time always does. One that was read from a file only replaces a missing or less
    reliable one, because copies of a file differ in it.
    """
    if new.recorded_at is None or new.recorded_at == stored.recorded_at:
        return False
    before, now = start_source(stored), start_source(new)
    return now == "given" or START_SOURCES.index(now) > START_SOURCES.index(before)


def check_spec(stored: IndexSpec, given: IndexSpec) -> None:
    """Raise `ModelMismatch` unless vectors of both are comparable."""
    if stored != given and stored.is_external:
        raise ModelMismatch(
            f"the collection contains vectors of another program ({stored.describe()}), and this "
            f"request uses {given.describe()}; search with a vector or a stored recording, or use "
            "another collection"
        )
    if stored != given:
        raise ModelMismatch(
            f"the index was made with {stored.describe()}, this request with {given.describe()}; "
            f"use the settings of the index (SOUNDALIKE_MODEL={stored.encoder}), or rebuild it from the "
            "stored paths: soundalike reindex"
        )


def check_entry(entry: Entry, spec: IndexSpec) -> None:
    """Raise an error if a recording cannot be stored; see `check_recording` and `check_embeddings`."""
    check_recording(entry.recording, has_length=True)
    check_embeddings(entry.embeddings, len(entry.windows), spec)


def check_embeddings(embeddings: FloatArray, n_windows: int | None, spec: IndexSpec) -> None:
    """Raise an error if vectors cannot be stored or used in a search.

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
        raise InvalidSamples("a vector contains NaN or infinite numbers; check the recording")


def check_recording(recording: Recording, *, has_length: bool) -> None:
    """Raise `ParameterError` if the metadata of a recording cannot be stored.

    Reasons are an id that is not a UUID, a missing length (with `has_length`) or path, text with NUL or
    an unpaired surrogate, tags that are not JSON, and a start time outside the calendar.
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
            # With a margin of one day, because the database displays times in any time zone.
            recording.recorded_at.astimezone(UTC) - timedelta(days=1)
            recording.recorded_at.astimezone(UTC) + timedelta(days=1, seconds=recording.duration_s)
        except OverflowError as exc:
            start = recording.recorded_at.isoformat()
            raise ParameterError(f"recorded_at is {start}; give a year from 1 to 9999") from exc


def check_annotations(annotations: Sequence[StoredAnnotation]) -> None:
    """Raise `ParameterError` if an annotation cannot be stored."""
    for one in annotations:
        checked_id(one.recording_id)
        one.annotation.check()
        _check_text("label", one.annotation.label)
        _check_text("source", one.source)


def check_filters(filters: Filters) -> None:
    """Raise `ParameterError` if a filter can never match."""
    _check_text("path", filters.uri_prefix)
    for label in filters.labels:
        _check_text("label", label)
    _check_tags(filters.tags)
    for condition in filters.where:
        for text in (*condition.key, *condition.values):
            _check_text("condition", text if isinstance(text, str) else "")
    for recording_id in filters.excluded:
        checked_id(recording_id)
    check_times(filters)


def checked_id(recording_id: str) -> str:
    """Return a recording id in its stored form.

    Raises
    ------
    ParameterError
        The id is not a UUID.
    """
    found = as_id(recording_id)
    if found is None:
        raise ParameterError(f"recording_id is {recording_id!r}; give a UUID")
    return found


def checked_ids(recording_id: str | Sequence[str] | None) -> list[str] | None:
    """Return one recording id, or several, in their stored form; None for None.

    Raises
    ------
    ParameterError
        An id is not a UUID.
    """
    if recording_id is None:
        return None
    return [
        checked_id(one) for one in ([recording_id] if isinstance(recording_id, str) else recording_id)
    ]


def as_id(key: str) -> str | None:
    """Return a recording id in its stored form; None if it is not a UUID."""
    try:
        return str(uuid.UUID(key))
    except ValueError:
        return None


def _check_tags(tags: Tags) -> None:
    try:
        text = json.dumps(dict(tags), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as exc:
        raise ParameterError(f"the tags are not JSON ({exc}); give text, numbers, lists") from exc
    _check_text("tags", text.replace("\\u0000", "\0"))


def _check_text(what: str, text: str) -> None:
    if not is_storable(text):
        raise ParameterError(
            f"the {what} {text[:80]!r} contains a character that cannot be stored; remove it"
        )


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store a text: without NUL and unpaired surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def first_limit(top_k: int) -> int:
    """Return the first number of hits per query window.

    It is larger than `top_k`, because recordings have several windows, and a power of two, so that there
    are few different statements: the server keeps a plan for each.

    Examples
    --------
    >>> first_limit(1), first_limit(10), first_limit(1000)
    (32, 32, 2048)
    """
    return max(_FIRST_LIMIT, 1 << (2 * top_k - 1).bit_length())


def not_indexed(collection: str) -> IndexEmpty:
    """Return the error for a collection that does not exist."""
    if collection == DEFAULT_COLLECTION:
        return IndexEmpty("nothing has been indexed yet; run: soundalike index PATH")
    return IndexEmpty(
        f"there is no collection {collection!r}; see: soundalike collections, or create it with: "
        f"soundalike index --collection {collection} PATH"
    )


def not_found(key: str, collection: str) -> RecordingNotFound:
    """Return the error for a recording that is not stored."""
    return RecordingNotFound(
        f"{key!r} is not in the collection {collection!r}; check the name, or index it first: "
        "soundalike index PATH"
    )


def check_page(limit: int, after: str) -> None:
    """Raise `ParameterError` if the parameters of a page are invalid."""
    if not 1 <= limit <= MAX_PAGE:
        raise ParameterError(f"limit is {limit}; choose a number from 1 to {MAX_PAGE}")
    _check_text("cursor", after)


def is_under(uri: str, key: str) -> bool:
    """Return whether a stored path is `key` or is inside the folder `key`."""
    return uri == key or uri.startswith(folder_prefix(key))


def folder_prefix(key: str) -> str:
    """Return the common prefix of all paths inside the folder `key`."""
    return key.rstrip("/") + "/"
