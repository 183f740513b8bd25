"""Logs as JSON, of Jina's loggers too."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from jina.logging import formatter

from executors.jina_fixes.json_logs import format_jinas_logs_with
from executors.monitoring.logs import JsonLines, log_as_configured, log_format, log_request, say
from executors.monitoring.request_ids import REQUEST_ID
from soundalike.errors import ConfigError


def _record(text: str = "%s of %d", *arguments: object, **keywords: object) -> logging.LogRecord:
    given = arguments or ("one", 2)
    record = logging.LogRecord("some.logger", logging.WARNING, "file.py", 1, text, given, None)
    vars(record).update(keywords)
    return record


def test_a_line_has_the_message_the_id_and_own_fields():
    token = REQUEST_ID.set("order-4711")
    try:
        line = json.loads(JsonLines().format(_record(fields={"seconds": 0.5})))
    finally:
        REQUEST_ID.reset(token)
    assert line.pop("time").endswith("+00:00")
    assert line.pop("pid")
    assert line == {
        "level": "WARNING",
        "logger": "some.logger",
        "message": "one of 2",
        "process": "MainProcess",
        "request_id": "order-4711",
        "seconds": 0.5,
    }


def test_a_traceback_stays_on_the_line():
    try:
        raise KeyError("here")
    except KeyError:
        text = JsonLines().format(_record("a\nb%s%s", "\x1b[31m", "", exc_info=sys.exc_info()))
    assert "\n" not in text
    line = json.loads(text)
    assert line["message"] == "a\nb"
    assert line["exception"].endswith("KeyError: 'here'")
    assert "request_id" not in line


def test_jinas_json_format_writes_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(formatter.JsonFormatter, "format", formatter.JsonFormatter.format)
    format_jinas_logs_with(JsonLines())
    assert json.loads(formatter.JsonFormatter().format(_record()))["message"] == "one of 2"


@pytest.mark.parametrize(
    ("given", "expected"), [({}, "text"), ({"SOUNDALIKE_LOG_FORMAT": "json"}, "json")]
)
def test_the_format_is_a_setting(given: dict[str, str], expected: str):
    assert log_format(given) == expected


def test_a_wrong_format_is_refused():
    with pytest.raises(ConfigError, match="SOUNDALIKE_LOG_FORMAT is 'xml'; give one of text, json"):
        log_format({"SOUNDALIKE_LOG_FORMAT": "xml"})


def test_requests_are_logged_in_the_json_format_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    # The command line, which has a handler of its own, may have run in this process.
    monkeypatch.setattr(logging.getLogger("soundalike"), "handlers", [])
    monkeypatch.setattr(logging.getLogger("soundalike"), "level", logging.NOTSET)
    logging.getLogger("soundalike")._cache.clear()  # type: ignore[attr-defined]
    logging.getLogger("soundalike.requests")._cache.clear()  # type: ignore[attr-defined]
    log_as_configured({})
    log_request("answered", status=200)
    assert capsys.readouterr().err == ""
    log_as_configured({"SOUNDALIKE_LOG_FORMAT": "json"})
    log_as_configured({"SOUNDALIKE_LOG_FORMAT": "json"})
    log_request("answered", status=200)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["status"] == 200
    logging.captureWarnings(False)


def test_words_to_the_user_have_the_format_of_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("SOUNDALIKE_LOG_FORMAT", raising=False)
    say("soundalike: ready")
    monkeypatch.setenv("SOUNDALIKE_LOG_FORMAT", "json")
    say("soundalike: ready")
    plain, line = capsys.readouterr().err.splitlines()
    assert plain == json.loads(line)["message"] == "soundalike: ready"
