"""The decoding processes that the whole program shares."""

from __future__ import annotations

import atexit
import os
import threading

from soundalike.audio.sandbox.decoding import IsolatedDecoding
from soundalike.limits import Limits

_lock = threading.Lock()
_found: IsolatedDecoding | None = None


def shared() -> IsolatedDecoding:
    """Return the shared decoding; callers need not close it.

    Its processes start on demand and end with this one, however it ends. After a fork the child starts
    its own.

    Raises
    ------
    ConfigError
        A limit in the environment is wrong.
    """
    global _found
    with _lock:
        if _found is None:
            _found = IsolatedDecoding(Limits.from_env(), is_eager=False)
        return _found


def close_shared() -> None:
    """End the shared processes; running calls fail, and later calls start new processes."""
    global _found
    with _lock:
        found, _found = _found, None
    if found is not None:
        found.close()


def _forget() -> None:
    """Forget the parent's processes: two clients of one socket would receive mixed answers."""
    global _found, _lock
    found, _found, _lock = _found, None, threading.Lock()
    if found is not None:
        found.abandon()


atexit.register(close_shared)
os.register_at_fork(after_in_child=_forget)
