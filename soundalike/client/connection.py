"""Requests to a service, and what their failures mean."""

from __future__ import annotations

from collections.abc import Mapping
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
#: To connect, and to wait for an answer: a timeline of a large collection takes its time.
_TIMEOUT_S = (10.0, 600.0)
_CHECK = "check the address"


class Connection:
    """A service and the key to it. No redirect is followed, so that the key goes nowhere else.

    Parameters
    ----------
    url : str
        Its address; a path is put in front of those of the requests.
    api_key : str or None

    Raises
    ------
    ParameterError
        `url` is no address of a service.
    ConfigError
        `api_key` cannot be sent in a header.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._base = _checked(url)
        self.shown = shown_url(self._base)
        self._session = requests.Session()
        # Proxies lead to other machines.
        self._session.trust_env = urlsplit(self._base).hostname not in _LOOPBACK
        if api_key:
            if not (api_key.isascii() and api_key.isprintable() and api_key == api_key.strip()):
                raise ConfigError(
                    "SOUNDALIKE_API_KEY holds characters that a header cannot; set the service's key"
                )
            self._session.headers[_KEY_HEADER] = api_key

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Return the answer to a GET; raises what `call` does."""
        return self.call("GET", path, params=parameters)

    def delete(self, path: str, **parameters: str) -> dict[str, Any]:
        """Return the answer to a DELETE; raises what `call` does."""
        return self.call("DELETE", path, params=parameters)

    def post(self, path: str, body: Mapping[str, Any] | Form) -> dict[str, Any]:
        """Return the answer to JSON or to a form; raises what `call` does."""
        if isinstance(body, Form):
            return self.call("POST", path, data=body, headers={"Content-Type": body.content_type})
        return self.call("POST", path, json=body)

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request, return the JSON object of its answer.

        Raises
        ------
        ServiceError
            Nothing answers there, or something else does.
        SoundalikeError
            What the service says, by its code.
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
            raise self.stranger()
        return found

    def stranger(self) -> ServiceError:
        """Return the error of an answer that no Soundalike of this version gives."""
        return ServiceError(
            f"what answers at {self.shown} is no Soundalike service, or one of another version; {_CHECK}"
        )

    def _failure(self, answer: requests.Response) -> SoundalikeError:
        """Return the error that an answer stands for."""
        if answer.is_redirect:
            elsewhere = shown_url(answer.headers["Location"])
            return ServiceError(
                f"{self.shown} leads to {_printable(elsewhere)}; give the service's own address"
            )
        problem = _json_object(answer) or {}
        kind = class_of(str(problem.get("code")))
        if kind is Unauthorized:
            has_key = _KEY_HEADER in self._session.headers
            state = "holds another" if has_key else "is not set"
            return Unauthorized(
                f"{self.shown} asks for its API key, and SOUNDALIKE_API_KEY {state}; set it to the "
                "service's key"
            )
        if kind is not None:
            return kind(_printable(str(problem.get("detail", ""))))
        return ServiceError(
            f"{self.shown} answers {answer.status_code} {_printable(answer.reason or '')}, not as "
            f"Soundalike does; {_CHECK}"
        )


def _checked(url: str) -> str:
    """Return an address without what requests do not need."""
    try:
        parts = urlsplit(url.strip())
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        # What stands before an @ may be a password.
        shown = repr(url) if "@" not in url else "of another form"
        raise ParameterError(f"the server is {shown}; give an address like http://127.0.0.1:45678")
    return parts._replace(query="", fragment="", path=parts.path.rstrip("/")).geturl()


def _json_object(answer: requests.Response) -> dict[str, Any] | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _reason(exc: BaseException) -> str:
    """Return what the system said, without the layers around it."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return str(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return type(exc).__name__


def _printable(text: str) -> str:
    """Return a sentence of somebody else on one line, without what would steer a terminal."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
