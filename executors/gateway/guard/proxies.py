"""Trusted reverse proxies, and the client's address and prefix in their headers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from soundalike.errors import ConfigError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LOOPBACK = "127.0.0.0/8, ::1"
_EVERYBODY = ("0.0.0.0/0", "::/0")
_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"
_PREFIX = re.compile(rf"(?:/{_SEGMENT})+")


@dataclass(frozen=True, slots=True)
class Proxies:
    """Reverse proxies in front of the service.

    Attributes
    ----------
    trusted : tuple of network
        Peers whose ``X-Forwarded-*`` headers are believed (``SOUNDALIKE_TRUSTED_PROXIES``: addresses
        and networks separated by commas, ``*`` for every peer, ``none``; default: loopback).
    root_path : str
        Path below which a proxy publishes the service (``SOUNDALIKE_ROOT_PATH``), like ``/sounds``; "":
        at the root.
    """

    trusted: tuple[_Network, ...] = ()
    root_path: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Proxies:
        """Read the settings from environment variables.

        Raises
        ------
        ConfigError
            A value cannot be used.
        """
        given = environ.get("SOUNDALIKE_ROOT_PATH") or ""
        root_path = prefix_of(given)
        if root_path is None:
            raise ConfigError(
                f"SOUNDALIKE_ROOT_PATH (--root-path) is {given!r}; give a path like /sounds, "
                "of letters, digits, '-', '.', '_' and '~'"
            )
        return cls(_networks(environ.get("SOUNDALIKE_TRUSTED_PROXIES") or _LOOPBACK), root_path)

    def trusts(self, peer: str | None) -> bool:
        """Tell whether the headers of a peer, named by its address, are believed."""
        address = _address(peer or "")
        return address is not None and any(address in network for network in self.trusted)

    def client_of(self, peer: str, forwarded_for: Iterable[str]) -> str:
        """Return the address of the client that a request comes from.

        Parameters
        ----------
        peer : str
            Address of the other end of the connection.
        forwarded_for : iterable of str
            Values of ``X-Forwarded-For``. They are read from the end, as each proxy appends the
            address it was called from; the first address that is not a trusted proxy is the client.
        """
        client = peer
        for text in reversed(",".join(forwarded_for).split(",")):
            address = _address(text)
            if address is None or not self.trusts(client):
                break
            client = str(address)
        return client


def prefix_of(text: str) -> str | None:
    """Return a path prefix without its last slash, "" for the root; None: it cannot be used."""
    bare = text.strip().rstrip("/")
    return bare if not bare or _PREFIX.fullmatch(bare) else None


def _networks(text: str) -> tuple[_Network, ...]:
    if text.strip().lower() == "none":
        return ()
    found: list[_Network] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        try:
            found += map(ipaddress.ip_network, _EVERYBODY if word == "*" else (word,))
        except ValueError as exc:
            raise ConfigError(
                f"SOUNDALIKE_TRUSTED_PROXIES names {word!r} ({exc}); give addresses and networks like "
                "10.0.0.0/8, separated by commas, or * or none"
            ) from exc
    return tuple(found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, with or without a port; an IPv4 one inside of an IPv6 one is the former."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
