"""The words of the domain: recording, window, hit, match.

A *recording* is one piece of audio, known by its content; it may be stored under several paths. A
*window* is a slice of it that can be searched. A *hit* pairs a window of the query with a stored
window. A *match* is what a person sees: one recording, scored by its best hit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from soundalike.filters import Condition

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Version of the samples that decoding gives: raised when the same file gives other samples than before,
#: so that recordings that were indexed earlier can be found and indexed again.
DECODER_VERSION = 2

#: Fingerprint of vectors that another program computed, and that no encoder here can compute.
EXTERNAL = "external"

# In quotes: the command line reads these types before it needs NumPy.
FloatArray: TypeAlias = "npt.NDArray[np.float32]"
#: What vectors are stored as.
HalfArray: TypeAlias = "npt.NDArray[np.float16]"
Tags = Mapping[str, Any]
#: How long a stretch of a timeline is, by the clocks and calendar of a zone; weeks begin on Monday.
BucketWidth = Literal["hour", "day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Window:
    """A slice of a recording, in seconds from its start.

    Attributes
    ----------
    index : int
        Position among the windows of the recording, from 0.
    start_s, end_s : float
        Bounds in seconds. ``end_s`` never lies beyond the end of the recording, also where the
        encoder saw a padded window.
    is_silent : bool
        True where the samples are constant to within -80 dBFS, whatever the constant: stored, but
        never found.
    is_clipped: bool
        True where a tenth of the samples or more are at full scale: stored, but never found, because
        overdriven sounds of all kinds resemble each other.
    """

    index: int
    start_s: float
    end_s: float
    is_silent: bool = False
    is_clipped: bool = False

    @property
    def quality(self) -> str:
        """``ok``, or why no search finds the window: ``silent`` or ``clipped``."""
        if self.is_silent:
            return "silent"
        return "clipped" if self.is_clipped else "ok"


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """What two indexes must agree on before their vectors may be compared.

    Attributes
    ----------
    encoder : str
        Name of the encoder, for example ``"logmel-modulation"``.
    fingerprint : str
        Hash of its weights or constants.
    dimension : int
        Numbers in a window's embedding.
    window_s, stride_s : float
        Length of a window and distance between window starts, in seconds.
    """

    encoder: str
    fingerprint: str
    dimension: int
    window_s: float
    stride_s: float

    @property
    def is_external(self) -> bool:
        """Whether another program computed the vectors, so that no sound can be compared with them."""
        return self.fingerprint == EXTERNAL

    def describe(self) -> str:
        """Return the specification as part of a sentence."""
        return (
            f"encoder {self.encoder} ({self.fingerprint[:12]}), {self.dimension} dimensions, "
            f"{self.window_s:g} s windows every {self.stride_s:g} s"
        )


class FileStat(NamedTuple):
    """What the file system says of a file; where it says the same again, the content is the same."""

    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Recording:
    """One piece of audio and what is known of it.

    Attributes
    ----------
    recording_id : str
        UUID made of the first 128 bits of the SHA-256 of the file's bytes.
    uri : str
        Absolute path, or the name that an upload came with.
    duration_s : float
        Length in seconds.
    label : str or None
        Class of the sound; by default the name of the folder that holds the file.
    tags : mapping
        Free metadata, JSON-compatible.
    recorded_at : datetime or None
        When the recording began, with time zone; None where nobody said.
    recorded_at_source : str or None
        Who said it: ``given``, ``metadata``, ``filename`` or ``mtime``.
    stat : FileStat or None
        Size and time of the file when it was read; None for an upload.
    """

    recording_id: str
    uri: str
    duration_s: float
    label: str | None = None
    tags: Tags = field(default_factory=dict)
    recorded_at: datetime | None = None
    recorded_at_source: str | None = None
    stat: FileStat | None = None


class Hit(NamedTuple):
    """A stored window that resembles a window of the query.

    Attributes
    ----------
    query_window : int
        Index of the query's window.
    recording_id : str
        The stored window's recording.
    window_index : int
        Index of the stored window in its recording.
    start_s, end_s : float
        Bounds of the stored window in seconds.
    score : float
        Cosine similarity, -1 to 1; higher is more alike.
    """

    query_window: int
    recording_id: str
    window_index: int
    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True, slots=True)
class Match:
    """A recording that answers a query, scored by its best pair of windows.

    Attributes
    ----------
    rank : int
        From 1.
    recording : Recording
        The recording.
    score : float
        Cosine similarity of the best pair of windows, -1 to 1.
    start_s, end_s : float
        The matching window of the recording, in seconds.
    query_start_s, query_end_s : float or None
        The window of the query that it matches, in seconds from the start of the query's recording;
        where the query is a slice of it too. None where the query is a vector.
    n_hits : int
        How many different windows of the recording are among the hits that were compared.
    collection : str
        Where the recording is stored.
    """

    rank: int
    recording: Recording
    score: float
    start_s: float
    end_s: float
    query_start_s: float | None
    query_end_s: float | None
    n_hits: int
    collection: str

    @property
    def occurred_at(self) -> datetime | None:
        """When the matching window's sound began, in UTC; None where nobody knows."""
        began = self.recording.recorded_at
        # Through UTC, so that clocks that are changed in between do not matter.
        return began and began.astimezone(UTC) + timedelta(seconds=self.start_s)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of wall-clock time, and how often something was heard in it.

    Attributes
    ----------
    start, end : datetime
        With time zone; the end belongs to the next bucket.
    count : int
        Occurrences that began in it.
    """

    start: datetime
    end: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """When something was heard.

    Attributes
    ----------
    buckets : list of Bucket
        Without a gap from the first to the last in which there is something; empty ones between
        them have a count of 0.
    undated : int
        Occurrences at a time that nobody knows; they are in no bucket.
    warnings : tuple of str
        Damage of the query that did not stop the decoding, and why the counts may be poor.
    """

    buckets: list[Bucket]
    undated: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """Which recordings a search may answer with. Empty means: all of them.

    Attributes
    ----------
    labels, without_labels : tuple of str
        The label is one of these; it is none of those.
    tags : mapping
        All of these tags are present with equal values.
    uri_prefix : str
        The path begins with this.
    exclude_recording_id : str or None
        This recording is left out.
    since, until : datetime or None
        The window's sound began at `since` or later, and before `until`; with time zone.
    time_of_day : tuple of time, or None
        The clocks in `time_zone` showed the first of the two or later when the window's sound began,
        and had not reached the second; over midnight where the second is the earlier one.
    time_zone : tzinfo
        A `zoneinfo.ZoneInfo`, or a fixed offset.
    where : tuple of Condition
        The tags meet all of these.

    Notes
    -----
    What began at a time that nobody knows passes no filter of time.
    """

    labels: tuple[str, ...] = ()
    tags: Tags = field(default_factory=dict)
    uri_prefix: str = ""
    exclude_recording_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    time_of_day: tuple[time, time] | None = None
    time_zone: tzinfo = UTC
    where: tuple[Condition, ...] = ()
    without_labels: tuple[str, ...] = ()
