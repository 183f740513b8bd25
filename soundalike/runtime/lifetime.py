"""End a process when the process that started it is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_POLL_S = 0.5
#: Time for an orderly end after SIGTERM.
_PATIENCE_S = 2.0
_PR_SET_PDEATHSIG = 1

_was_forked_by_main_thread = False
_watching_process: int | None = None


def end_with_parent(
    parent: int, *, is_gone: Callable[[], bool] | None = None, patience_s: float = _PATIENCE_S
) -> None:
    """End this process soon after its parent, whatever ended that one.

    A thread looks twice a second. A child that was forked by its parent's main thread is also killed
    by the kernel (Linux), which works while some C code holds the interpreter's lock. The kernel's
    signal follows the thread that forked, therefore it is not used for children of other threads.

    A second call in the same process does nothing.

    Parameters
    ----------
    parent : int
        Process number of the parent.
    is_gone : callable, optional
        Tells whether the parent is gone; default: this process has another parent now.
    patience_s : float
        Seconds between SIGTERM and SIGKILL.
    """
    global _watching_process
    if _watching_process == os.getpid():
        return
    _watching_process = os.getpid()
    check = is_gone or (lambda: os.getppid() != parent)
    if _was_forked_by_main_thread and is_gone is None:
        _let_the_kernel_watch()
    threading.Thread(target=_watch, args=(check, patience_s), name="parent", daemon=True).start()


def _watch(is_gone: Callable[[], bool], patience_s: float) -> None:
    while not is_gone():
        time.sleep(_POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience_s)
    os.kill(os.getpid(), signal.SIGKILL)


def _let_the_kernel_watch() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _note_the_thread() -> None:
    """Note before a fork which thread forks; the child reads it."""
    global _was_forked_by_main_thread
    _was_forked_by_main_thread = threading.get_native_id() == os.getpid()


os.register_at_fork(before=_note_the_thread)
