"""The published VGGish weights: what they are, whether they are here and whole, how they get here."""

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

#: The command that fetches them. It is named here because this module imports next to nothing.
GET_WEIGHTS = "soundalike models download"
_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 30.0
_MARKER = "verified.json"
_ABSENT = (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE)

#: Called with the bytes that are here and the bytes of the whole file, None where unknown.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file that somebody else publishes.

    Attributes
    ----------
    name : str
        Its name in the weights folder.
    url : str
        Where it is published.
    md5 : str
        Its published checksum, hexadecimal.
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
    """Return where a published file lies, or None where it is not there.

    The checksum is computed once; afterwards size and modification time tell that it is the same.

    Raises
    ------
    WeightsCorrupt
        A file of that name is there, but it is not the published one.
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
        # A read-only volume: the checksum is computed again next time.
        return path
    return path


def _read_marker(marker: Path) -> dict[str, object]:
    try:
        content = json.loads(marker.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def file_md5(path: Path) -> str:
    """Return a file's MD5 in hexadecimal: the checksum that was published, not a safeguard."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def download(
    file: WeightsFile,
    folder: Path,
    *,
    source: str | Path | None = None,
    on_progress: Progress | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> Path:
    """Fetch a published file, verify it, and only then give it its name.

    A transfer that broke off goes on where it stopped.

    Parameters
    ----------
    file : WeightsFile
        What to fetch.
    folder : Path
        Where to; made if it is not there.
    source : str or Path, optional
        Address (http, https) or file to take it from; by default the address where it is published.
        The checksum stays the published one.
    on_progress : callable, optional
        Called with the bytes that are here and the bytes of the whole file, None where unknown.
    timeout_s : float
        How long the server may stay silent.

    Returns
    -------
    path : Path
        The verified file.

    Raises
    ------
    DownloadFailed
        The server cannot be reached, answers with an error, or breaks off (what is here is kept);
        or the source's file cannot be read.
    WeightsCorrupt
        What arrived is not the published file; it is deleted.
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
            f"{shown_url(url)}: {reason} ({here} bytes are here); try again, or fetch it on another "
            f"machine and put it into {folder}, with: soundalike models download --from FILE"
        ) from exc


@contextlib.contextmanager
def _alone(partial: Path) -> Iterator[None]:
    """Keep two downloads from writing into the same file."""
    # Where weights are only loaded, as in the encoder's image, it is not installed.
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
        # What was here already may be of another file: the source gets a chance of its own.
        partial.unlink()
        _fetch(url, partial, on_progress, timeout_s)
        found = file_md5(partial)
    if found != file.md5:
        partial.unlink()
        raise WeightsCorrupt(
            f"{shown_url(url)} delivered a file with MD5 {found}, expected {file.md5}; nothing was "
            "kept: check for a proxy that answers in the server's place"
        )
    return partial.replace(partial.parent / file.name)


def lacks_file(error: DownloadFailed) -> bool:
    """Tell whether a download failed because the source has no such file (404, or no file there)."""
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
    # Not the name of a transfer that broke off: a wrong source must not cost what is here of that.
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
            f"{source} has MD5 {found}, the published file has {file.md5}; nothing was copied: fetch "
            f"it again from {file.url}"
        )
    return folder / file.name


def _copy(source: Path, target: Path, on_progress: Progress | None) -> None:
    if source.exists() and not source.is_file():
        # A pipe, for one, would be waited for.
        raise OSError(f"{source.name} is no file")
    with source.open("rb") as whole, target.open("wb") as out:
        total = os.fstat(whole.fileno()).st_size
        here = 0
        while block := whole.read(_BLOCK_BYTES):
            here += out.write(block)
            if on_progress is not None:
                on_progress(here, total)


def _request(url: str) -> urllib.request.Request:
    """Return a request for an address; user and password go into a header, as a browser sends them."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))  # noqa: S310 - http(s)
    if user:
        # Not to whom the server redirects.
        token = base64.b64encode(unquote_to_bytes(user)).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _fetch(url: str, partial: Path, on_progress: Progress | None, timeout_s: float) -> bool:
    """Fetch what is missing of a file; tell whether bytes that were here before are part of it."""
    here = partial.stat().st_size if partial.exists() else 0
    request = _request(url)
    if here:
        request.add_header("Range", f"bytes={here}-")
    try:
        answer = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310 - as above
    except urllib.error.HTTPError as exc:
        if exc.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and here:
            # Complete already, or of another length: the checksum decides.
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
