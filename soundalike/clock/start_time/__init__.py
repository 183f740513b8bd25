"""Find the start time of a recording: from the caller, its header, its name or its modification time."""

from soundalike.clock.start_time.finding import Source, StartTime, start_time, start_time_of_upload
from soundalike.clock.start_time.patterns import DEFAULT_PATTERNS, NamePattern, compile_pattern
from soundalike.clock.start_time.zones import zone_named

__all__ = [
    "DEFAULT_PATTERNS",
    "NamePattern",
    "Source",
    "StartTime",
    "compile_pattern",
    "start_time",
    "start_time_of_upload",
    "zone_named",
]
