"""Let Jina's loggers write the same JSON lines as the rest of the process.

Jina's ``json`` log format leaves out the arguments of a message and the traceback, and has no place for
the id of a request. Its loggers have handlers of their own, which read a formatter by name.

It can go when Jina's log configuration accepts a formatter class of another module.
"""

from __future__ import annotations

import logging
from typing import Any

from jina.logging import formatter


def format_jinas_logs_with(lines: logging.Formatter) -> None:
    """Let Jina's ``json`` format use a formatter.

    Parameters
    ----------
    lines : logging.Formatter
    """
    # The handlers make an object of the class for each logger.
    changed: Any = formatter.JsonFormatter
    changed.format = staticmethod(lines.format)
