"""Which decoder is at work, for whoever watches this process from outside.

A decoder that crashes or hangs takes its process along. The process that watches must know which one it
was, so that it can ask the others; see `soundalike.audio.sandbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from soundalike.types import DECODER_VERSION

__all__ = ["DECODER_VERSION", "announce", "watched"]

_Watcher = Callable[[str], None]

_watcher: ContextVar[_Watcher | None] = ContextVar("watcher", default=None)
_excluded: ContextVar[frozenset[str]] = ContextVar("excluded", default=frozenset())


@contextmanager
def watched(watcher: _Watcher, excluded: Collection[str] = ()) -> Iterator[None]:
    """Call `watcher` with the name of each decoder before it is asked, and do not ask the excluded ones.

    Parameters
    ----------
    watcher : callable
        Called with the name of a decoder, such as ``"sndfile"``.
    excluded : collection of str
        Names of decoders that crashed or hung on this file before.
    """
    tokens = _watcher.set(watcher), _excluded.set(frozenset(excluded))
    try:
        yield
    finally:
        _watcher.reset(tokens[0])
        _excluded.reset(tokens[1])


def announce(decoder: str) -> bool:
    """Say that a decoder is about to be asked; return False where it must not be."""
    if decoder in _excluded.get():
        return False
    watcher = _watcher.get()
    if watcher is not None:
        watcher(decoder)
    return True
