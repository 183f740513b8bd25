"""Index items: the request, the file's stat, and the result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from soundalike.audio.files import FileList
from soundalike.audio.sources import FileSnapshot, path_of, recording_id_of, snapshot
from soundalike.audio.urls import is_remote
from soundalike.clock.wall_clock import undo_start_from_mtime
from soundalike.errors import SoundalikeError
from soundalike.faults import recording_error
from soundalike.indexing.metadata import FileMetadata
from soundalike.remote.objects import RemoteObject, object_at
from soundalike.remote.spool import FetchedFile
from soundalike.store.base import start_differs
from soundalike.types import Recording, Tags


@dataclass(frozen=True, slots=True)
class IndexItem:
    """A file to index.

    Attributes
    ----------
    uri : str
        Path of the file, or URL of a remote one.
    label : str or None
        Class of the sound. None: the name of the file's folder.
    tags : mapping
        Free metadata, JSON-compatible.
    recorded_at : datetime or None
        Start time, with time zone. None: found in the file; see `soundalike.clock.start_time`.
    recorded_at_source : str or None
        Source of the start time; None for ``given``.
    stored : Recording or None
        A stored recording to index again; its path, label, tags and start time are used.
    is_upload : bool
        The file is an upload, so its modification time is ignored.
    remote : RemoteObject or None
        What a listing says of a remote file. None: the other machine is asked.
    """

    uri: str
    label: str | None = None
    tags: Tags = field(default_factory=dict)
    recorded_at: datetime | None = None
    recorded_at_source: str | None = None
    stored: Recording | None = None
    is_upload: bool = False
    remote: RemoteObject | None = None


@dataclass(frozen=True, slots=True)
class IndexResult:
    """Result of indexing one file.

    Attributes
    ----------
    uri : str
        As stored, or as given if the file failed.
    outcome : str
        A `soundalike.store.Outcome`, ``failed``, or ``skipped`` for a film without sound in a folder;
        see `mark_skipped`.
    recording_id : str or None
    n_windows : int
        Number of embedded windows; 0 for known audio.
    duration_s : float
        Length of the recording in seconds; 0.0 if the file failed.
    warnings : tuple of str
        Damage that did not stop the decoding, and reasons why searches skip the recording.
    error_code, error : str or None
        Set if the outcome is ``failed`` or ``skipped``.
    n_searchable : int
        Number of searchable windows.
    """

    uri: str
    outcome: str
    recording_id: str | None = None
    n_windows: int = 0
    duration_s: float = 0.0
    warnings: tuple[str, ...] = ()
    error_code: str | None = None
    error: str | None = None
    n_searchable: int = 0

    @property
    def is_unsearchable(self) -> bool:
        """Whether the recording was stored without a searchable window."""
        return self.n_windows > 0 and not self.n_searchable


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file that has not been opened yet.

    Attributes
    ----------
    item : IndexItem
        The request.
    snapshot : FileSnapshot, RemoteObject or SoundalikeError
        Path or URL, size and time of the file, or why it cannot be read.
    known : Recording or None
        The recording stored under its path.
    may_gain_start : bool
        The user's patterns may give a start time, which is missing or unreliable so far.
    """

    item: IndexItem
    snapshot: FileSnapshot | RemoteObject | SoundalikeError
    known: Recording | None = None
    may_gain_start: bool = False

    def is_unchanged(self) -> bool:
        """Return whether the stored recording is up to date, so that the file need not be opened."""
        if self.known is None or self.may_gain_start or isinstance(self.snapshot, SoundalikeError):
            return False
        stat = self.snapshot.stat
        return (
            stat is not None
            and self.known.stat == stat
            and is_up_to_date(self.known, described(self.snapshot, self.item))
        )

    @property
    def size_bytes(self) -> int:
        """Size of the file; 0 if it cannot be read or is not known."""
        if isinstance(self.snapshot, FileSnapshot):
            return self.snapshot.stat.size_bytes
        return self.snapshot.size_bytes or 0 if isinstance(self.snapshot, RemoteObject) else 0


def is_up_to_date(known: Recording, wanted: Recording) -> bool:
    """Return whether a stored path of the same content has the requested label, tags and start time."""
    same = (known.label, known.tags) == (wanted.label, wanted.tags)
    return same and not start_differs(known, wanted)


def with_metadata(item: IndexItem, told: FileMetadata) -> IndexItem:
    """Return an item with the metadata of a table, which overrides that of all files."""
    return replace(
        item,
        label=item.label if told.label is None else told.label,
        tags={**item.tags, **told.tags},
        recorded_at=told.recorded_at or item.recorded_at,
    )


def failed_result(uri: str, exc: SoundalikeError) -> IndexResult:
    """Return the result of a file that cannot be used."""
    return IndexResult(uri, "failed", error_code=exc.code, error=exc.message)


def unchanged_result(known: Recording) -> IndexResult:
    """Return the result of a file that is up to date."""
    return IndexResult(known.uri, "unchanged", known.recording_id, duration_s=known.duration_s)


def mark_skipped(result: IndexResult, files: FileList) -> IndexResult:
    """Turn the failure of a film without sound into ``skipped``, unless the file was named."""
    is_failure = result.outcome == "failed"
    if is_failure and files.may_skip(path_of(result.uri), result.error_code):
        return replace(result, outcome="skipped")
    return result


def snapshot_of(item: IndexItem) -> FileSnapshot | RemoteObject | SoundalikeError:
    """Return the snapshot of a file, or the reason why it cannot be read."""
    if item.remote is not None:
        return item.remote
    try:
        if is_remote(item.uri):
            return object_at(item.uri)
        found = snapshot(item.uri)
    except Exception as exc:
        return recording_error(exc, item.uri)
    # An upload has no trusted stat.
    return replace(found, at_ns=0) if item.is_upload else found


def identified(file: FileSnapshot | FetchedFile, item: IndexItem) -> Recording:
    """Read a file to compute its id; its start time and duration are still unknown.

    Raises
    ------
    SoundalikeError
        The file cannot be read.
    """
    try:
        return _with_id(described(file, item), item.stored, recording_id_of(file.path))
    except Exception as exc:
        raise recording_error(exc, item.uri) from exc


def _with_id(described: Recording, stored: Recording | None, recording_id: str) -> Recording:
    found = replace(described, recording_id=recording_id)
    if stored is None or stored.recorded_at_source != "mtime" or stored.recording_id == recording_id:
        return found
    # The file has changed, and so has its modification time.
    return replace(found, recorded_at=None, recorded_at_source=None)


def described(file: FileSnapshot | RemoteObject | FetchedFile, item: IndexItem) -> Recording:
    """Return the metadata of a file before it is opened, without id and duration.

    A start time from the modification time is not yet moved back by the length.
    """
    if item.stored is not None:
        return replace(undo_start_from_mtime(item.stored), recording_id="", duration_s=0.0, stat=None)
    return Recording(
        recording_id="",
        uri=file.uri,
        duration_s=0.0,
        label=file.label if item.label is None else item.label,
        tags=dict(item.tags),
        recorded_at=item.recorded_at,
        recorded_at_source=item.recorded_at_source,
    )
