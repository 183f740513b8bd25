"""Which files the service may read: those in allowed folders, whatever a link or ``..`` says.

The command line reads what its user may read and has no need of this.
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
    """The folders and files that requests may name.

    They are those of ``SOUNDALIKE_ROOTS``; where it is not set, the folder that the service was
    started in, the folder of uploads, and what was indexed with the command line on the same data
    folder, also while the service runs.

    Parameters
    ----------
    settings : Settings
    started_in : Path
        The working directory. The root of the file system is not taken, as it would allow
        everything: that has to be asked for.
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
        """What is allowed, links resolved, sorted."""
        return sorted(self._fixed | self._indexed_now())

    def check(self, uri: str) -> None:
        """Raise an error unless a path or ``file:`` URL lies in an allowed folder.

        Nothing is opened, and the answer is the same whether something is there or not.

        Raises
        ------
        AudioNotAllowed
            It lies elsewhere once links are resolved, or is a URL of another scheme.
        AudioNotFound
            It is no path.
        """
        try:
            path = _real(local_path(uri))
        except AudioNotFound as exc:
            raise AudioNotAllowed(
                f"{uri!r} is not a file of this machine, and the service fetches nothing; send the "
                "sound's bytes as audio_base64 or as an upload"
            ) from exc
        except ValueError as exc:
            raise AudioNotFound(f"{uri!r}: not a valid path; check the path") from exc
        allowed = self._fixed | self._indexed_now()
        if allowed.isdisjoint((path, *map(str, Path(path).parents))):
            raise AudioNotAllowed(
                f"{uri!r} is outside of the folders that requests may name; send the sound's bytes, "
                "index its folder with `soundalike index`, or name the folder in SOUNDALIKE_ROOTS"
            )

    def _indexed_now(self) -> frozenset[str]:
        """Return what was indexed with the command line; read again where the file has changed."""
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
    """Allow what was named to ``soundalike index``: folders, and files by themselves.

    Several commands may do so at once. Links are resolved now, so that changing one later allows
    nothing new.
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
    """Allow nothing any more but what settings name."""
    with suppress(FileNotFoundError):
        (data_dir / _FILE).unlink()


def _read(file: Path) -> list[str]:
    """Return the noted paths; none where the file is missing or damaged: less is allowed then."""
    try:
        paths = json.loads(file.read_text(encoding="utf-8"))["paths"]
        return [path for path in paths if isinstance(path, str) and path.startswith("/")]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _real(path: str | Path) -> str:
    return os.path.realpath(path)
