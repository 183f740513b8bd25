"""Sources of recordings (paths and uploaded bytes), and recording ids."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from soundalike.audio.urls import checked_url, is_remote
from soundalike.errors import AudioNotFound, EmptyAudio, ParameterError
from soundalike.types import FileStat

#: A path on this machine, or the bytes of an upload.
AudioSource = Path | bytes


#: The coarsest time stamp of common file systems: FAT counts in two seconds.
_CLOCK_NS = 2_000_000_000
#: Only at the start: a path may contain ``://``.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """Path, size and modification time of a file before it is opened.

    Attributes
    ----------
    path : Path
        Absolute path of a regular file.
    stat : FileStat
        Size and modification time.
    at_ns : int
        Time of the snapshot in nanoseconds since 1970.
    """

    path: Path
    stat: FileStat
    at_ns: int

    @property
    def uri(self) -> str:
        """The URI to store."""
        return uri_of(self.path)

    @property
    def label(self) -> str | None:
        """Name of the file's folder."""
        return folder_label(self.path)

    def discard(self) -> None:
        """Do nothing: the file is the user's own."""

    def trusted_stat(self) -> FileStat | None:
        """Return the size and time that identify the content just read.

        None if they do not: the file has changed since the snapshot, or so shortly before it that
        another change could have the same time stamp.
        """
        if self.at_ns - self.stat.mtime_ns <= _CLOCK_NS:
            return None
        try:
            status = self.path.stat()
        except OSError:
            return None
        return self.stat if self.stat == (status.st_size, status.st_mtime_ns) else None


def resolve_path(uri: str | Path) -> Path:
    """Return the absolute path of a regular file.

    Parameters
    ----------
    uri : str or Path
        A path, absolute or relative to the working directory, or a ``file://`` URL.

    Raises
    ------
    AudioNotFound
        The file does not exist, is not a regular file, or `uri` is a URL of another scheme:
        Soundalike downloads nothing.
    EmptyAudio
        The file is empty.
    """
    return snapshot(uri).path


def snapshot(uri: str | Path) -> FileSnapshot:
    """Return the path, size and time of a regular file; raises the errors of `resolve_path`."""
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


def shown_source(source: AudioSource) -> str:
    """Return the name of a source in messages."""
    return f"the upload of {len(source)} bytes" if isinstance(source, bytes) else repr(str(source))


def local_path(uri: str) -> Path:
    """Return the path of a path or ``file:`` URL; the file need not exist.

    Raises
    ------
    AudioNotFound
        The text is a URL of another scheme.
    """
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return Path(uri)
    if scheme[1].lower() != "file":
        raise AudioNotFound(
            f"{uri!r} is a {scheme[1].lower()} URL; download it first and give the path of the file"
        )
    return Path(_path_of_url(uri))


def plain_path(name: str) -> str:
    """Return the path of a ``file:`` URL; other names stay.

    Examples
    --------
    >>> plain_path("file:///srv/a%20b.wav"), plain_path("s3://bucket/a%20b.wav")
    ('/srv/a b.wav', 's3://bucket/a%20b.wav')
    """
    return _path_of_url(name) if name.lower().startswith("file://") else name


def path_of(uri: str) -> Path:
    """Return the path of a stored URI; see `uri_of`."""
    return Path(_path_of_url(uri) if uri.startswith("file://") else uri)


def _path_of_url(url: str) -> str:
    return os.fsdecode(unquote_to_bytes(urlsplit(url).path))


def uri_of(path: Path) -> str:
    """Return the URI to store for a file: its path, or a ``file:`` URL.

    A URL is needed if the path is not valid UTF-8, which a database cannot store as text. `resolve_path`
    accepts both.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return str(path)


def folder_label(path: Path) -> str | None:
    """Return the name of a file's folder; invalid UTF-8 is replaced."""
    return os.fsencode(path.parent.name).decode(errors="replace") or None


def stored_names(key: str) -> list[str]:
    """Return the possible stored URIs of a path (or prefixes, for a folder).

    Parameters
    ----------
    key : str
        A path or URL; the file need not exist.
    """
    if is_remote(key):
        # Names of vectors may be any URLs.
        with suppress(ParameterError):
            return list(dict.fromkeys((checked_url(key).rstrip("/"), key)))
        return [key]
    path = Path(_path_of_url(key) if key.lower().startswith("file://") else key).absolute()
    return [str(path), path.as_uri()]


def recording_id_of(source: AudioSource) -> str:
    """Return the id of a recording: the first 128 bits of the content's SHA-256 as a UUID.

    Equal content has the same id under any path, so indexing it again changes nothing.

    Parameters
    ----------
    source : Path or bytes
        A file that `resolve_path` has approved, or an upload.

    Raises
    ------
    AudioNotFound
        The file cannot be read.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
    except OSError as exc:
        raise AudioNotFound(f"{str(source)!r}: {exc.strerror}; check its permissions") from exc
    return str(uuid.UUID(bytes=digest[:16]))
