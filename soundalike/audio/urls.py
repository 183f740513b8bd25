"""URLs of recordings on other machines, as text; nothing is fetched here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from soundalike.errors import ParameterError

#: Only at the start: a path may contain ``://``.
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
#: Schemes of files of this machine.
_LOCAL = ("file", "local")
_WEB = ("http", "https")
#: Schemes in whose URLs a user's name is a part of a credential.
_WITHOUT_USER = (*_WEB, "s3", "s3a", "gs", "gcs")
#: Longest file name of a copy; most file systems allow 255 bytes.
_NAME_LENGTH = 200


def is_remote(uri: str) -> bool:
    """Return whether a name is a URL of another machine, as opposed to a path or a ``file:`` URL.

    Examples
    --------
    >>> is_remote("s3://bucket/a.wav"), is_remote("/srv/a.wav"), is_remote("file:///srv/a.wav")
    (True, False, False)
    """
    return (match := _URL.match(uri)) is not None and match[1].lower() not in _LOCAL


def separated(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the URLs of other machines, and the paths."""
    urls: list[str] = []
    paths: list[str] = []
    for name in names:
        (urls if is_remote(name) else paths).append(name)
    return urls, paths


def scheme_of(url: str) -> str:
    """Return the scheme of a URL in small letters."""
    return url.partition("://")[0].lower()


def is_web(url: str) -> bool:
    """Return whether a URL is one of HTTP."""
    return scheme_of(url) in _WEB


def checked_url(url: str) -> str:
    """Return a URL as it is stored.

    Raises
    ------
    ParameterError
        The URL contains a credential or a query, or names another URL.
    """
    match = _URL.match(url)
    assert match is not None
    scheme, rest = match[1].lower(), match[2]
    host, slash, path = rest.partition("/")
    user, at, name = host.rpartition("@")
    if at and (":" in user or "%3a" in user.lower() or scheme in _WITHOUT_USER):
        raise ParameterError(
            f"the URL {scheme}://...@{name}{slash}{path.partition('?')[0]} contains a credential, which "
            "would be stored; leave it out, and give it to the driver in its own settings"
        )
    if "::" in url or not rest.strip("/"):
        raise ParameterError(f"{url.partition('?')[0]!r} is not the URL of a folder or file; check it")
    if scheme not in _WEB:
        return f"{scheme}://{rest}"
    if "?" in rest or "#" in rest:
        # Signed URLs have their signature there.
        raise ParameterError(
            f"the URL {scheme}://{re.split('[?#]', rest)[0]} has a query, which may hold a credential "
            "that would be stored; leave it out"
        )
    quoted = quote(path, safe="/%:@!$&'()*+,;=~-._")
    if {".", ".."} & set(unquote(quoted).split("/")):
        raise ParameterError(f"{url!r} contains '.' or '..'; give the URL that it leads to")
    return f"{scheme}://{name.lower()}{slash}{quoted}"


def folder_of(url: str) -> str:
    """Return what the URLs below a folder begin with."""
    return url.rstrip("/") + "/"


def file_name(url: str) -> str:
    """Return the name of a remote file, as a name that any file system takes.

    Examples
    --------
    >>> file_name("https://host/night/a%20b.wav"), file_name("s3://bucket/100%25.wav")
    ('a b.wav', '100%25.wav')
    """
    name = _shown(url).name.replace("\0", "")
    # From the end, which has the suffix.
    encoded = name.encode(errors="replace")[-_NAME_LENGTH:]
    return encoded.decode(errors="ignore").replace("/", "_") or "recording"


def label_of(url: str) -> str | None:
    """Return the name of the folder of a remote file.

    Examples
    --------
    >>> label_of("s3://bucket/rain/a.wav"), label_of("s3://bucket/a.wav")
    ('rain', 'bucket')
    """
    return _shown(url).parent.name or None


def suffix_of(url: str) -> str:
    """Return the suffix of a remote file in small letters."""
    return _shown(url).suffix.lower()


def _shown(url: str) -> PurePosixPath:
    rest = url.partition("://")[2]
    if not is_web(url):
        return PurePosixPath(rest)
    return PurePosixPath(*(unquote(part).replace("/", "_") for part in rest.split("/")))
