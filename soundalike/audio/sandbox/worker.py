"""What runs in a process of the pool: functions of this package, one after the other."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import select
import shutil
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from soundalike.audio.attempts import watched
from soundalike.audio.sandbox.transport import Channel
from soundalike.errors import SoundalikeError
from soundalike.runtime.freed_memory import keep_freed_memory

_MB = 1 << 20
_STACK_BYTES = 1 << 18


def main(descriptor: int, memory_mb: int, *, is_eager: bool) -> None:
    """Answer until the other side is gone.

    Parameters
    ----------
    descriptor : int
        Of a Unix socket.
    memory_mb : int
        Megabytes that may be held; files that are mapped do not count.
    is_eager : bool
        Load also those decoders that few recordings need.
    """
    # A dump of the memory would hold the sound.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * _MB, memory_mb * _MB))
    keep_freed_memory()
    channel = Channel(socket.socket(fileno=descriptor))
    threading.stack_size(_STACK_BYTES)
    threading.Thread(target=_end_with_the_other_side, args=(descriptor,), daemon=True).start()
    _import_decoders(is_eager=is_eager)
    channel.send("ready")
    while True:
        try:
            function, arguments, keywords, timeout_s, folder, excluded = channel.receive()
        except EOFError:
            return
        _limit_processor_time(timeout_s)
        with watched(lambda name: channel.send((False, name)), excluded):
            answer = _answer(function, arguments, keywords)
        _send(channel, answer, folder and Path(folder))


def _end_with_the_other_side(descriptor: int) -> None:
    """Wait until the other side is gone, and end this process, whatever it is at."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    leave()


def leave() -> None:
    """End this process and all that it has started, and remove what it has left."""
    shutil.rmtree(os.environ.get("TMPDIR", ""), ignore_errors=True)
    with suppress(OSError):
        # The leader of a group: somebody may have started this module by hand.
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _import_decoders(*, is_eager: bool) -> None:
    """Import what takes long before somebody waits for it."""
    import soundfile  # noqa: F401

    import soundalike.audio.segmenter

    if is_eager:
        import av  # noqa: F401

        import soundalike.audio.sandbox.reading  # noqa: F401


def _limit_processor_time(timeout_s: float) -> None:
    """End this process after so long; needed where nobody is left to end it.

    Two processors may be busy, with the ``ffmpeg`` program's threads or NumPy's.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = round(used.ru_utime + used.ru_stime + 2 * timeout_s) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _answer(function: Any, arguments: Any, keywords: Any) -> tuple[bool, bool, Any]:
    """Return that it is an answer, whether all went well, and what the function returns or raises."""
    try:
        return True, True, function(*arguments, **keywords)
    except Exception as exc:
        if not isinstance(exc, SoundalikeError):
            if _is_short_of_memory(exc):
                return True, False, MemoryError(str(exc))
            # The traceback stays here.
            exc.add_note("".join(traceback.format_exception(exc)))
        exc.__traceback__ = exc.__cause__ = exc.__context__ = None
        return True, False, exc


def _is_short_of_memory(exc: BaseException | None) -> bool:
    """Tell whether memory was short: what else goes wrong then may be raised in the place of that."""
    while exc is not None:
        if isinstance(exc, MemoryError) or (isinstance(exc, OSError) and exc.errno == errno.ENOMEM):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _send(channel: Channel, answer: tuple[bool, bool, Any], folder: Path | None) -> None:
    """Send an answer, or why it cannot be sent, as where the disk is full."""
    try:
        channel.send(answer if answer[1] else (True, False, _able_to_travel(answer[2])), folder)
    except ConnectionError:
        raise
    except Exception as exc:
        channel.send((True, False, _able_to_travel(exc)))


def _able_to_travel(exc: Exception) -> Exception:
    """Return an exception, or one with its name and message where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(exc))  # noqa: S301 - of our own
    except Exception:
        return RuntimeError(f"{type(exc).__name__}: {exc}")
    return exc


if __name__ == "__main__":
    sys.path.extend(sys.argv[4:])
    main(int(sys.argv[1]), int(sys.argv[2]), is_eager=sys.argv[3] == "eager")
    # Leaving the usual way, decoders take their time to tidy up.
    leave()
