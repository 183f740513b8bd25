"""What runs in a process of the pool: functions of this package, one after the other."""

from __future__ import annotations

import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from soundalike.freed_memory import keep_freed_memory
from soundalike.isolation.transport import receive, send

_MB = 1 << 20


def main(descriptor: int, memory_mb: int) -> None:
    """Answer until the other side is gone.

    Parameters
    ----------
    descriptor : int
        Of a Unix socket.
    memory_mb : int
        Megabytes that may be held; files that are mapped do not count.
    """
    # A dump of the memory would hold the sound.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * _MB, memory_mb * _MB))
    keep_freed_memory()
    with socket.socket(fileno=descriptor) as channel:
        _import_decoders()
        send(channel, "ready")
        while True:
            try:
                function, arguments, keywords, timeout_s, folder = receive(channel)
            except EOFError:
                return
            _limit_processor_time(timeout_s)
            send(channel, _answer(function, arguments, keywords), folder and Path(folder))


def _import_decoders() -> None:
    """Import what takes long before somebody waits for it."""
    import av  # noqa: F401
    import soundfile  # noqa: F401

    import soundalike.audio.loading  # noqa: F401


def _limit_processor_time(timeout_s: float) -> None:
    """End this process after so long; needed where nobody is left to end it.

    Two processors may be busy, with the ``ffmpeg`` program's threads or NumPy's.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = round(used.ru_utime + used.ru_stime + 2 * timeout_s) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _answer(function: Any, arguments: Any, keywords: Any) -> tuple[bool, Any]:
    """Return whether all went well, and what the function returns or raises."""
    try:
        return True, function(*arguments, **keywords)
    except Exception as exc:
        exc.__traceback__ = exc.__cause__ = exc.__context__ = None
        return False, exc


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
    # Leaving the usual way, decoders take their time to tidy up.
    os._exit(0)
