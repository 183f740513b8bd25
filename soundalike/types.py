"""Domain types: recording, window, hit, match.

A *recording* is one piece of audio, identified by its content; several paths may lead to it. A *window*
is a searchable slice of a recording. A *hit* pairs a window of the query with a stored window. A *match*
is one result of a search: a recording, scored by its best hit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Version of the decoded samples: raised when decoding the same file gives other samples than before, so
#: that earlier recordings can be found and indexed again.
DECODER_VERSION = 2

#: Fingerprint of vectors that another program computed.
EXTERNAL = "external"

# In quotes: the command line reads these types before it needs NumPy.
FloatArray: TypeAlias = "npt.NDArray[np.float32]"
#: Storage format of vectors.
HalfArray: TypeAlias = "npt.NDArray[np.float16]"
Tags = Mapping[str, Any]
#: Length of a bucket of a timeline, by the clock and calendar of a time zone; weeks begin on Monday.
BucketWidth = Literal["hour", "day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Window:
    """A slice of a recording, in seconds from its start.

    Attributes
    ----------
    index : int
        Position among the windows of the recording, from 0.
    start_s, end_s : float
        Bounds in seconds. ``end_s`` never exceeds the length of the recording, even if the encoder
        embedded a padded window.
    is_silent : bool
        True if the samples are constant to within -80 dBFS (any constant): stored, but never found.
    is_clipped : bool
        True if a tenth of the samples or more are at full scale: stored, but never found, because
        all overdriven sounds resemble each other.
    """

    index: int
    start_s: float
    end_s: float
    is_silent: bool = False
    is_clipped: bool = False

    @property
    def quality(self) -> str:
        """``ok``, or the reason why searches skip the window: ``silent`` or ``clipped``."""
        if self.is_silent:
            return "silent"
        return "clipped" if self.is_clipped else "ok"


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """Encoder and windows of an index; vectors of two indexes are comparable if these are equal.

    Attributes
    ----------
    encoder : str
        Name of the encoder, for example ``"logmel-modulation"``.
    fingerprint : str
        Hash of its weights or constants.
    dimension : int
        Length of an embedding.
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
        """Whether another program computed the vectors, so that only vectors can be searched for."""
        return self.fingerprint == EXTERNAL

    def describe(self) -> str:
        """Return the specification as a phrase for messages."""
        return (
            f"encoder {self.encoder} ({self.fingerprint[:12]}), {self.dimension} dimensions, "
            f"{self.window_s:g} s windows every {self.stride_s:g} s"
        )


class FileStat(NamedTuple):
    """Size and modification time of a file; the content counts as unchanged if both are unchanged."""

    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Recording:
    """One piece of audio and its metadata.

    Attributes
    ----------
    recording_id : str
        UUID: the first 128 bits of the SHA-256 of the file's bytes.
    uri : str
        Absolute path, or the name of an upload.
    duration_s : float
        Length in seconds.
    label : str or None
        Class of the sound; by default the name of the folder that holds the file.
    tags : mapping
        Free metadata, JSON-compatible.
    recorded_at : datetime or None
        Start time, with time zone; None if unknown.
    recorded_at_source : str or None
        Source of the start time: ``given``, ``metadata``, ``filename`` or ``mtime``.
    stat : FileStat or None
        Size and modification time of the file when it was read; None for an upload.
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
    """One result of a search: a recording, scored by its best pair of windows.

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
        The matching window of the query, in seconds from the start of the query's recording (also if the
        query is a slice of that recording). None if the query is a vector.
    n_hits : int
        Number of different windows of the recording among the compared hits.
    collection : str
        The collection that holds the recording.
    false_alarm_rate : float or None
        Probability that an unrelated recording of the collection scores as high; None if it is unknown,
        as in collections of fewer than 20 recordings and for texts.
    n_other_events : int or None
        Other places of the recording, among the compared hits, with a false-alarm rate of 0.1 or less;
        it may have more. None if rates are unknown.
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
    false_alarm_rate: float | None = None
    n_other_events: int | None = None

    @property
    def occurred_at(self) -> datetime | None:
        """Start time of the matching window in UTC; None if unknown."""
        began = self.recording.recorded_at
        # Add in UTC: a clock change in between must not shift the result.
        return began and began.astimezone(UTC) + timedelta(seconds=self.start_s)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A period of wall-clock time and the number of occurrences in it.

    Attributes
    ----------
    start, end : datetime
        With time zone; the end is exclusive.
    count : int
        Number of occurrences that began in the period.
    """

    start: datetime
    end: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Number of occurrences of a sound over time.

    Attributes
    ----------
    buckets : list of Bucket
        Consecutive, from the first to the last with an occurrence; empty ones have a count of 0.
    undated : int
        Number of occurrences without a known time; they are in no bucket.
    warnings : tuple of str
        Damage of the query that did not stop the decoding, and reasons why counts may be unreliable.
    missing_shards : tuple of str
        Databases of the index that could not be reached; their recordings are missing.
    """

    buckets: list[Bucket]
    undated: int
    warnings: tuple[str, ...] = ()
    missing_shards: tuple[str, ...] = ()


#: Result of enrolling an utterance: new, or enrolled under this path (``unchanged``) or another
#: one (``updated``).
Enrolment = Literal["added", "unchanged", "updated"]


@dataclass(frozen=True, slots=True)
class VoiceSpec:
    """The encoder of voices; vectors of two recordings are comparable if these are equal.

    Attributes
    ----------
    encoder : str
        Name of the encoder.
    fingerprint : str
        Hash of its weights and of how speech is cut.
    dimension : int
        Length of a vector.
    """

    encoder: str
    fingerprint: str
    dimension: int

    def describe(self) -> str:
        """Return the specification as a phrase for messages."""
        return f"encoder {self.encoder} ({self.fingerprint[:12]}), {self.dimension} dimensions"


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording of one speaker.

    Attributes
    ----------
    recording_id : str
        UUID, of the content.
    uri : str
        Absolute path.
    duration_s, speech_s : float
        Length with and without pauses.
    enrolled_at : datetime or None
        With time zone; None before it is stored.
    """

    recording_id: str
    uri: str
    duration_s: float
    speech_s: float
    enrolled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """An enrolled speaker.

    Attributes
    ----------
    name : str
    utterances : int
        Number of enrolled utterances, at least 1.
    speech_s : float
        Seconds of speech in all of them.
    enrolled_at : datetime
        Time of the first enrolment, with time zone.
    """

    name: str
    utterances: int
    speech_s: float
    enrolled_at: datetime


class Candidate(NamedTuple):
    """A speaker and the score, -1 to 1: the cosine of the angle to the mean of the utterances."""

    speaker: str
    score: float


@dataclass(frozen=True, slots=True)
class Voice:
    """The voice in a recording.

    Attributes
    ----------
    vector : (dimension,) float32
        Of length 1.
    speech_s : float
        Seconds of speech that it was computed from.
    duration_s : float
        Length of the recording, at most 300 s.
    warnings : tuple of str
        Damage that did not stop the decoding.
    """

    vector: FloatArray
    speech_s: float
    duration_s: float
    warnings: tuple[str, ...] = ()
