"""Keep uploaded files on the disk under names that follow from their content."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser

from executors.gateway.background.workers import Workers
from soundalike.audio.files import AUDIO_SUFFIXES
from soundalike.audio.sources import recording_id_of
from soundalike.indexing.vectors.arrays import SUFFIXES

#: Fields of a form beside its files, which stay in memory: 50 MB of them at the most.
FIELD_LIMITS: Any = {"max_fields": 200, "max_part_size": 1 << 18}
#: Of each file of a form so much stays in memory; there may be a thousand.
_SPOOLED_BYTES = 1 << 16
_PASSING = "passing"
_STALE_S = 3600
_SUFFIXES = sorted(AUDIO_SUFFIXES)
#: Endings of tables and arrays that are uploaded.
_TABLES = frozenset((".csv", ".tsv", *SUFFIXES))


@dataclass(frozen=True)
class Kept:
    """An upload that is kept.

    Attributes
    ----------
    path : Path
        Made of its content's id and, where it is one of a sound file, its suffix.
    name : str
        The client's name of it, without folders.
    """

    path: Path
    name: str


class Uploads:
    """The folder of uploads. The segmenter must see it under the same path.

    Parameters
    ----------
    folder : Path
        Made when the first upload comes.
    workers : Workers
        Where files are written.
    """

    def __init__(self, folder: Path, workers: Workers) -> None:
        self.folder = folder.absolute()
        self._workers = workers
        self._needed: Counter[Path] = Counter()
        self._lock = threading.Lock()

    @property
    def passing(self) -> Path:
        """Folder of files that are needed for one request."""
        return self.folder / _PASSING

    def prepare(self) -> None:
        """Make the folder, and remove files that a killed process has left.

        Bodies of requests are spooled here as well: a temporary folder may be kept in memory.
        """
        self.passing.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(self.passing)
        MultiPartParser.spool_max_size = _SPOOLED_BYTES
        for path in self.passing.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()

    @asynccontextmanager
    async def passing_file(self, upload: UploadFile) -> AsyncIterator[Path]:
        """Write an upload into a file that is there as long as the context is."""
        path = await self._workers.run(self._write, upload.file, _suffix_of(upload.filename))
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @asynccontextmanager
    async def passing_table(self, upload: UploadFile) -> AsyncIterator[Path]:
        """Write an uploaded table or array into a file that is there as long as the context is."""
        suffix = Path(_name_of(upload.filename)).suffix.lower()
        path = await self._workers.run(self._write, upload.file, suffix if suffix in _TABLES else "")
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def keep(self, upload: UploadFile) -> Kept:
        """Keep an upload; the same content is kept once, under the name that it got first.

        It is not removed before it was `let_go` as often as it was kept.
        """
        name = _name_of(upload.filename)
        return Kept(await self._workers.run(self._keep, upload.file, _suffix_of(name)), name)

    def keep_again(self, path: Path) -> None:
        """Keep an upload of an earlier run of the service."""
        with self._lock:
            self._needed[path] += 1

    def let_go(self, path: Path) -> None:
        """Release a kept upload."""
        with self._lock:
            self._needed[path] -= 1
            if self._needed[path] <= 0:
                del self._needed[path]

    def is_needed(self, path: Path) -> bool:
        """Tell whether a path was kept and not let go."""
        return path in self._needed

    def holds(self, path: Path) -> bool:
        """Tell whether a path is that of a kept upload."""
        return path.parent == self.folder

    def of(self, recording_id: str) -> list[Path]:
        """Return the paths under which a recording's content is kept."""
        # There are many endings, and making a path of a text takes longer than asking for it.
        paths = (f"{self.folder}/{recording_id}{suffix}" for suffix in ("", *_SUFFIXES))
        return [Path(path) for path in paths if os.path.isfile(path)]

    def remove(self, path: Path) -> None:
        """Remove a kept upload, unless it is needed."""
        with self._lock:
            if path not in self._needed:
                path.unlink(missing_ok=True)

    def _keep(self, file: BinaryIO, suffix: str) -> Path:
        path = self._write(file, suffix)
        try:
            recording_id = recording_id_of(path)
            with self._lock:
                known = self.of(recording_id)
                kept = known[0] if known else path.rename(self.folder / f"{recording_id}{suffix}")
                self._needed[kept] += 1
            return kept
        finally:
            path.unlink(missing_ok=True)

    def _write(self, file: BinaryIO, suffix: str) -> Path:
        file.seek(0)
        with tempfile.NamedTemporaryFile(dir=self.passing, suffix=suffix, delete=False) as target:
            try:
                shutil.copyfileobj(file, target)
                # The segmenter may run as another user.
                os.fchmod(target.fileno(), 0o644)
            except BaseException:
                # The disk may be full, of all things.
                os.unlink(target.name)
                raise
        return Path(target.name)


def _name_of(filename: str | None) -> str:
    """Return the client's name of its file, without folders; old browsers send whole paths."""
    return (filename or "").replace("\\", "/").rpartition("/")[2][:255] or "upload"


def _suffix_of(filename: str | None) -> str:
    suffix = Path(_name_of(filename)).suffix.lower()
    return suffix if suffix in AUDIO_SUFFIXES else ""
