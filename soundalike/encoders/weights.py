"""Download and verify the published VGGish weights."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit

from soundalike.errors import DownloadFailed, WeightsCorrupt

#: The command that downloads the weights.
GET_WEIGHTS = "soundalike models download"
_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 30.0
_MARKER = "verified.json"
_ABSENT = (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE)

#: Called with the number of bytes received and the size of the file, None if unknown.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A published file.

    Attributes
    ----------
    name : str
        Name in the weights folder.
    url : str
        Address of the publisher.
    md5 : str
        Published checksum, hexadecimal.
    """

    name: str
    url: str
    md5: str


CHECKPOINT = WeightsFile(
    "vggish_model.ckpt",
    "https://storage.googleapis.com/audioset/vggish_model.ckpt",
    "d1c7011e6366aa34176bb05c705e31a8",
)
PCA_PARAMS = WeightsFile(
    "vggish_pca_params.npz",
    "https://storage.googleapis.com/audioset/vggish_pca_params.npz",
    "c80cae691033abe7c7ecd11ea39fc834",
)
PUBLISHED = (CHECKPOINT, PCA_PARAMS)


def verified_path(file: WeightsFile, folder: Path) -> Path | None:
    """Return the path of a published file, or None if it is missing.

    The checksum is computed once; later calls compare size and modification time.

    Raises
    ------
    WeightsCorrupt
        The file is not the published one.
    """
    path = folder / file.name
    if not path.is_file():
        return None
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns, file.md5]
    marker = folder / _MARKER
    known = _read_marker(marker)
    if known.get(file.name) == stamp:
        return path
    found = file_md5(path)
    if found != file.md5:
        raise WeightsCorrupt(
            f"{path} has MD5 {found}, the published file has {file.md5}; "
            "delete it and run: soundalike models download"
        )
    try:
        marker.write_text(json.dumps({**known, file.name: stamp}))
    except OSError:
        # A read-only volume: the next call computes the checksum again.
        return path
    return path


