"""Log mistakes of callers as one line at level INFO; ERROR and traceback are for faults of ours.

Jina logs every exception of an executor as ERROR with its traceback. A client that misspells a
collection would fill the log with sixty lines a time, and set off alarms that count errors.

It can go when an executor can tell Jina which exceptions to log, and at which level.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from soundalike.errors import SoundalikeError

_SHOWN = 300
#: Packages that a message passes before any code of ours sees it.
_OTHERS = frozenset({"asyncio", "concurrent", "docarray", "google", "jina", "pydantic"})


def is_mistake(exc: BaseException) -> bool:
    """Tell whether the caller is to blame for an error.

    A parameter or document that has not the form of its model is refused before any code of ours has
    seen it; the same error from within our code is a fault of ours.
    """
    if isinstance(exc, SoundalikeError):
        return exc.http_status < 500
    return isinstance(exc, ValidationError) and all(
        frame.f_globals.get("__name__", "").partition(".")[0] in _OTHERS
        for frame, _ in traceback.walk_tb(exc.__traceback__)
    )


def log_mistakes_briefly() -> None:
    """Let this process log callers' mistakes as information, and without a traceback."""
    make: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
    if getattr(make, "is_brief", False):
        return

    def brief(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        exc = record.exc_info[1] if record.exc_info else None
        if exc is not None and is_mistake(exc):
            text = " ".join(repr(exc).split())
            record.msg, record.args = text[:_SHOWN], ()
            record.exc_info = None
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        return record

    brief.is_brief = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(brief)
