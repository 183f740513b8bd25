"""Options of ``soundalike normal watch`` and ``events``."""

from __future__ import annotations

from typing import Any

import click

from soundalike.anomalies.requests import WatchRequest
from soundalike.cli import options
from soundalike.errors import ParameterError

#: Fields of `WatchRequest` that ``events`` takes; ``watch`` takes all others.
_OF_EVENTS = ("hours", "limit", "only_anomalous")

WATCH_OPTIONS: list[click.Parameter] = [
    options.option_of(WatchRequest, "once", "--once"),
    options.option_of(WatchRequest, "settle_s", "--settle", type=float, metavar="SECONDS"),
    options.option_of(WatchRequest, "rescan_s", "--rescan", type=float, metavar="SECONDS"),
    options.option_of(WatchRequest, "command", "--command", metavar="COMMAND"),
    options.option_of(WatchRequest, "webhook", "--webhook", metavar="URL"),
    options.option_of(
        WatchRequest,
        "webhook_hosts",
        "--webhook-host",
        more="; repeatable",
        multiple=True,
        metavar="HOST",
    ),
    options.option_of(WatchRequest, "syslog", "--syslog", metavar="ADDRESS"),
    options.option_of(WatchRequest, "metrics_port", "--metrics-port", type=int, metavar="PORT"),
    options.option_of(WatchRequest, "metrics_host", "--metrics-host", metavar="HOST"),
    options.option_of(WatchRequest, "hours", "--hours", type=float, metavar="H"),
    options.option_of(WatchRequest, "limit", "--limit", type=int, metavar="N"),
    options.option_of(WatchRequest, "only_anomalous", "--only-anomalous"),
]


def watch_request(action: str, given: dict[str, Any]) -> WatchRequest:
    """Remove the options of watching from the given ones, and return the request.

    Raises
    ------
    ParameterError
        An option belongs to another action, or is out of its range.
    """
    names = [str(option.name) for option in WATCH_OPTIONS]
    request = WatchRequest(**{name: given.pop(name) for name in names})
    standard = WatchRequest()
    for option in WATCH_OPTIONS:
        name = str(option.name)
        owner = "events" if name in _OF_EVENTS else "watch"
        if action != owner and getattr(request, name) != getattr(standard, name):
            raise ParameterError(f"{option.opts[0]} belongs to {owner}; the action is {action}")
    return request
