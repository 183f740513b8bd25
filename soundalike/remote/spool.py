"""Fetch remote recordings into a folder of bounded size, and remove them when they are decoded."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from soundalike.audio.urls import file_name, is_web, label_of
from soundalike.config import REMOTE_SPOOL_MB, Settings
from soundalike.errors import AudioChanged, AudioTooLarge, ConfigError, EmptyAudio
from soundalike.faults import is_disk_full
from soundalike.remote.driver import driver_of, remote_error
from soundalike.remote.objects import RemoteObject, object_at
from soundalike.types import FileStat

_CHUNK = 1 << 20
_BLOCK = 8 << 20
_FOLDER = "remote"
_LOCK = ".lock"
#: Age from which a modification time identifies the content; the clocks of two machines differ.
_SETTLED_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """Where copies of remote recordings are kept while they are decoded.

    Attributes
    ----------
    folder : Path or None
        None: the system's folder of temporary files.
    size_mb : int
        Megabytes of all copies of a process. Two batches are there at once, so one has half of it.
    """

    folder: Path | None = None
    size_mb: int = REMOTE_SPOOL_MB

    @classmethod
    def of(cls, settings: Settings) -> SpoolPlace:
        """Return the place that the settings name."""
        return cls(settings.spool_dir, settings.remote_spool_mb)

    @property
    def batch_bytes(self) -> int:
        """Size of the recordings of a batch, and of the largest one."""
        return self.size_mb * 1_000_000 // 2


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A copy of a remote recording.

    Attributes
    ----------
    path : Path
        The copy; its name is that of the recording.
    uri : str
        URL of the recording.
    stat : FileStat or None
        Size and version of the recording.
    """

    path: Path
    uri: str
    stat: FileStat | None

    @property
    def label(self) -> str | None:
        """Name of the recording's folder."""
        return label_of(self.uri)

    def trusted_stat(self) -> FileStat | None:
        """Return the size and version that identify the content."""
        return self.stat

    def discard(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


class Spool:
    """Copies of remote recordings; the block removes what is left of them.

    The folder is made with the first copy. What killed processes have left is removed then.
    """

    def __init__(self, place: SpoolPlace) -> None:
        self._place = place
        self._numbers = itertools.count()
        self._making = threading.Lock()
        self._folder: Path | None = None
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def fetch(self, wanted: RemoteObject) -> FetchedFile:
        """Copy a remote recording.

        If it has changed since it was listed, it is copied again once, unless it is larger now.

        Raises
        ------
        AudioTooLarge
            It is larger than a batch may be.
        AudioChanged
            It changes while it is read, or grows.
        AudioError
            It is not there any more, may not be read, or cannot be reached.
        """
        # A batch was made for this size; a recording that grows is not complete either.
        most = wanted.size_bytes or self._place.batch_bytes
        for _ in range(2):
            if wanted.size_bytes == 0:
                raise EmptyAudio(f"{wanted.uri!r} has 0 bytes; record or export it again")
            path = self._new_path(wanted.uri)
            try:
                size = self._copied(wanted, path)
                now = object_at(wanted.uri)
                if (now.size_bytes, now.version) == (wanted.size_bytes, wanted.version) and (
                    size == (now.size_bytes or size)
                ):
                    return _finished(now, path, size)
            except BaseException:
                shutil.rmtree(path.parent, ignore_errors=True)
                raise
            shutil.rmtree(path.parent, ignore_errors=True)
            wanted = now
            if (now.size_bytes or most) > most:
                break
        raise AudioChanged(
            f"{wanted.uri!r} changes while it is read; index it again when it is complete"
        )

    def _copied(self, wanted: RemoteObject, path: Path) -> int:
        """Copy a recording and return its size; it stops above the limit, whatever size was told."""
        limit = self._place.batch_bytes
        if (wanted.size_bytes or 0) > limit:
            raise self._too_large(wanted.uri)
        # At most one byte more than expected, to see that there is more.
        most = limit if wanted.size_bytes is None else wanted.size_bytes
        try:
            with _opened(wanted.uri) as source, path.open("wb") as target:
                size = 0
                while size <= most and (part := source.read(min(_CHUNK, most + 1 - size))):
                    target.write(part)
                    size += len(part)
        except Exception as exc:
            if is_disk_full(exc):
                raise
            raise remote_error(exc, wanted.uri) from exc
        if size > limit:
            raise self._too_large(wanted.uri)
        return size

    def _too_large(self, url: str) -> AudioTooLarge:
        return AudioTooLarge(
            f"{url!r} is larger than {self._place.size_mb / 2:g} MB, half of the space for copies; "
            "raise SOUNDALIKE_REMOTE_SPOOL_MB"
        )

    def _new_path(self, url: str) -> Path:
        folder = self._made() / str(next(self._numbers))
        folder.mkdir()
        return folder / file_name(url)

    def _made(self) -> Path:
        with self._making:
            if self._folder is None:
                try:
                    self._folder, self._lock = _make_folder(self._place.folder)
                except OSError as exc:
                    raise ConfigError(
                        f"{str(exc.filename)!r} cannot be written ({exc.strerror}), so "
                        "remote recordings cannot be copied; set SOUNDALIKE_SPOOL_DIR"
                    ) from exc
            return self._folder


def _make_folder(spool: Path | None) -> tuple[Path, IO[bytes]]:
    """Make the folder of a process, and return it with its lock."""
    above = (spool or Path(tempfile.gettempdir(), "soundalike")) / _FOLDER
    above.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (above / _LOCK).open("wb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _remove_abandoned(above)
        folder = Path(tempfile.mkdtemp(dir=above))
        # Held until this process ends, however it ends.
        lock = (folder / _LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return folder, lock


def _opened(url: str) -> Any:
    driver = driver_of(url)
    # A web server need not know ranges, so its file is read as a stream.
    options = {"block_size": 0} if is_web(url) else {"block_size": _BLOCK, "cache_type": "readahead"}
    return driver.open(driver._strip_protocol(url), "rb", **options)


def _finished(found: RemoteObject, path: Path, size: int) -> FetchedFile:
    """Give a copy the modification time of the recording, from which its start may be found."""
    # The start is not found from a time of 1970.
    mtime_ns = found.mtime_ns or 0
    os.utime(path, ns=(mtime_ns, mtime_ns))
    is_by_time = found.version is not None and found.version == found.mtime_ns
    if is_by_time and time.time_ns() - mtime_ns <= _SETTLED_NS:
        return FetchedFile(path, found.uri, None)
    if size == 0:
        raise EmptyAudio(f"{found.uri!r} has 0 bytes; record or export it again")
    return FetchedFile(path, found.uri, found.stat)


def _remove_abandoned(above: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in above.iterdir():
        with suppress(OSError), (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
