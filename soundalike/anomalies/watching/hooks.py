"""Hooks that are told anomalous recordings: a command, a web address, the system's log.

Each event is told at least once: after a crash it may be told again, with the same ``event_id``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import logging.handlers
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests

from soundalike.errors import ParameterError, ServiceError

_COMMAND_TIMEOUT_S = 60.0
_WEBHOOK_TIMEOUT_S = (5.0, 15.0)
#: Pauses between attempts to reach a web address.
_PAUSES_S = (1.0, 4.0, 15.0)
_SYSLOG_SOCKETS = ("/dev/log", "/var/run/syslog")


class Hook(Protocol):
    """Is told anomalous recordings."""

    #: Name of the hook in messages and metrics.
    name: str

    def tell(self, message: Mapping[str, Any]) -> None:
        """Tell an event.

        Raises
        ------
        ServiceError
            It could not be told; it is told again later.
        """
        ...


class CommandHook:
    """Runs a program, without a shell; the event is JSON on its standard input.

    Parameters
    ----------
    words : sequence of str
        Program and arguments.
    """

    name = "command"

    def __init__(self, words: Sequence[str]) -> None:
        if not words or not words[0]:
            raise ParameterError("the command of the hook is empty; give a program and its arguments")
        self._words = list(words)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Run the program; any exit status but 0 is a failure."""
        try:
            done = subprocess.run(  # noqa: S603 - the user's own program, without a shell
                self._words,
                input=_text(message).encode(),
                stdout=subprocess.DEVNULL,
                timeout=_COMMAND_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise ServiceError(f"the command {self._words[0]!r} failed: {exc}") from exc
        if done.returncode != 0:
            raise ServiceError(f"the command {self._words[0]!r} ended with {done.returncode}")


class WebhookHook:
    """Posts events as JSON to a web address, signed.

    The header ``X-Soundalike-Signature`` is ``t=TIME,v1=DIGEST``: the HMAC-SHA-256 of ``TIME.BODY`` with
    the secret. Redirects are not followed.

    Parameters
    ----------
    url : str
    hosts : sequence of str
        Hosts that may be told; a host of another port is written as ``host:port``.
    secret : str or None
        Without it, nothing is signed.
    pause : callable
        Waits for seconds.

    Raises
    ------
    ParameterError
        The address is not one of the allowed hosts'.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        hosts: Sequence[str],
        secret: str | None,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, self._secret, self._pause = _allowed(url, hosts), secret, pause
        self._session = requests.Session()
        # No password of ~/.netrc, and no proxy that the allow-list does not know.
        self._session.trust_env = False

    def tell(self, message: Mapping[str, Any]) -> None:
        """Post an event; try again after a network error or a status of 429 or from 500."""
        body = _text(message).encode()
        reason = ""
        for pause_s in (*_PAUSES_S, None):
            headers = {"Content-Type": "application/json", "X-Soundalike-Event": message["event_id"]}
            if self._secret:
                headers["X-Soundalike-Signature"] = signature(self._secret, body, int(time.time()))
            try:
                answer = self._session.post(
                    self._url,
                    data=body,
                    headers=headers,
                    timeout=_WEBHOOK_TIMEOUT_S,
                    allow_redirects=False,
                )
            except requests.RequestException as exc:
                reason = type(exc).__name__
            else:
                if answer.status_code < 300:
                    return
                reason = f"status {answer.status_code}"
                if answer.status_code < 500 and answer.status_code != 429:
                    break
            if pause_s is not None:
                self._pause(pause_s)
        raise ServiceError(f"the webhook {urlsplit(self._url).hostname!r} failed: {reason}")


class SyslogHook:
    """Writes events to the system's log, with the priority ``warning``.

    Parameters
    ----------
    address : str
        Empty for the socket of this machine, else ``HOST`` or ``HOST:PORT``, by UDP.
    """

    name = "syslog"

    def __init__(self, address: str = "") -> None:
        self._address = _syslog_address(address)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Write an event."""
        try:
            handler = logging.handlers.SysLogHandler(self._address)
            handler.ident = "soundalike: "
            text = _text(message)
            record = logging.LogRecord("soundalike", logging.WARNING, "", 0, text, None, None)
            try:
                handler.handleError = _raise  # type: ignore[method-assign]
                handler.emit(record)
            finally:
                handler.close()
        except OSError as exc:
            raise ServiceError(f"the system's log {self._address!r} cannot be reached: {exc}") from exc


def signature(secret: str, body: bytes, at: int) -> str:
    """Return the value of the header that signs a message.

    Examples
    --------
    >>> signature("key", b"{}", 0)[:14]
    't=0,v1=7314351'
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _allowed(url: str, hosts: Sequence[str]) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ParameterError(
            f"the webhook is not a valid address ({exc}); give one like https://host/path"
        ) from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ParameterError("the webhook is not a valid address; give one like https://host/path")
    shown = parts.hostname if port is None else f"{parts.hostname}:{port}"
    if shown not in {host.lower() for host in hosts}:
        raise ParameterError(
            f"the webhook's host {shown!r} is not allowed; add --webhook-host {shown}, or name it in "
            "SOUNDALIKE_WEBHOOK_HOSTS"
        )
    return url


def _syslog_address(address: str) -> str | tuple[str, int]:
    if not address:
        found = next((path for path in _SYSLOG_SOCKETS if Path(path).exists()), None)
        if found is None:
            raise ParameterError("this machine has no log socket; give --syslog HOST or HOST:PORT")
        return found
    host, _, port = address.partition(":")
    if port and not port.isdigit():
        raise ParameterError(f"syslog is {address!r}; give HOST or HOST:PORT")
    return host, int(port or logging.handlers.SYSLOG_UDP_PORT)


def _raise(record: logging.LogRecord) -> None:
    """Let the error of a handler through, instead of printing it."""
    del record
    raise


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(dict(message), ensure_ascii=False, allow_nan=False)
