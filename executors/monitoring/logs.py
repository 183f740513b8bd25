"""Logs as JSON, one object a line, with ``SOUNDALIKE_LOG_FORMAT=json``."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Dict

from executors.monitoring.request_ids import REQUEST_ID
from soundalike.errors import ConfigError

FORMATS = ("text", "json")
#: One line for each request, in the JSON format only.
REQUESTS = logging.getLogger("soundalike.requests")
_VARIABLE = "SOUNDALIKE_LOG_FORMAT"
_COLOURS = re.compile(r"\x1b\[.*?[@-~]")


def log_format(environ: Mapping[str, str] = os.environ) -> str:
    """Return ``text`` or ``json``.

    Raises
    ------
    ConfigError
        ``SOUNDALIKE_LOG_FORMAT`` is something else.
    """
    given = environ.get(_VARIABLE) or FORMATS[0]
    if given not in FORMATS:
        raise ConfigError(f"{_VARIABLE} is {given!r}; give one of {', '.join(FORMATS)}")
    return given


def log_as_configured(environ: Mapping[str, str] = os.environ) -> None:
    """Let this process log as JSON where the environment says so; otherwise do nothing.

    Raises
    ------
    ConfigError
        As for `log_format`.
    """
    root = logging.getLogger()
    if log_format(environ) != "json" or any(_is_ours(handler) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root.handlers[:] = [handler]
    logging.getLogger("soundalike").setLevel(logging.INFO)
    logging.captureWarnings(True)


def say(text: str) -> None:
    """Tell the user something of the whole service, in the format of the log."""
    if os.environ.get(_VARIABLE) == "json":
        # Not through a logger: logging may be switched off, for Jina, when the reason is told.
        record = logging.LogRecord("soundalike.service", logging.INFO, __file__, 0, text, (), None)
        text = JsonLines().format(record)
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def log_request(what: str, **fields: Any) -> None:
    """Log a finished request, if the format is JSON."""
    if REQUESTS.isEnabledFor(logging.INFO):
        REQUESTS.info(what, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """Formats a record as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: Dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _COLOURS.sub("", record.getMessage()),
            "process": multiprocessing.current_process().name,
            "pid": record.process,
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _is_ours(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, JsonLines)
