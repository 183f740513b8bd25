"""Time filters and the wall-clock time of windows."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from soundalike.errors import ParameterError
from soundalike.filters import Filters

#: The year of the first sound recording. Earlier times mean an unknown start time; see
#: `soundalike.store.rows.UNKNOWN_START`.
FIRST_KNOWN = datetime(1857, 1, 1, tzinfo=UTC)

_DAY = timedelta(days=1)
#: Names that the server treats as fixed offsets, and equivalent zones.
_NOT_ABBREVIATIONS = {
    "CET": "Europe/Brussels",
    "EET": "Europe/Athens",
    "MET": "Europe/Brussels",
    "WET": "Europe/Lisbon",
}


def is_timed(filters: Filters) -> bool:
    """Return whether there is a time filter."""
    return (filters.since, filters.until, filters.time_of_day) != (None, None, None)


def time_of_window(recorded_at: datetime | None, start_s: float) -> datetime | None:
    """Return the start time of a window in UTC; None if unknown."""
    if recorded_at is None:
        return None
    at = recorded_at.astimezone(UTC) + timedelta(microseconds=round(start_s * 1e6))
    return at if at >= FIRST_KNOWN else None


def is_within(filters: Filters, recorded_at: datetime | None, start_s: float) -> bool:
    """Return whether a window passes the time filters."""
    if not is_timed(filters):
        return True
    at = time_of_window(recorded_at, start_s)
    if at is None:
        return False
    after, before = filters.since or FIRST_KNOWN, filters.until
    return at >= after and (before is None or at < before) and _is_at_time_of_day(filters, at)


def _is_at_time_of_day(filters: Filters, at: datetime) -> bool:
    if filters.time_of_day is None:
        return True
    begin, end = filters.time_of_day
    clock = at.astimezone(filters.time_zone).time()
    return begin <= clock < end if begin < end else clock >= begin or clock < end


def check_times(filters: Filters) -> None:
    """Raise `ParameterError` if the time filters are invalid."""
    since, until = filters.since, filters.until
    for name, at in (("since", since), ("until", until)):
        if at is not None and at.tzinfo is None:
            raise ParameterError(f"{name} is {at.isoformat()}, without a time zone; add one")
    if since is not None and until is not None and until <= since:
        raise ParameterError(
            f"until ({until.isoformat()}) is not after since ({since.isoformat()}); the period is empty"
        )
    if filters.time_of_day is not None:
        begin, end = filters.time_of_day
        if begin == end:
            raise ParameterError(
                f"time_of_day begins and ends at {begin}; give two different times, or omit it"
            )
        postgres_zone(filters.time_zone)


def offset_in_day(at: time) -> timedelta:
    """Return the time since midnight."""
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def time_until(begin: time, end: time) -> timedelta:
    """Return the length of the period between two times of day, which may span midnight."""
    return (offset_in_day(end) - offset_in_day(begin)) % _DAY


def postgres_zone(zone: tzinfo) -> str:
    """Return PostgreSQL's name of a time zone.

    Raises
    ------
    ParameterError
        The zone has neither a name nor a fixed offset.

    Examples
    --------
    >>> from datetime import timezone
    >>> postgres_zone(ZoneInfo("Europe/Berlin")), postgres_zone(timezone(timedelta(hours=2)))
    ('Europe/Berlin', '<+02:00>-02:00')
    """
    if isinstance(zone, ZoneInfo) and zone.key:
        return _NOT_ABBREVIATIONS.get(zone.key, zone.key)
    offset = zone.utcoffset(None)
    if offset is None:
        raise ParameterError(f"the time zone {zone!r} has no name; give a zoneinfo.ZoneInfo")
    # POSIX time zones have a negative sign east of Greenwich.
    sign, opposite = ("+", "-") if offset >= timedelta(0) else ("-", "+")
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"<{sign}{hours:02}:{minutes:02}>{opposite}{hours:02}:{minutes:02}"
