"""Who may use the service: the settings that the launcher and the gateway look at."""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from soundalike.errors import ConfigError

#: Where programs send the key: a header of HTTP, and a key of gRPC's metadata.
KEY_HEADER = "x-api-key"
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use the service.

    Attributes
    ----------
    api_key : str or None
        What every request must carry (``SOUNDALIKE_API_KEY``). None: nothing.
    hosts : frozenset of str or None
        Names under which the service may be reached (``SOUNDALIKE_HOSTS``, separated by commas).
        None: any. On loopback, those of loopback by default: a page in a browser, whose makers let
        its name lead to this machine, does not get through.
    origins : tuple of str
        Web pages elsewhere that may use it (``SOUNDALIKE_CORS_ORIGINS``, separated by commas).
    """

    api_key: str | None = field(default=None, repr=False)
    hosts: frozenset[str] | None = None
    origins: tuple[str, ...] = ()

    @classmethod
    def from_env(
        cls, host: str, environ: Mapping[str, str] | None = None, *, any_origin: bool = False
    ) -> Access:
        """Read the settings from environment variables.

        Parameters
        ----------
        host : str
            The address that the service listens on.
        environ : mapping, optional
            Variables to read; ``os.environ`` by default.
        any_origin : bool
            Stands for ``SOUNDALIKE_CORS_ORIGINS=*`` where that is not set: Jina's ``cors: true``.

        Raises
        ------
        ConfigError
            Others than this machine could reach the service without a key, or a value cannot be used.
        """
        env = os.environ if environ is None else environ
        key = env.get("SOUNDALIKE_API_KEY") or None
        if key and not (key.isascii() and key.isprintable() and key == key.strip()):
            raise ConfigError(
                "SOUNDALIKE_API_KEY holds characters that a header cannot; make one with: "
                "openssl rand -hex 24"
            )
        is_local = is_loopback(host)
        if not (key or is_local or env.get("SOUNDALIKE_ALLOW_ANONYMOUS") == "1"):
            raise ConfigError(
                f"{host} can be reached from other machines, and no key is set; set SOUNDALIKE_API_KEY "
                "(openssl rand -hex 24), bind to 127.0.0.1, or let everybody in with "
                "SOUNDALIKE_ALLOW_ANONYMOUS=1"
            )
        named = _words(env.get("SOUNDALIKE_HOSTS"))
        origins = _words(env.get("SOUNDALIKE_CORS_ORIGINS"))
        local = frozenset((*_LOOPBACK_NAMES, host.strip("[]").lower())) if is_local else None
        return cls(
            api_key=key,
            hosts=frozenset(name.strip("[]").lower() for name in named) if named else local,
            origins=tuple(origin.rstrip("/") for origin in origins) or (("*",) if any_origin else ()),
        )

    def admits(self, key: str | bytes | None) -> bool:
        """Tell whether a key is the right one, in a time that does not depend on where it differs."""
        if self.api_key is None:
            return True
        given = key.encode(errors="replace") if isinstance(key, str) else key or b""
        return hmac.compare_digest(given, self.api_key.encode())


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address; of a name, unless it is localhost, no."""
    bare = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
