"""Open the driver of a URL, and turn the errors of drivers into those of Soundalike."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from soundalike.audio.urls import is_web, scheme_of
from soundalike.errors import (
    AudioError,
    AudioNotFound,
    ConfigError,
    ParameterError,
    RemoteForbidden,
    RemoteUnreachable,
    SoundalikeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem

_INSTALL = "pip install 'soundalike[remote]'"
_CONNECT_S = 30
_READ_S = 60
_FORBIDDEN = (401, 403, 407)
_ABSENT = (404, 410)
_SHOWN = 200


def driver_of(url: str) -> AbstractFileSystem:
    """Return the driver of a URL.

    Raises
    ------
    ConfigError
        A package is missing.
    ParameterError
        No driver knows the scheme.
    AudioError
        The driver cannot connect.
    """
    try:
        import fsspec
    except ImportError as exc:
        raise ConfigError(f"fsspec is not installed; run: {_INSTALL}") from exc
    scheme = scheme_of(url)
    try:
        fsspec.get_filesystem_class(scheme)
    except ValueError as exc:
        raise ParameterError(
            f"{scheme}:// is not a scheme that fsspec knows; give a path, or a URL like s3://, gs://, "
            "https:// or sftp://"
        ) from exc
    except ImportError as exc:
        raise _missing(scheme, exc) from exc
    try:
        return _web_driver(scheme) if is_web(url) else fsspec.core.url_to_fs(url)[0]
    except ImportError as exc:
        raise _missing(scheme, exc) from exc
    except Exception as exc:
        raise remote_error(exc, url) from exc


def _missing(scheme: str, exc: ImportError) -> ConfigError:
    return ConfigError(
        f"{scheme}:// needs a package that is not installed: {_one_line(exc)}; install it with pip"
    )


@functools.cache
def _web_driver(scheme: str) -> AbstractFileSystem:
    import fsspec
    from aiohttp import ClientTimeout

    # No limit for the whole: a long recording takes its time. Passwords come from ~/.netrc.
    limits = ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
    return fsspec.filesystem(
        scheme,
        simple_links=False,
        client_kwargs={"timeout": limits, "trust_env": True},
        headers={"Accept-Encoding": "identity"},
    )


def remote_error(exc: Exception, url: str) -> SoundalikeError:
    """Return the error for an exception of a driver."""
    if isinstance(exc, SoundalikeError):
        return exc
    found = _kind_of(exc, url)
    cause = _deepest(exc)
    reason = f"{type(cause).__name__}: {_one_line(cause)}"
    if found is AudioNotFound:
        return AudioNotFound(f"nothing is at {url!r}; check the URL")
    if found is RemoteForbidden:
        return RemoteForbidden(
            f"{url!r} may not be read ({reason}); check the credentials in the driver's settings"
        )
    return RemoteUnreachable(f"{url!r} cannot be read ({reason}); check the host, and try again")


def _kind_of(exc: Exception, url: str) -> type[AudioError]:
    """Return the class of error; "not found" only if the other machine said so."""
    for one in _causes(exc):
        status = getattr(one, "status", None)
        if status in _ABSENT:
            return AudioNotFound
        if status in _FORBIDDEN or isinstance(one, PermissionError) or _is_about_credentials(one):
            return RemoteForbidden
    if not isinstance(exc, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return RemoteUnreachable
    # The HTTP driver turns every failure into this error, with the failure as its cause.
    return RemoteUnreachable if is_web(url) and exc.__cause__ is not None else AudioNotFound


def _is_about_credentials(exc: BaseException) -> bool:
    """Return whether boto or paramiko could not log in; their errors have no common class."""
    return "Credential" in type(exc).__name__ or "authentication" in str(exc).lower()


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def _deepest(exc: Exception) -> BaseException:
    return list(_causes(exc))[-1]


def _one_line(exc: BaseException | Any) -> str:
    """Return a message of a driver on one line, without the credentials that it may repeat."""
    text = " ".join(str(exc).split()) or type(exc).__name__
    return re.sub(r"\?\S*", "", re.sub(r"://[^/@\s]*@", "://", text))[:_SHOWN]
