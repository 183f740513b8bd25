"""Alternative sources of the published weights: a mirror, a folder, or one of the files."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit, urlunsplit

from soundalike.encoders.weights import WeightsFile, file_md5, shown_url
from soundalike.errors import DownloadFailed, ParameterError, WeightsCorrupt

#: Characters that an address may contain unescaped, including the escape character.
_SAFE = "/%:@!$&'()*+,;=~"

Sources = list[tuple[WeightsFile, str | Path]]


def sources_in(text: str, files: Sequence[WeightsFile]) -> Sources:
    """Return the sources of the published files.

    Parameters
    ----------
    text : str
        A folder, one of the files (under any name), or an address (http, https or file) of a folder
        with the files or of one of them.
    files : sequence of WeightsFile
        The published files.

    Returns
    -------
    sources : list of (WeightsFile, str or Path)
        Addresses as text, local files as paths. They may not exist.

    Raises
    ------
    ParameterError
        `text` is empty, an address of another scheme, or an address without a host.
    DownloadFailed
        `text` is a path that cannot be read.
    WeightsCorrupt
        `text` is the path of a file that is not one of the published ones.
    """
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in ("http", "https"):
        return _addresses(text, files)
    if scheme == "file":
        return _paths(_path_of_url(text), files)
    if scheme or not text:
        raise ParameterError(
            f"--from is {scheme + '://...' if scheme else text!r}; give a folder, a file, or an "
            "address that begins with http://, https:// or file://"
        )
    return _paths(Path(os.path.expanduser(text)), files)


def _addresses(text: str, files: Sequence[WeightsFile]) -> Sources:
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname)
    except ValueError:
        has_host = False
    if not has_host:
        raise ParameterError("--from is an address without a valid host; check the part after ://")
    escaped = parts._replace(
        path=quote(parts.path, safe=_SAFE), query=quote(parts.query, safe=_SAFE + "?"), fragment=""
    )
    last = posixpath.basename(unquote(parts.path))
    for file in files:
        if file.name == last:
            return [(file, urlunsplit(escaped))]
    base = escaped.path.rstrip("/")
    return [(file, urlunsplit(escaped._replace(path=f"{base}/{file.name}"))) for file in files]


def _path_of_url(text: str) -> Path:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise ParameterError(
            f"--from is {shown_url(text)!r}, a file on another machine; mount it and give its local path"
        )
    return Path(os.fsdecode(unquote_to_bytes(parts.path)))


def _paths(path: Path, files: Sequence[WeightsFile]) -> Sources:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return [(file, path / file.name) for file in files]
        if not stat.S_ISREG(mode):
            raise DownloadFailed(
                f"{path} is neither a folder nor a file; give one that contains the weights"
            )
        for file in files:
            if file.name == path.name:
                return [(file, path)]
        found = file_md5(path)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a valid path"
        raise DownloadFailed(
            f"{str(path)!r}: {reason}; give a readable folder or file, or an address that begins with "
            "http:// or https://"
        ) from exc
    for file in files:
        if file.md5 == found:
            return [(file, path)]
    raise WeightsCorrupt(
        f"{path} has MD5 {found}, which belongs to none of the published files "
        f"({', '.join(f'{file.name} has {file.md5}' for file in files)}); download it again"
    )
