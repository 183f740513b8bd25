"""The decoding processes of this program, for all that decodes in it."""

from __future__ import annotations

import atexit
import os
import threading

from soundalike.audio.sandbox.decoding import IsolatedDecoding
from soundalike.limits import Limits

_lock = threading.Lock()
_found: IsolatedDecoding | None = None


def shared() -> IsolatedDecoding:
    """Return the decoding that the whole process shares; nobody needs to close it.

    Its processes are started when they are needed, and end with this one, however it ends. After a fork
    the child gets others.

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
    """End the shared processes; calls that are under way fail, and later ones start others."""
    global _found
    with _lock:
        found, _found = _found, None
    if found is not None:
        found.close()


def _forget() -> None:
    """Leave the parent's processes to the parent: two askers at one socket would get mixed answers."""
    global _found, _lock
    found, _found, _lock = _found, None, threading.Lock()
    if found is not None:
        found.abandon()


atexit.register(close_shared)
os.register_at_fork(after_in_child=_forget)
