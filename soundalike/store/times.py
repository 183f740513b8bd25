"""Wall-clock time of windows, as every store understands it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from soundalike.errors import ParameterError
from soundalike.types import Filters

#: The year of the first recording of sound. What seems older has no start that anybody knows: its
#: windows begin in `soundalike.store.rows.UNKNOWN_START`.
FIRST_KNOWN = datetime(1857, 1, 1, tzinfo=UTC)

_DAY = timedelta(days=1)
#: Names that the server takes for a fixed offset, and the places whose clocks they stand for.
_NOT_ABBREVIATIONS = {
    "CET": "Europe/Brussels",
    "EET": "Europe/Athens",
    "MET": "Europe/Brussels",
    "WET": "Europe/Lisbon",
}


def is_timed(filters: Filters) -> bool:
    """Tell whether it matters when a window's sound began."""
    return (filters.since, filters.until, filters.time_of_day) != (None, None, None)


def time_of_window(recorded_at: datetime | None, start_s: float) -> datetime | None:
    """Return when a window's sound began, in UTC; None where nobody knows."""
    if recorded_at is None:
        return None
    at = recorded_at.astimezone(UTC) + timedelta(microseconds=round(start_s * 1e6))
    return at if at >= FIRST_KNOWN else None


def is_within(filters: Filters, recorded_at: datetime | None, start_s: float) -> bool:
    """Tell whether a window passes the filters of time."""
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
    """Raise `ParameterError` where the filters of time make no sense."""
    since, until = filters.since, filters.until
    for name, at in (("since", since), ("until", until)):
        if at is not None and at.tzinfo is None:
            raise ParameterError(f"{name} is {at.isoformat()}, without a zone; give it one")
    if since is not None and until is not None and until <= since:
        raise ParameterError(
            f"until ({until.isoformat()}) is not after since ({since.isoformat()}); nothing lies between"
        )
    if filters.time_of_day is not None:
        begin, end = filters.time_of_day
        if begin == end:
            raise ParameterError(
                f"time_of_day begins and ends at {begin}; give two times, or leave it out for all day"
            )
        postgres_zone(filters.time_zone)


def offset_in_day(at: time) -> timedelta:
    """Return how long after midnight a clock shows a time."""
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def time_until(begin: time, end: time) -> timedelta:
    """Return how long it is from one time of day to the next time that a clock shows another."""
    return (offset_in_day(end) - offset_in_day(begin)) % _DAY


def postgres_zone(zone: tzinfo) -> str:
    """Return what PostgreSQL calls a time zone.

    Raises
    ------
    ParameterError
        It has neither a name nor one offset for all times.

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
    # In a zone of POSIX's kind what is east of Greenwich has a minus.
    sign, opposite = ("+", "-") if offset >= timedelta(0) else ("-", "+")
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"<{sign}{hours:02}:{minutes:02}>{opposite}{hours:02}:{minutes:02}"
