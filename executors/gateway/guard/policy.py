"""Access settings, which the launcher and the gateway read."""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from executors.gateway.guard.proxies import Proxies
from soundalike.errors import ConfigError

#: Where programs send the key: a header of HTTP, and a key of gRPC's metadata.
KEY_HEADER = "x-api-key"
#: The other place, ``authorization: Bearer KEY``.
BEARER_HEADER, _BEARER = "authorization", "bearer"
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """Access settings of the service.

    Attributes
    ----------
    api_key : str or None
        The key that every request must carry (``SOUNDALIKE_API_KEY``). None: no key is needed.
    hosts : frozenset of str or None
        Names under which the service may be reached, each with or without a port
        (``SOUNDALIKE_HOSTS``, separated by commas), and always those of loopback and the address that
        it listens on. None: any. On loopback, no others by default: a page in a browser, whose
        makers let its name lead to this machine, does not get through.
    origins : tuple of str
        Web pages elsewhere that may use it (``SOUNDALIKE_CORS_ORIGINS``, separated by commas).
    proxies : Proxies
        Reverse proxies in front of the service.
    """

    api_key: str | None = field(default=None, repr=False)
    hosts: frozenset[str] | None = None
    origins: tuple[str, ...] = ()
    proxies: Proxies = field(default_factory=Proxies)

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
        origins = tuple(origin.rstrip("/") for origin in _words(env.get("SOUNDALIKE_CORS_ORIGINS")))
        return cls(
            api_key=key,
            hosts=_hosts(_words(env.get("SOUNDALIKE_HOSTS")), host, is_local=is_local),
            origins=origins or (("*",) if any_origin else ()),
            proxies=Proxies.from_env(env),
        )

    def admits(self, key: str | bytes | None) -> bool:
        """Tell whether a key is the right one, in a time that does not depend on where it differs."""
        if self.api_key is None:
            return True
        given = key.encode(errors="replace") if isinstance(key, str) else key or b""
        return hmac.compare_digest(given, self.api_key.encode())

    def admits_all(self, keys: Iterable[str]) -> bool:
        """Tell whether there are keys, where one is needed, and all of them are the right one."""
        given = [self.admits(key) for key in keys]
        return self.api_key is None or (bool(given) and all(given))

    def is_known(self, host: str) -> bool:
        """Tell whether the service may be called by a name, given as in the header ``Host``."""
        if self.hosts is None:
            return True
        name, port = split_host(host)
        return name is not None and (name in self.hosts or f"{name}:{port}" in self.hosts)


def keys_in(headers: Iterable[tuple[str, str | bytes]]) -> list[str]:
    """Return the keys that a request carries in ``X-API-Key`` and ``Authorization: Bearer``.

    Parameters
    ----------
    headers : iterable of (str, str or bytes)
        Of HTTP, or gRPC's metadata; their names in lower case. Other schemes than Bearer may be meant
        for a proxy in front and are left out.

    Examples
    --------
    >>> keys_in([("authorization", "Bearer one"), ("x-api-key", "two"), ("accept", "*/*")])
    ['one', 'two']
    """
    keys = []
    for name, value in headers:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if name == BEARER_HEADER:
            scheme, _, text = text.strip().partition(" ")
            text = text.strip() if scheme.lower() == _BEARER else ""
        elif name != KEY_HEADER:
            continue
        if text:
            keys.append(text)
    return keys


def split_host(host: str) -> tuple[str | None, int | None]:
    """Return the name and the port of a ``Host`` header; None for a part that is missing or wrong."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname, parts.port
    except ValueError:
        return None, None


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address; of a name, unless it is localhost, no."""
    bare = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"


def _hosts(named: list[str], host: str, *, is_local: bool) -> frozenset[str] | None:
    """Return the names of the service; None: any.

    Raises
    ------
    ConfigError
        A value is not a name.
    """
    if "*" in named or not (named or is_local):
        return None
    for given in named:
        if "/" in given or split_host(_bracketed(given))[0] is None:
            raise ConfigError(
                f"SOUNDALIKE_HOSTS names {given!r}; give names like sounds.example or "
                "sounds.example:8443, separated by commas"
            )
    parts = [split_host(_bracketed(given)) for given in named]
    names = [str(name) if port is None else f"{name}:{port}" for name, port in parts]
    # Jina asks the gateway by its own address whether it is ready; a browser cannot be led astray by it.
    return frozenset((*_LOOPBACK_NAMES, host.strip("[]").lower(), *names))


def _bracketed(name: str) -> str:
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
