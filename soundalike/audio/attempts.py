"""Report the running decoder to the process that supervises this one.

A decoder that crashes or hangs ends its process. The supervising process must know which decoder it was,
so that it can try the others; see `soundalike.audio.sandbox`.
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
    """Call `watcher` with the name of each decoder before it runs, and skip the excluded ones.

    Parameters
    ----------
    watcher : callable
        Called with the name of a decoder, such as ``"sndfile"``.
    excluded : collection of str
        Names of decoders that crashed or hung on this file.
    """
    tokens = _watcher.set(watcher), _excluded.set(frozenset(excluded))
    try:
        yield
    finally:
        _watcher.reset(tokens[0])
        _excluded.reset(tokens[1])


def announce(decoder: str) -> bool:
    """Report that a decoder is about to run; return False if it is excluded."""
    if decoder in _excluded.get():
        return False
    watcher = _watcher.get()
    if watcher is not None:
        watcher(decoder)
    return True
