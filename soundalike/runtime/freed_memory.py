"""What is freed is kept for the next call, instead of being given back and asked for again."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's ``mallopt``.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
#: Arrays of some seconds of sound are smaller, and come again with each request.
_MMAP_BYTES = 16 << 20
#: So much may lie free at the end of a heap.
_KEPT_BYTES = 32 << 20
#: In each heap so much; by default there may be eight of them for each processor, and after hours of
#: requests in any of the threads every one holds what the largest request needed.
_MOST_HEAPS = 4


def keep_freed_memory() -> bool:
    """Let this process, and those that it forks, keep some of the memory that it frees.

    By default glibc gives arrays from 128 kB on back to the system as soon as they are freed. The
    system then has to find and to clear each page of the next one, which takes longer than most of
    what is calculated with it: on a virtual machine 2 us for each 4 kB.

    Returns
    -------
    is_kept : bool
        False where the C library is another one, which is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return False
    wanted = (_MMAP_THRESHOLD, _MMAP_BYTES), (_TRIM_THRESHOLD, _KEPT_BYTES), (_ARENA_MAX, _MOST_HEAPS)
    return all(mallopt(name, value) for name, value in wanted)
