"""End a process when its parent has ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_POLL_S = 0.5
#: Seconds between SIGTERM and SIGKILL.
_PATIENCE_S = 2.0
_PR_SET_PDEATHSIG = 1

_was_forked_by_main_thread = False
_watching_process: int | None = None


def end_with_parent(
    parent: int, *, is_gone: Callable[[], bool] | None = None, patience_s: float = _PATIENCE_S
) -> None:
    """End this process soon after its parent ends, for whatever reason.

    A thread checks twice a second. On Linux the kernel also kills a child that the parent's main thread
    forked; this works even while C code holds the interpreter's lock. The kernel ties the signal to the
    forking thread, so it is not used for children of other threads.

    A second call in the same process does nothing.

    Parameters
    ----------
    parent : int
        Process number of the parent.
    is_gone : callable, optional
        Returns whether the parent has ended; default: this process has another parent now.
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
    """Record before a fork whether the main thread forks; the child reads it."""
    global _was_forked_by_main_thread
    _was_forked_by_main_thread = threading.get_native_id() == os.getpid()


os.register_at_fork(before=_note_the_thread)
