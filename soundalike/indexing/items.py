"""What is to be indexed, what is known of it before it is opened, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from soundalike.audio.files import FileList
from soundalike.audio.sources import (
    FileSnapshot,
    folder_label,
    path_of,
    recording_id_of,
    snapshot,
    uri_of,
)
from soundalike.clock.wall_clock import ended
from soundalike.errors import SoundalikeError
from soundalike.faults import recording_error
from soundalike.store.base import start_differs
from soundalike.types import Recording, Tags


@dataclass(frozen=True, slots=True)
class IndexItem:
    """A file to index.

    Attributes
    ----------
    uri : str
        Its path.
    label : str or None
        Class of the sound. None: the name of the folder that holds the file.
    tags : mapping
        Free metadata, JSON-compatible.
    recorded_at : datetime or None
        When the recording began, with time zone. None: what the file itself tells; see
        `soundalike.clock.start_time`.
    recorded_at_source : str or None
        Who said so; None stands for ``given``.
    stored : Recording or None
        A stored recording that is made anew from this file: path, label, tags and start are its own.
    is_upload : bool
        The file was written when it came, so that its times say nothing of the recording.
    """

    uri: str
    label: str | None = None
    tags: Tags = field(default_factory=dict)
    recorded_at: datetime | None = None
    recorded_at_source: str | None = None
    stored: Recording | None = None
    is_upload: bool = False


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What became of one file.

    Attributes
    ----------
    uri : str
        As stored, or as given where the file failed.
    outcome : str
        An `soundalike.store.Outcome`, ``failed``, or ``skipped`` for a film without sound that only
        lies in a folder; see `passed_over`.
    recording_id : str or None
    n_windows : int
        Windows that were embedded; 0 for audio that was known already.
    duration_s : float
        Length of the recording in seconds; 0.0 where the file failed.
    warnings : tuple of str
        Damage that did not stop the decoding, and why no search finds it.
    error_code, error : str or None
        Set where the outcome is ``failed`` or ``skipped``.
    n_searchable : int
        Of the windows those that a search can find.
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
        """Whether it was stored, and no search can find it."""
        return self.n_windows > 0 and not self.n_searchable


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file that was not opened yet.

    Attributes
    ----------
    item : IndexItem
        What is wanted of it.
    snapshot : FileSnapshot or SoundalikeError
        Its path, size and time, or why there is nothing to be read.
    known : Recording or None
        What is stored under its path.
    may_gain_start : bool
        Patterns of a person's own may tell when it began, which nothing trustworthy has told yet.
    """

    item: IndexItem
    snapshot: FileSnapshot | SoundalikeError
    known: Recording | None = None
    may_gain_start: bool = False

    def is_unchanged(self) -> bool:
        """Tell whether what is stored is what is wanted, so that the file need not be opened."""
        if self.known is None or self.may_gain_start or not isinstance(self.snapshot, FileSnapshot):
            return False
        return self.known.stat == self.snapshot.stat and is_as_wanted(
            self.known, described(self.snapshot.path, self.item)
        )


def is_as_wanted(known: Recording, wanted: Recording) -> bool:
    """Tell whether a stored path of the same content has the label, tags and start that are wanted."""
    same = (known.label, known.tags) == (wanted.label, wanted.tags)
    return same and not start_differs(known, wanted)


def failed_result(uri: str, exc: SoundalikeError) -> IndexResult:
    """Return the result of a file that cannot be used."""
    return IndexResult(uri, "failed", error_code=exc.code, error=exc.message)


def unchanged_result(known: Recording) -> IndexResult:
    """Return the result of a file that is stored as it is wanted."""
    return IndexResult(known.uri, "unchanged", known.recording_id, duration_s=known.duration_s)


def passed_over(result: IndexResult, files: FileList) -> IndexResult:
    """Return the result of a file, which has not failed where nobody named it and it is no sound."""
    is_failure = result.outcome == "failed"
    if is_failure and files.may_pass_over(path_of(result.uri), result.error_code):
        return replace(result, outcome="skipped")
    return result


def snapshot_of(item: IndexItem) -> FileSnapshot | SoundalikeError:
    """Look at a file, or say why there is nothing to be read."""
    try:
        found = snapshot(item.uri)
    except Exception as exc:
        return recording_error(exc, item.uri)
    # Of an upload neither is stored.
    return replace(found, at_ns=0) if item.is_upload else found


def identified(file: ScannedFile) -> Recording:
    """Read a file for its id; neither its start nor its duration is known.

    Raises
    ------
    SoundalikeError
        It cannot be read; what is raised is the file's own error.
    """
    if not isinstance(file.snapshot, FileSnapshot):
        raise file.snapshot
    try:
        path = file.snapshot.path
        return _with_id(described(path, file.item), file.item.stored, recording_id_of(path))
    except Exception as exc:
        raise recording_error(exc, file.item.uri) from exc


def _with_id(described: Recording, stored: Recording | None, recording_id: str) -> Recording:
    found = replace(described, recording_id=recording_id)
    if stored is None or stored.recorded_at_source != "mtime" or stored.recording_id == recording_id:
        return found
    # It has changed since, and so has that time.
    return replace(found, recorded_at=None, recorded_at_source=None)


def described(path: Path, item: IndexItem) -> Recording:
    """Return what is known of a file before it is opened: neither its id nor its duration.

    The start of one that is dated by its last change is that of the end.
    """
    if item.stored is not None:
        return replace(ended(item.stored), recording_id="", duration_s=0.0, stat=None)
    return Recording(
        recording_id="",
        uri=uri_of(path),
        duration_s=0.0,
        label=folder_label(path) if item.label is None else item.label,
        tags=dict(item.tags),
        recorded_at=item.recorded_at,
        recorded_at_source=item.recorded_at_source,
    )
