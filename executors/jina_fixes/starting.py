"""Say in one line why an executor cannot start, and tell the launcher how far each one is.

Jina logs a traceback of sixty lines for a misspelled option, and its parent process learns only that
a pod has ended.

It can go when Jina passes the reason on to the process that starts the Flow.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from soundalike.errors import ServiceError, SoundalikeError

#: Writes up to this size are atomic on a pipe.
_MOST_BYTES = 4000
_SHOWN = 600
_POLL_S = 1.0
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")

_pipe: int | None = None


def tell_launcher_by(pipe: int) -> None:
    """Let the pods that are forked from this process write to a pipe how far they are.

    Parameters
    ----------
    pipe : int
        Writing end, which does not block. Each line is a JSON object with the pod's ``name``.
    """
    global _pipe
    _pipe = pipe


def in_pod(run: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Run Jina's ``run`` in a pod, and exit with one line where its executor cannot start."""
    # The pods of one executor share this part of their names.
    name = str(kwargs["name"]).partition("/")[0]
    module: Any = importlib.import_module("jina.serve.executors.run")
    module.AsyncNewLoopRuntime = _explained(module.AsyncNewLoopRuntime, name)
    if _pipe is not None:
        kwargs["is_ready"] = _report_until(kwargs["is_ready"], name)
    run(*args, **kwargs)


def reason(exc: BaseException) -> tuple[str, int]:
    """Return an exception as one line, and the exit status that it stands for."""
    if isinstance(exc, SoundalikeError):
        return f"{_line(exc.message)} [{exc.code}]", exc.exit_status
    text = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    if exc.__cause__ is not None:
        text += f": {type(exc.__cause__).__name__}: {exc.__cause__}"
    return f"{_line(text)} [{ServiceError.code}]", ServiceError.exit_status


def shown(name: str) -> str:
    """Return the user's name of a pod."""
    return "the gateway" if name == "gateway" else f"the executor {name!r}"


def _line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]


def _explained(runtime: Callable[..., Any], name: str) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        try:
            return runtime(*args, **kwargs)
        except Exception as exc:
            if not _is_of_the_user(exc):
                traceback.print_exc()
            why, status = reason(exc)
            _tell(name, failure=why, status=status)
            if _pipe is None:
                sys.stderr.write(f"soundalike: {shown(name)} cannot start: {why}\n")
            sys.exit(status)

    return make


def _is_of_the_user(exc: BaseException) -> bool:
    """Tell whether the cause is a setting or a file, so that a traceback would not help."""
    if isinstance(exc, TypeError):
        return "unexpected keyword argument" in str(exc)
    return isinstance(exc, (SoundalikeError, ImportError, OSError)) or (
        type(exc).__module__.partition(".")[0] in ("jina", "yaml")
    )


def _report_until(is_ready: Any, name: str) -> Any:
    """Report log lines and the running function until an event is set."""
    done = threading.Event()
    make: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
    set_ready = is_ready.set

    def noted(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if not done.is_set():
            with contextlib.suppress(TypeError, ValueError):
                _tell(name, said=_line(record.getMessage()))
        return record

    def ready() -> None:
        done.set()
        _tell(name, ready=True)
        set_ready()

    logging.setLogRecordFactory(noted)
    is_ready.set = ready
    _tell(name, pid=os.getpid())
    threading.Thread(target=_report_place, args=(name, done), daemon=True).start()
    return is_ready


def _report_place(name: str, done: threading.Event) -> None:
    main = threading.main_thread().ident
    while main is not None and not done.wait(_POLL_S):
        _tell(name, place=_place(sys._current_frames().get(main)))


def _place(frame: FrameType | None) -> str:
    """Return the innermost line that is neither Python's nor a library's."""
    found = frame
    while frame is not None and _is_foreign(frame.f_code.co_filename):
        frame = frame.f_back
    found = frame or found
    if found is None:
        return ""
    file = Path(found.f_code.co_filename)
    return f"{file.parent.name}/{file.name}:{found.f_lineno} ({found.f_code.co_name})"


def _is_foreign(file: str) -> bool:
    return "-packages" in file or file.startswith((_STANDARD_LIBRARY, "<"))


def _tell(name: str, **what: Any) -> None:
    if _pipe is not None:
        text = json.dumps({"name": name, **what})
        # Nobody reads any more, or not fast enough.
        with contextlib.suppress(OSError):
            os.write(_pipe, text.encode()[:_MOST_BYTES] + b"\n")
