"""Allowed roots: the folders that the service may read, with links and ``..`` resolved.

The command line does not use them; the permissions of its user apply.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from soundalike.audio.sources import local_path
from soundalike.config import Settings
from soundalike.errors import AudioNotAllowed, AudioNotFound

_FILE = "roots.json"
_LOCK = "roots.lock"


class AllowedRoots:
    """Folders and files that requests may read.

    ``SOUNDALIKE_ROOTS`` lists them. If it is not set, they are the working directory of the service, the
    folder of uploads, and the paths that the command line indexed in the same data folder, also while
    the service runs.

    Parameters
    ----------
    settings : Settings
    started_in : Path
        The working directory. The root of the file system is ignored, because it would allow
        everything; only ``SOUNDALIKE_ROOTS`` can do that.
    """

    def __init__(self, settings: Settings, started_in: Path) -> None:
        self._noted = None if settings.roots is not None else settings.data_dir / _FILE
        own = [started_in] if _real(started_in) != "/" else []
        folders = own if settings.roots is None else settings.roots
        self._fixed = frozenset(map(_real, (*folders, settings.uploads_dir)))
        self._seen: tuple[int, int] | None = None
        self._indexed: frozenset[str] = frozenset()

    @property
    def paths(self) -> list[str]:
        """The allowed paths, with links resolved, sorted."""
        return sorted(self._fixed | self._indexed_now())

    def check(self, uri: str) -> None:
        """Raise an error unless a path or ``file:`` URL is in an allowed folder.

        The file is not opened, and the result does not depend on its existence.

        Raises
        ------
        AudioNotAllowed
            The resolved path is elsewhere, or the URL has another scheme.
        AudioNotFound
            The path is invalid.
        """
        try:
            path = _real(local_path(uri))
        except AudioNotFound as exc:
            raise AudioNotAllowed(
                f"{uri!r} is not a file of this machine, and the service downloads nothing; send the "
                "sound's bytes as audio_base64 or as an upload"
            ) from exc
        except ValueError as exc:
            raise AudioNotFound(f"{uri!r}: not a valid path; check the path") from exc
        allowed = self._fixed | self._indexed_now()
        if allowed.isdisjoint((path, *map(str, Path(path).parents))):
            raise AudioNotAllowed(
                f"{uri!r} is outside of the folders that requests may read; send the sound's bytes, "
                "index its folder with `soundalike index`, or name the folder in SOUNDALIKE_ROOTS"
            )

    def _indexed_now(self) -> frozenset[str]:
        """Return the paths that the command line indexed; a changed file is read again."""
        if self._noted is None:
            return frozenset()
        try:
            status = self._noted.stat()
        except OSError:
            return frozenset()
        seen = status.st_mtime_ns, status.st_ino
        if seen != self._seen:
            self._indexed, self._seen = frozenset(_read(self._noted)), seen
        return self._indexed


def note_indexed(data_dir: Path, paths: Iterable[str | Path]) -> None:
    """Allow the folders and files that were passed to ``soundalike index``.

    Safe for concurrent commands. Links are resolved now; changing a link later allows nothing new.
    """
    new = set(map(_real, paths))
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = data_dir / _FILE
        known = set(_read(file))
        if new <= known:
            return
        both = known | new
        least = [path for path in both if both.isdisjoint(map(str, Path(path).parents))]
        part = data_dir / f".{_FILE}-{uuid.uuid4().hex}"
        try:
            part.write_text(json.dumps({"paths": sorted(least)}, indent=1), encoding="utf-8")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def forget_indexed(data_dir: Path) -> None:
    """Remove all paths that `note_indexed` has added."""
    with suppress(FileNotFoundError):
        (data_dir / _FILE).unlink()


def _read(file: Path) -> list[str]:
    """Return the recorded paths; none if the file is missing or damaged."""
    try:
        paths = json.loads(file.read_text(encoding="utf-8"))["paths"]
        return [path for path in paths if isinstance(path, str) and path.startswith("/")]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _real(path: str | Path) -> str:
    return os.path.realpath(path)
