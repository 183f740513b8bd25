"""``soundalike normal watch`` and ``events``: score the new recordings of a folder."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.cli import opening, output
from soundalike.cli.normal_score import ANOMALOUS, encoder_for
from soundalike.errors import AudioError, AudioNotFound, ParameterError

if TYPE_CHECKING:
    from soundalike.anomalies.requests import WatchRequest
    from soundalike.anomalies.watching.hooks import Hook
    from soundalike.anomalies.watching.metrics import WatchMetrics
    from soundalike.anomalies.watching.watcher import Watcher
    from soundalike.cli.place import Place
    from soundalike.store.normal_models import WatchEvent


def run(place: Place, name: str, folder: Path, request: WatchRequest, *, as_json: bool) -> int:
    """Watch a folder until a signal comes, or once."""
    from soundalike.anomalies.detector import Detector
    from soundalike.anomalies.watching.folder import WatchedFolder
    from soundalike.anomalies.watching.metrics import WatchMetrics
    from soundalike.anomalies.watching.watcher import Watcher
    from soundalike.clock.wall_clock import StartTimeRules

    place.service("normal watch")
    folder = folder.absolute()
    if not folder.is_dir():
        raise AudioNotFound(f"{str(folder)!r} is not a folder; give the one that recordings come to")
    hooks, metrics = _hooks(request), WatchMetrics(name)
    settings = place.settings()
    opening.start_decoding(opening.UNKNOWN)
    with opening.opened_store(settings) as store:
        model = Detector(store).model(name)
        watched = WatchedFolder(folder, settle_s=request.settle_s, rescan_s=request.rescan_s)
        watcher = Watcher(
            store,
            name,
            watched,
            encoder_for(place, name, model.spec),
            hooks=hooks,
            metrics=metrics,
            rules=StartTimeRules.described(settings.time_zone),
            on_event=lambda event: _tell(event, as_json=as_json),
        )
        if request.once:
            return _status(watcher.run_once(), watched.unreadable)
        with _metrics_served(metrics, request), _stopped_by_signals(watcher):
            output.note(f"watching {output.visible(str(folder))}; end with Ctrl-C")
            watcher.run()
    return 0


def _status(events: Sequence[WatchEvent], unreadable: Collection[str]) -> int:
    if unreadable or any("error_code" in event.details for event in events):
        return AudioError.exit_status
    return ANOMALOUS if any(event.is_anomalous for event in events) else 0


def _hooks(request: WatchRequest) -> list[Hook]:
    from soundalike.anomalies.watching.hooks import CommandHook, SyslogHook, WebhookHook

    hooks: list[Hook] = []
    if request.command is not None:
        try:
            hooks.append(CommandHook(shlex.split(request.command)))
        except ValueError as exc:
            raise ParameterError(f"command is {request.command!r}: {exc}") from exc
    if request.webhook is not None:
        named = os.environ.get("SOUNDALIKE_WEBHOOK_HOSTS", "").split(",")
        hosts = [*request.webhook_hosts, *(host.strip() for host in named if host.strip())]
        secret = os.environ.get("SOUNDALIKE_WEBHOOK_SECRET") or None
        hooks.append(WebhookHook(request.webhook, hosts, secret))
        if secret is None:
            output.note("warning: SOUNDALIKE_WEBHOOK_SECRET is not set, so the webhook is not signed")
    if request.syslog is not None:
        hooks.append(SyslogHook("" if request.syslog == "local" else request.syslog))
    return hooks


@contextmanager
def _metrics_served(metrics: WatchMetrics, request: WatchRequest) -> Iterator[None]:
    if request.metrics_port is None:
        yield
        return
    try:
        stop = metrics.serve(request.metrics_port, request.metrics_host)
    except OSError as exc:
        raise ParameterError(
            f"metrics cannot be served at {request.metrics_host}:{request.metrics_port}: "
            f"{exc.strerror}; give another --metrics-port"
        ) from exc
    try:
        yield
    finally:
        stop()


@contextmanager
def _stopped_by_signals(watcher: Watcher) -> Iterator[None]:
    """Let the first signal end the watch after the files that are being scored."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: watcher.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _tell(event: WatchEvent, *, as_json: bool) -> None:
    from soundalike.anomalies.watching.watcher import event_json

    row = event_json(event)
    if as_json:
        output.json_line(row)
    elif "error_code" in row:
        name = output.visible(output.short_path(row["uri"]))
        output.note(f"failed: {name}: {output.visible(row['error'])} [{row['error_code']}]")
    else:
        output.data("  ".join(_cells(row)))


def events(place: Place, name: str, request: WatchRequest, *, as_json: bool) -> int:
    """Show the events of the last hours, the latest first."""
    from soundalike.anomalies.watching.watcher import event_json

    if service := place.service():
        found = service.normal.events(name, request)
    else:
        found = _stored_events(place, name, request)
    rows = [event_json(event) for event in found]
    if as_json:
        for row in rows:
            output.json_line(row)
    elif rows:
        header = ("recorded at", "result", "score", "recording", "unusual")
        output.table(output.columns([header, *map(_cells, rows)], right=(2,)))
    else:
        output.note(f"there are no events in the last {request.hours:g} hours")
    return 0


def _stored_events(place: Place, name: str, request: WatchRequest) -> list[WatchEvent]:
    from soundalike.store.normal_models import normal_not_found

    since = datetime.now(UTC) - timedelta(hours=request.hours)
    with opening.opened_store(place.settings()) as store:
        if name not in {one.name for one in store.normal_models()}:
            raise normal_not_found(name)
        return store.watch_events(
            name, since=since, only_anomalous=request.only_anomalous, limit=request.limit
        )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    at = datetime.fromisoformat(row["occurred_at"]).isoformat(" ", "seconds")
    name = output.visible(output.short_path(row["uri"]))
    if "error_code" in row:
        return at, "failed", "", name, str(row["error_code"])
    where = ", ".join(output.seconds(one["start_s"], one["end_s"]) for one in row["regions"])
    result = "ANOMALOUS" if row["is_anomalous"] else "normal"
    return at, result, f"{row['score']:.3f}", name, where
