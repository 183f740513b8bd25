"""What a recording is read from: a path or uploaded bytes, and the id that follows from its content."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from soundalike.errors import AudioNotFound, EmptyAudio
from soundalike.types import FileStat

#: A path on this machine, or the bytes of an upload.
AudioSource = Path | bytes

_READ_BYTES = 1 << 20
#: The coarsest clock of a file system that is in use: FAT counts in two seconds.
_CLOCK_NS = 2_000_000_000
#: A path may hold ``://`` further behind.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """What the file system says of a file, before it is opened.

    Attributes
    ----------
    path : Path
        Absolute, of a regular file.
    stat : FileStat
        Its size and time of last change.
    at_ns : int
        When it was looked at, in nanoseconds since 1970.
    """

    path: Path
    stat: FileStat
    at_ns: int

    def trusted_stat(self) -> FileStat | None:
        """Return the size and time by which the content that was just read is known again.

        None where they are no proof: the file has changed since it was looked at, or so shortly
        before that another change may leave the same time on it.
        """
        if self.at_ns - self.stat.mtime_ns <= _CLOCK_NS:
            return None
        try:
            status = self.path.stat()
        except OSError:
            return None
        return self.stat if self.stat == (status.st_size, status.st_mtime_ns) else None


def resolve_path(uri: str | Path) -> Path:
    """Return the absolute path of a regular file that is named by a path or ``file:`` URL.

    Parameters
    ----------
    uri : str or Path
        A path, relative ones to the working directory, or a ``file://`` URL.

    Raises
    ------
    AudioNotFound
        Nothing is there, it is not a regular file, or `uri` is a URL of another scheme: Soundalike
        fetches nothing from the network.
    EmptyAudio
        The file has no bytes.
    """
    return snapshot(uri).path


def snapshot(uri: str | Path) -> FileSnapshot:
    """Return the path, size and time of a regular file; takes and raises what `resolve_path` does."""
    text = str(uri)
    at_ns = time.time_ns()
    try:
        path = local_path(text).absolute()
        status = path.stat()
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a valid path"
        raise AudioNotFound(f"{text!r}: {reason}; check the path and its permissions") from exc
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise AudioNotFound(f"{text!r} is {kind}; give the path of an audio file")
    if status.st_size == 0:
        raise EmptyAudio(f"{text!r} has 0 bytes; record or export it again")
    return FileSnapshot(path, FileStat(status.st_size, status.st_mtime_ns), at_ns)


def local_path(uri: str) -> Path:
    """Return the path that a text names, a path or ``file:`` URL; nothing needs to be there.

    Raises
    ------
    AudioNotFound
        It is a URL of another scheme.
    """
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return Path(uri)
    if scheme[1].lower() != "file":
        raise AudioNotFound(
            f"{uri!r} is a {scheme[1].lower()} URL; download it first and give the path of the file"
        )
    return Path(_path_of_url(uri))


def path_of(uri: str) -> Path:
    """Return the path that a stored text names; see `uri_of`."""
    return Path(_path_of_url(uri) if uri.startswith("file://") else uri)


def _path_of_url(url: str) -> str:
    return os.fsdecode(unquote_to_bytes(urlsplit(url).path))


def uri_of(path: Path) -> str:
    """Return the text under which a file is stored: its path, or a ``file:`` URL.

    A URL only where the name holds bytes that are no UTF-8, which a database cannot store as text.
    `resolve_path` takes both.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return str(path)


def folder_label(path: Path) -> str | None:
    """Return the name of the folder that holds a file; bytes that are no UTF-8 are replaced."""
    return os.fsencode(path.parent.name).decode(errors="replace") or None


def stored_names(key: str) -> list[str]:
    """Return the texts under which a path, or what lies in a folder, may be stored.

    Parameters
    ----------
    key : str
        A path or ``file:`` URL; nothing needs to be there.
    """
    path = Path(_path_of_url(key) if key.lower().startswith("file://") else key).absolute()
    return [str(path), path.as_uri()]


def recording_id_of(source: AudioSource) -> str:
    """Return the id of a recording: a UUID made of the first 128 bits of the content's SHA-256.

    The same bytes have the same id wherever they lie, so that indexing them again changes nothing.

    Parameters
    ----------
    source : Path or bytes
        A file that `resolve_path` has approved, or an upload.

    Raises
    ------
    AudioNotFound
        The file cannot be read.
    """
    digest = hashlib.sha256()
    if isinstance(source, bytes):
        digest.update(source)
    else:
        try:
            with source.open("rb") as file:
                while block := file.read(_READ_BYTES):
                    digest.update(block)
        except OSError as exc:
            raise AudioNotFound(f"{str(source)!r}: {exc.strerror}; check its permissions") from exc
    return str(uuid.UUID(bytes=digest.digest()[:16]))
