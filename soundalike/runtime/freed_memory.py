"""Tune glibc's malloc to reuse freed memory."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's ``mallopt``.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
#: Arrays of a few seconds of sound are smaller, and every request allocates them.
_MMAP_BYTES = 16 << 20
#: Free memory at the end of a heap that is not returned to the system.
_TRIM_BYTES = 32 << 20
#: Each heap grows to the size of the largest request in any of its threads, and the default is eight
#: heaps per processor.
_MAX_HEAPS = 4


def keep_freed_memory() -> bool:
    """Let this process and its forks reuse freed memory.

    By default glibc returns freed arrays of 128 kB and more to the system, which must then find and
    clear every page of the next array. That takes longer than most computations on the array: 2 us per
    4 kB on a virtual machine.

    Returns
    -------
    is_kept : bool
        False if the C library is not glibc; nothing is changed then.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return False
    wanted = (_MMAP_THRESHOLD, _MMAP_BYTES), (_TRIM_THRESHOLD, _TRIM_BYTES), (_ARENA_MAX, _MAX_HEAPS)
    return all(mallopt(name, value) for name, value in wanted)
