"""Main loop of a process of the pool: runs functions of this package one after the other."""

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
    """Answer calls until the other side closes the socket.

    Parameters
    ----------
    descriptor : int
        Descriptor of a Unix socket.
    memory_mb : int
        Memory limit in megabytes; mapped files do not count.
    is_eager : bool
        Load all decoders now, including rarely used ones.
    """
    # A core dump would contain the sound.
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
    """Wait until the other side closes the socket, then end this process at once."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    leave()


def leave() -> None:
    """End this process and its children, and remove its temporary files."""
    shutil.rmtree(os.environ.get("TMPDIR", ""), ignore_errors=True)
    with suppress(OSError):
        # Only as the leader of a process group: this module may have been started by hand.
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _import_decoders(*, is_eager: bool) -> None:
    """Import slow modules before the first call."""
    import soundfile  # noqa: F401

    import soundalike.audio.segmenter

    if is_eager:
        import av  # noqa: F401

        import soundalike.audio.sandbox.reading  # noqa: F401


def _limit_processor_time(timeout_s: float) -> None:
    """Limit the processor time of a call, in case the parent has ended and cannot kill this process.

    The limit allows for two busy processors (threads of the ``ffmpeg`` program or of NumPy).
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = round(used.ru_utime + used.ru_stime + 2 * timeout_s) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _answer(function: Any, arguments: Any, keywords: Any) -> tuple[bool, bool, Any]:
    """Return True (this is an answer), whether the call succeeded, and its result or error."""
    try:
        return True, True, function(*arguments, **keywords)
    except Exception as exc:
        if not isinstance(exc, SoundalikeError):
            if _is_short_of_memory(exc):
                return True, False, MemoryError(str(exc))
            # Tracebacks cannot be pickled.
            exc.add_note("".join(traceback.format_exception(exc)))
        exc.__traceback__ = exc.__cause__ = exc.__context__ = None
        return True, False, exc


def _is_short_of_memory(exc: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, is a lack of memory."""
    while exc is not None:
        if isinstance(exc, MemoryError) or (isinstance(exc, OSError) and exc.errno == errno.ENOMEM):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _send(channel: Channel, answer: tuple[bool, bool, Any], folder: Path | None) -> None:
    """Send an answer, or the error that prevents sending it, such as a full disk."""
    try:
        channel.send(answer if answer[1] else (True, False, _picklable(answer[2])), folder)
    except ConnectionError:
        raise
    except Exception as exc:
        channel.send((True, False, _picklable(exc)))


def _picklable(exc: Exception) -> Exception:
    """Return an exception, or a RuntimeError with its name and message if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(exc))  # noqa: S301 - our own data
    except Exception:
        return RuntimeError(f"{type(exc).__name__}: {exc}")
    return exc


if __name__ == "__main__":
    sys.path.extend(sys.argv[4:])
    main(int(sys.argv[1]), int(sys.argv[2]), is_eager=sys.argv[3] == "eager")
    # A normal exit would wait for the cleanup of the decoders.
    leave()