def _read_marker(marker: Path) -> dict[str, object]:
    try:
        content = json.loads(marker.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def file_md5(path: Path) -> str:
    """Return a file's MD5 in hexadecimal; the publisher uses this checksum."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def download(
    file: WeightsFile,
    folder: Path,
    *,
    source: str | Path | None = None,
    on_progress: Progress | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> Path:
    """Download a published file, verify it, and only then give it its name.

    An interrupted download is resumed.

    Parameters
    ----------
    file : WeightsFile
        The file to download.
    folder : Path
        Target folder; created if missing.
    source : str or Path, optional
        Another address (http, https) or a local file. The published checksum applies.
    on_progress : callable, optional
        Called with the number of bytes received and the size of the file, None if unknown.
    timeout_s : float
        Timeout of the server in seconds.

    Returns
    -------
    path : Path
        The verified file.

    Raises
    ------
    DownloadFailed
        The server cannot be reached, returns an error, or closes the connection (received bytes are
        kept); or the local file cannot be read.
    WeightsCorrupt
        The received file is not the published one; it is deleted.
    """
    if isinstance(source, Path):
        return _copied(file, folder, source, on_progress)
    url = source or file.url
    partial = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(partial):
            return _downloaded(file, url, partial, on_progress, timeout_s)
    except (urllib.error.URLError, http.client.HTTPException, OSError, UnicodeError) as exc:
        reason = getattr(exc, "reason", None) or exc
        here = partial.stat().st_size if partial.exists() else 0
        raise DownloadFailed(
            f"{shown_url(url)}: {reason} ({here} bytes received); try again, or download it on another "
            f"machine and copy it to {folder} with: soundalike models download --from FILE"
        ) from exc


@contextlib.contextmanager
def _alone(partial: Path) -> Iterator[None]:
    """Prevent two downloads from writing the same file."""
    # A late import: images that only load weights do not have it.
    import fasteners

    path = partial.with_suffix(".lock")
    lock = fasteners.InterProcessLock(path)
    if not lock.acquire(blocking=False):
        raise DownloadFailed(
            f"another process is downloading to {partial.parent}; wait until it is done, then see: "
            "soundalike models status"
        )
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def _downloaded(
    file: WeightsFile, url: str, partial: Path, on_progress: Progress | None, timeout_s: float
) -> Path:
    resumed = _fetch(url, partial, on_progress, timeout_s)
    found = file_md5(partial)
    if resumed and found != file.md5:
        # The earlier part may belong to another file: download everything again.
        partial.unlink()
        _fetch(url, partial, on_progress, timeout_s)
        found = file_md5(partial)
    if found != file.md5:
        partial.unlink()
        raise WeightsCorrupt(
            f"{shown_url(url)} returned a file with MD5 {found}, expected {file.md5}; it was deleted: "
            "check for a proxy that answers instead of the server"
        )
    return partial.replace(partial.parent / file.name)


def lacks_file(error: DownloadFailed) -> bool:
    """Return whether a download failed because the source lacks the file (404, or no such file)."""
    cause = error.__cause__
    absent = isinstance(cause, urllib.error.HTTPError) and cause.code in _ABSENT
    return absent or isinstance(cause, FileNotFoundError)


def shown_url(url: str) -> str:
    """Return an address without user, password and query, which may hold secrets.

    Examples
    --------
    >>> shown_url("https://ann:secret@mirror.example:8080/vggish/model?signature=0123")
    'https://mirror.example:8080/vggish/model'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _copied(file: WeightsFile, folder: Path, source: Path, on_progress: Progress | None) -> Path:
    # Not the name of an interrupted download: a wrong source must not overwrite that one.
    partial = folder / f"{file.name}.copy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _copy(source, partial, on_progress)
        found = file_md5(partial)
        if found == file.md5:
            os.replace(partial, folder / file.name)
    except OSError as exc:
        raise DownloadFailed(
            f"{source} cannot be copied to {folder}: {exc.strerror or exc}; check both, and try again"
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    if found != file.md5:
        raise WeightsCorrupt(
            f"{source} has MD5 {found}, the published file has {file.md5}; nothing was copied: "
            f"download it again from {file.url}"
        )
    return folder / file.name


def _copy(source: Path, target: Path, on_progress: Progress | None) -> None:
    if source.exists() and not source.is_file():
        # Reading a pipe, for example, would block.
        raise OSError(f"{source.name} is not a regular file")
    with source.open("rb") as whole, target.open("wb") as out:
        total = os.fstat(whole.fileno()).st_size
        here = 0
        while block := whole.read(_BLOCK_BYTES):
            here += out.write(block)
            if on_progress is not None:
                on_progress(here, total)


def _request(url: str) -> urllib.request.Request:
    """Return a request for an address, with user and password in a header."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))  # noqa: S310 - http(s)
    if user:
        # Not sent to the target of a redirect.
        token = base64.b64encode(unquote_to_bytes(user)).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _fetch(url: str, partial: Path, on_progress: Progress | None, timeout_s: float) -> bool:
    """Download the missing part of a file; return whether an earlier part was reused."""
    here = partial.stat().st_size if partial.exists() else 0
    request = _request(url)
    if here:
        request.add_header("Range", f"bytes={here}-")
    try:
        answer = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310 - as above
    except urllib.error.HTTPError as exc:
        if exc.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and here:
            # The file is complete, or has another length: the checksum decides.
            return True
        raise
    with answer:
        resumed: bool = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        here = here if resumed else 0
        length = answer.headers.get("Content-Length")
        total = here + int(length) if length and length.isdigit() else None
        with partial.open("ab" if resumed else "wb") as out:
            while block := answer.read(_BLOCK_BYTES):
                out.write(block)
                here += len(block)
                if on_progress is not None:
                    on_progress(here, total)
    if total is not None and here < total:
        raise ConnectionError(f"the connection broke off at {here} of {total} bytes")
    return resumed
