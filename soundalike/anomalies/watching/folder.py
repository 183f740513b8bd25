"""The files of a watched folder that are no longer written to.

inotify tells of new files at once. It loses events when its queue overflows, and has none of other
machines on a network disk; so the folder is also listed now and then.
"""

from __future__ import annotations

import logging
import os
import queue
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from soundalike.audio.files import find_files, looks_like_audio
from soundalike.errors import AudioNotFound
from soundalike.store.normal_models import WatchedFile

#: Renamed files that are remembered until they are complete.
_MOST_RENAMED = 10_000
_log = logging.getLogger(__name__)


class WatchedFolder:
    """Finds the files of a folder whose size and time have not changed for a while.

    Parameters
    ----------
    folder : Path
    settle_s : float
        Seconds without a change after which a file is complete.
    rescan_s : float
        Seconds between two listings of the whole folder.
    clock : callable
        Returns seconds that only grow.

    Attributes
    ----------
    unreadable : set of str
        Paths that may not be read; they are looked at again when the folder is listed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settle_s: float,
        rescan_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._settle_s, self._rescan_s, self._clock = settle_s, rescan_s, clock
        self._seen: dict[str, tuple[WatchedFile, float]] = {}
        self._returned: dict[str, WatchedFile] = {}
        #: Paths to look at, and the earlier path of a file that was renamed.
        self._named: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._former: dict[str, str] = {}
        self.unreadable: set[str] = set()
        self._listed_at = -rescan_s
        self._observer: Any = None
        self._identity: tuple[int, int] | None = None

    @property
    def n_waiting(self) -> int:
        """Number of files that may still be written to."""
        return len(self._seen)

    def settled(self) -> list[WatchedFile]:
        """Return files that are complete; each is returned once until it changes.

        Raises
        ------
        AudioNotFound
            The folder cannot be read, as when its disk is gone.
        """
        self._look_at_folder()
        now = self._clock()
        if now - self._listed_at >= self._rescan_s:
            self._list()
            self._listed_at = now
        while not self._named.empty():
            uri, former = self._named.get_nowait()
            if former is not None:
                self._rename(former, uri)
            self._note(uri, now)
        for uri in list(self._seen):
            self._note(uri, now)
        done = [file for file, since in self._seen.values() if now - since >= self._settle_s]
        for file in done:
            del self._seen[file.uri]
            self._returned[file.uri] = file
        return sorted(done, key=lambda file: (file.mtime_ns, file.uri))

    def former(self, file: WatchedFile) -> WatchedFile | None:
        """Return a file as it was before it was renamed; None if no renaming is known."""
        uri = self._former.get(file.uri)
        return None if uri is None else WatchedFile(uri, file.size_bytes, file.mtime_ns)

    def put_back(self, files: Sequence[WatchedFile]) -> None:
        """Let files be returned again that could not be scored, as when the database was away."""
        for file in files:
            self._returned.pop(file.uri, None)
            self._seen.setdefault(file.uri, (file, self._clock() - self._settle_s))

    def close(self) -> None:
        """Stop the observer."""
        if self._observer is not None:
            self._observer.stop()
            self._observer = None
        self._identity = None

    def _look_at_folder(self) -> None:
        """Observe the folder; again where another disk took its place."""
        try:
            status = self.folder.stat()
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(20, "not a folder")
            os.scandir(self.folder).close()
        except OSError as exc:
            self.close()
            self._listed_at = -self._rescan_s
            raise AudioNotFound(
                f"{str(self.folder)!r} cannot be read: {exc.strerror}; check that its disk is there"
            ) from exc
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity:
            self.close()
            self._observe()
            self._identity = identity
            self._listed_at = -self._rescan_s

    def _observe(self) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        named = self._named

        class _Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.is_directory or event.event_type not in (
                    "created",
                    "modified",
                    "moved",
                    "closed",
                ):
                    return
                source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
                named.put((target, source) if target else (source, None))

        observer = Observer()
        try:
            observer.schedule(_Handler(), str(self.folder), recursive=True)
            observer.start()
        except OSError as exc:
            # The system's limit of watches, for example; listing goes on.
            _log.warning(
                "%s cannot be observed (%s); it is listed every %g s",
                self.folder,
                exc.strerror,
                self._rescan_s,
            )
            return
        self._observer = observer

    def _list(self) -> None:
        for path in find_files([str(self.folder)]).files:
            self._named.put((str(path), None))

    def _note(self, uri: str, now: float) -> None:
        path = Path(os.path.abspath(uri))
        is_hidden = any(part.startswith(".") for part in path.relative_to(self.folder).parts)
        file = None if is_hidden or not looks_like_audio(path) else _file_at(path)
        if file is None:
            self._forget(uri)
            return
        if not os.access(path, os.R_OK):
            if uri not in self.unreadable:
                _log.warning("%s may not be read; it is looked at again every %g s", uri, self._rescan_s)
            self._forget(uri)
            self.unreadable.add(uri)
            return
        self.unreadable.discard(uri)
        if self._returned.get(file.uri) == file:
            return
        known = self._seen.get(file.uri)
        if known is None or known[0] != file:
            self._seen[file.uri] = file, now

    def _rename(self, before: str, after: str) -> None:
        """Note the first name of a file that was renamed, perhaps several times."""
        self._former[after] = self._former.pop(before, before)
        if len(self._former) > _MOST_RENAMED:
            del self._former[next(iter(self._former))]

    def _forget(self, uri: str) -> None:
        self._seen.pop(uri, None)
        self._returned.pop(uri, None)
        self.unreadable.discard(uri)


def _file_at(path: Path) -> WatchedFile | None:
    """Return a regular file that is not empty, as it is now."""
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        return None
    return WatchedFile(str(path), status.st_size, status.st_mtime_ns)
