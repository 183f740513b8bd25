"""Parse time zones."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from datetime import UTC, timedelta, timezone, tzinfo

from soundalike.errors import ConfigError, ParameterError

#: Hours and optional minutes of an offset from UTC.
OFFSET = r"(?:0?[0-9]|1[0-4])(?::?[0-5][0-9])?(?![0-9])"
_FIXED_ZONE = re.compile(rf"(?:UTC|GMT|Z)|(?:UTC|GMT)?[+-]{OFFSET}", re.IGNORECASE)
_SIGNED = re.compile(r"([+-])([0-9]{1,2})(?::?([0-9]{2}))?\Z")


def zone_named(text: str) -> tzinfo:
    """Return a time zone by its name or offset.

    Parameters
    ----------
    text : str
        A name like ``Europe/Berlin``, or an offset like ``+02:00`` or ``UTC-3``, for recorders without
        daylight saving time. ``UTC`` and offsets need no time zone data.

    Raises
    ------
    ParameterError
        The zone is unknown.
    ConfigError
        This machine has no time zone data.
    """
    text = text.strip()
    if _FIXED_ZONE.fullmatch(text):
        return fixed_zone(text)
    try:
        return zoneinfo.ZoneInfo(text)
    except (KeyError, ValueError, OSError) as exc:
        known = zoneinfo.available_timezones()
        if not known:
            raise ConfigError(
                f"this machine has no time zone data for {text!r}; install the package tzdata, or give "
                "an offset like +02:00"
            ) from exc
        by_lower = {name.lower(): name for name in known}
        close = difflib.get_close_matches(text.lower(), sorted(by_lower), n=1)
        example = by_lower[close[0]] if close else "Europe/Berlin"
        raise ParameterError(
            f"time zone {text!r} is unknown; give a name like {example}, or an offset like +02:00"
        ) from exc


def fixed_zone(text: str) -> tzinfo:
    """Return the time zone of ``UTC``, ``Z`` or an offset from it."""
    signed = _SIGNED.search(text)
    if not signed:
        return UTC
    offset = timedelta(hours=int(signed[2]), minutes=int(signed[3] or 0))
    return timezone(-offset if signed[1] == "-" else offset)
