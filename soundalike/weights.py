"""The published VGGish weights: what they are, whether they are here and whole, how they get here."""

from __future__ import annotations

import hashlib
import http
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soundalike.errors import DownloadFailed, WeightsCorrupt

_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 30.0
_MARKER = "verified.json"


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
    on_progress: Callable[[int, int | None], None] | None = None,
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
        The server cannot be reached, answers with an error, or breaks off; what is here is kept.
    WeightsCorrupt
        What arrived is not the published file; it is deleted.
    """
    path = folder / file.name
    partial = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(file, partial, on_progress, timeout_s)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as exc:
        reason = getattr(exc, "reason", None) or exc
        here = partial.stat().st_size if partial.exists() else 0
        raise DownloadFailed(
            f"{file.url}: {reason} ({here} bytes are here); try again, or fetch it elsewhere and put "
            f"it into {folder}"
        ) from exc
    found = file_md5(partial)
    if found != file.md5:
        partial.unlink()
        raise WeightsCorrupt(
            f"{file.url} delivered a file with MD5 {found}, expected {file.md5}; nothing was kept: "
            "check for a proxy that answers in the server's place"
        )
    os.replace(partial, path)
    return path


def _fetch(
    file: WeightsFile,
    partial: Path,
    on_progress: Callable[[int, int | None], None] | None,
    timeout_s: float,
) -> None:
    here = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(file.url)  # noqa: S310 - the addresses are constants above
    if here:
        request.add_header("Range", f"bytes={here}-")
    try:
        answer = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310 - as above
    except urllib.error.HTTPError as exc:
        if exc.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and here:
            # Complete already, or of another length: the checksum decides.
            return
        raise
    with answer:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
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
