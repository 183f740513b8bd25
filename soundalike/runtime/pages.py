"""Pages of memory that hold a network's weights."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MAPS = Path("/proc/self/smaps")
#: Advice of Linux; Python names only some, and Linux knows the second since 6.1.
_HUGE, _COLLAPSE, _NOT_NEEDED = 14, 25, 4
_HUGE_BYTES = 2 << 20
#: Smaller regions gain little.
_LEAST_BYTES = 16 << 20
#: Share of a region that is in memory already: a huge page fills its gaps.
_LEAST_RESIDENT = 0.9


class _Region(NamedTuple):
    """A line of the kernel's list of mappings."""

    begin: int
    end: int
    rights: str
    path: str
    resident_bytes: int


def use_huge_pages() -> int:
    """Put large arrays of this process on huge pages; return how many bytes.

    A network of few examples reads all its weights once, and finding their small pages takes longer than
    the arithmetic. Where the system allows no huge pages, nothing changes.
    """
    moved = 0
    for region in _regions():
        begin = -(-region.begin // _HUGE_BYTES) * _HUGE_BYTES
        length = region.end // _HUGE_BYTES * _HUGE_BYTES - begin
        is_array = region.rights.startswith("rw-p") and not region.path
        is_full = region.resident_bytes >= _LEAST_RESIDENT * (region.end - region.begin)
        if is_array and is_full and length >= _LEAST_BYTES and _advise(begin, length, _HUGE):
            # At once; without it the system does so later, if ever.
            _advise(begin, length, _COLLAPSE)
            moved += length
    return moved


def release_mapped(ending: str) -> int:
    """Give back the pages of mapped files that are only read; return how many bytes.

    They are read again where they are needed again.

    Parameters
    ----------
    ending : str
        Of the files' paths.
    """
    given = 0
    for region in _regions():
        length = region.end - region.begin
        is_read = region.path.endswith(ending) and region.rights.startswith("r--")
        if is_read and _advise(region.begin, length, _NOT_NEEDED):
            given += length
    return given


def _regions() -> Iterator[_Region]:
    """Yield the mappings of this process; none where the system does not list them."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    head: list[str] = []
    for line in lines:
        words = line.split(maxsplit=5)
        if "-" in words[0] and not words[0].endswith(":"):
            head = words
        elif words[0] == "Rss:" and head:
            begin, end = (int(part, 16) for part in head[0].split("-"))
            path = head[5] if len(head) > 5 else ""
            yield _Region(begin, end, head[1], path, int(words[1]) * 1024)


def _advise(begin: int, length: int, advice: int) -> bool:
    try:
        madvise = ctypes.CDLL(None, use_errno=True).madvise
    except (OSError, TypeError, AttributeError):
        return False
    if begin % mmap.PAGESIZE:
        return False
    return bool(madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), ctypes.c_int(advice)) == 0)
