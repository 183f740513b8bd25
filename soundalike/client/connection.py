"""HTTP requests to a service, and their errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests

from soundalike.client.form import Form
from soundalike.encoders.weights import shown_url
from soundalike.errors import (
    ConfigError,
    ParameterError,
    ServiceError,
    SoundalikeError,
    Unauthorized,
    class_of,
)

_KEY_HEADER = "X-API-Key"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: Timeouts of the connection and the answer; a timeline of a large collection may take minutes.
_TIMEOUT_S = (10.0, 600.0)
_CHECK = "check the address"


class Connection:
    """Connection to a service. Redirects are not followed, so that the API key stays with the service.

    Parameters
    ----------
    url : str
        Address of the service; its path is a prefix of the requests' paths.
    api_key : str or None

    Raises
    ------
    ParameterError
        `url` is not the address of a service.
    ConfigError
        `api_key` cannot be sent in a header.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._base = _checked(url)
        self.shown = shown_url(self._base)
        self._session = requests.Session()
        # A proxy cannot reach this machine's loopback address.
        self._session.trust_env = urlsplit(self._base).hostname not in _LOOPBACK
        if api_key:
            if not (api_key.isascii() and api_key.isprintable() and api_key == api_key.strip()):
                raise ConfigError(
                    "SOUNDALIKE_API_KEY contains characters that a header cannot; set the service's key"
                )
            self._session.headers[_KEY_HEADER] = api_key

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Send a GET request; see `call`."""
        return self.call("GET", path, params=parameters)

    def delete(self, path: str, **parameters: str) -> dict[str, Any]:
        """Send a DELETE request; see `call`."""
        return self.call("DELETE", path, params=parameters)

    def post(self, path: str, body: Mapping[str, Any] | Form) -> dict[str, Any]:
        """Send JSON or a form; see `call`."""
        if isinstance(body, Form):
            return self.call("POST", path, data=body, headers={"Content-Type": body.content_type})
        return self.call("POST", path, json=body)

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request, and return the JSON object of its answer.

        Raises
        ------
        ServiceError
            The service cannot be reached, or another program answers.
        SoundalikeError
            The error of the service, by its code.
        """
        try:
            answer = self._session.request(
                method, self._base + path, timeout=_TIMEOUT_S, allow_redirects=False, **options
            )
        except requests.exceptions.InvalidJSONError as exc:
            raise ParameterError("a number is NaN or infinite; give another") from exc
        except requests.Timeout as exc:
            raise ServiceError(f"{self.shown} does not answer; see {self.shown}/health") from exc
        except requests.RequestException as exc:
            raise ServiceError(
                f"nothing answers at {self.shown} ({_reason(exc)}); start the service there with "
                f"soundalike serve, or {_CHECK}"
            ) from exc
        if not answer.ok or answer.is_redirect:
            raise self._failure(answer)
        found = _json_object(answer)
        if found is None:
            raise self.unknown_service()
        return found

    @contextmanager
    def expected_form(self) -> Iterator[None]:
        """Convert errors of an unexpected answer."""
        try:
            yield
        except SoundalikeError:
            raise
        except (KeyError, TypeError, ValueError) as exc:
            raise self.unknown_service() from exc

    def unknown_service(self) -> ServiceError:
        """Return the error for an answer that this version of Soundalike does not give."""
        return ServiceError(
            f"{self.shown} is not a Soundalike service, or has another version; {_CHECK}"
        )

    def _failure(self, answer: requests.Response) -> SoundalikeError:
        """Return the error of an answer."""
        if answer.is_redirect:
            elsewhere = shown_url(answer.headers["Location"])
            return ServiceError(
                f"{self.shown} redirects to {_printable(elsewhere)}; give the service's own address"
            )
        problem = _json_object(answer) or {}
        kind = class_of(str(problem.get("code")))
        if kind is Unauthorized:
            has_key = _KEY_HEADER in self._session.headers
            state = "is wrong" if has_key else "is not set"
            return Unauthorized(
                f"{self.shown} requires its API key, and SOUNDALIKE_API_KEY {state}; set it to the "
                "service's key"
            )
        if kind is not None:
            return kind(_printable(str(problem.get("detail", ""))))
        return ServiceError(
            f"{self.shown} answers {answer.status_code} {_printable(answer.reason or '')}, unlike a "
            f"Soundalike service; {_CHECK}"
        )


def _checked(url: str) -> str:
    """Return a checked address without query and fragment."""
    try:
        parts = urlsplit(url.strip())
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        # The part before an @ may be a password.
        shown = f"{url!r}" if "@" not in url else "invalid"
        raise ParameterError(f"the server is {shown}; give an address like http://127.0.0.1:45678")
    return parts._replace(query="", fragment="", path=parts.path.rstrip("/")).geturl()


def _json_object(answer: requests.Response) -> dict[str, Any] | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _reason(exc: BaseException) -> str:
    """Return the message of the system behind an exception."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return str(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return type(exc).__name__


def _printable(text: str) -> str:
    """Return untrusted text on one line without control characters."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def missing_in(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the databases that are missing from an answer; earlier services do not name them."""
    return tuple(found.get("missing_shards", ()))
