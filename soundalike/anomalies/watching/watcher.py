"""Score the new recordings of a folder, each once, also after a crash."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from soundalike.anomalies.detector import ScoredFile, check_same, score_files
from soundalike.anomalies.model import NormalModel
from soundalike.anomalies.packing import unpack
from soundalike.anomalies.watching.folder import WatchedFolder
from soundalike.anomalies.watching.hooks import Hook
from soundalike.anomalies.watching.metrics import WatchMetrics
from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.encoders.base import Encoder, index_spec
from soundalike.errors import AudioNotFound, ServiceError, SoundalikeError, StoreUnavailable
from soundalike.store.normal_models import NormalStore, WatchedFile, WatchEvent

_log = logging.getLogger(__name__)
#: Files that are scored together.
_BATCH = 32
_TICK_S = 0.5
#: Pauses while the disk or the database is gone: doubled from the first to the last.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
#: Seconds until hooks that failed are tried again.
_TELL_AGAIN_S = 60.0


class Watcher:
    """Scores the new recordings of a folder with a model, stores events, and tells hooks.

    Parameters
    ----------
    store : NormalStore
    name : str
        Name of the model; it may change while it is used.
    folder : WatchedFolder
    encoder : Encoder
        The model's.
    hooks : sequence of Hook
        Told anomalous recordings.
    metrics : WatchMetrics
    rules : StartTimeRules
        How to find out when a recording began.
    on_event : callable
        Called with each new event.
    """

    def __init__(
        self,
        store: NormalStore,
        name: str,
        folder: WatchedFolder,
        encoder: Encoder,
        *,
        hooks: Sequence[Hook] = (),
        metrics: WatchMetrics | None = None,
        rules: StartTimeRules | None = None,
        on_event: Callable[[WatchEvent], None] = lambda _: None,
    ) -> None:
        self._store, self._name, self._folder, self._encoder = store, name, folder, encoder
        self._hooks, self._metrics = hooks, metrics or WatchMetrics(name)
        self._rules, self._on_event = rules or StartTimeRules(), on_event
        self._stopped = threading.Event()
        self._model: NormalModel | None = None
        self._version = 0
        self._told_ago_s = _TELL_AGAIN_S

    def stop(self) -> None:
        """Let `run` return after the files that are being scored."""
        self._stopped.set()

    def run(self) -> None:
        """Watch until `stop` is called; wait longer and longer while disk or database are gone."""
        pause_s = _FIRST_PAUSE_S
        while not self._stopped.is_set():
            try:
                self.step()
            except (AudioNotFound, StoreUnavailable) as exc:
                _log.warning("%s; trying again in %g s", exc, pause_s)
                is_there = not isinstance(exc, AudioNotFound)
                self._metrics.note_folder(is_there=is_there, n_waiting=self._folder.n_waiting)
                self._stopped.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            self._told_ago_s += _TICK_S
            self._stopped.wait(_TICK_S)
        self._folder.close()

    def run_once(self) -> list[WatchEvent]:
        """Score the files that are there, once they are complete; return their events."""
        found = self.step()
        while self._folder.n_waiting and not self._stopped.is_set():
            self._stopped.wait(_TICK_S)
            found += self.step()
        self._folder.close()
        return found

    def step(self) -> list[WatchEvent]:
        """Score the files that are complete; return the new events.

        Raises
        ------
        AudioNotFound
            The folder cannot be read.
        StoreUnavailable
            The database cannot be reached; the files are tried again.
        """
        files = self._folder.settled()
        found: list[WatchEvent] = []
        try:
            known = self._store.watched(self._name, files) if files else set()
            files = [file for file in files if file not in known and not self._was_renamed(file)]
            while files and not self._stopped.is_set():
                found += self._score(files[:_BATCH])
                files = files[_BATCH:]
            if any(event.is_anomalous for event in found) or self._told_ago_s >= _TELL_AGAIN_S:
                self._tell()
        finally:
            self._folder.put_back(files)
        self._metrics.note_folder(is_there=True, n_waiting=self._folder.n_waiting)
        return found

    def _was_renamed(self, file: WatchedFile) -> bool:
        """Return whether a file was scored under another name; its new one is noted."""
        former = self._folder.former(file)
        return former is not None and self._store.rename_watched(self._name, former, file.uri)

    def _score(self, files: Sequence[WatchedFile]) -> list[WatchEvent]:
        model = self._current_model()
        scores = score_files(model, [file.uri for file in files], self._encoder)
        found = []
        for file, scored in zip(files, scores, strict=True):
            if isinstance(scored.error, AudioNotFound):
                # Its disk may be gone; a deleted file is forgotten.
                self._folder.put_back([file])
                continue
            event = self._event(file, scored)
            if self._store.put_watch_event(event):
                self._count(event, scored)
                self._on_event(event)
                found.append(event)
        return found

    def _current_model(self) -> NormalModel:
        """Return the model, read again where it has changed."""
        version = {one.name: one.version for one in self._store.normal_models()}.get(self._name)
        if self._model is None or version != self._version:
            summary, content = self._store.normal_model(self._name)
            model = unpack(content)
            plan = WindowPlan(model.spec.window_s, model.spec.stride_s)
            check_same(self._name, model.spec, index_spec(self._encoder, plan))
            self._model, self._version = model, summary.version
        return self._model

    def _event(self, file: WatchedFile, scored: ScoredFile) -> WatchEvent:
        details: dict[str, Any] = {"warnings": list(scored.warnings)}
        if scored.score is not None:
            details |= scored.score.to_json()
        elif scored.error is not None:
            details |= {"error_code": scored.error.code, "error": scored.error.message}
        is_anomalous = scored.score is not None and scored.score.is_anomalous
        at = self._start_of(file, scored)
        return WatchEvent(str(uuid.uuid4()), self._name, file, at, is_anomalous, details)

    def _start_of(self, file: WatchedFile, scored: ScoredFile) -> datetime:
        length_s = (
            max((window.end_s for window in scored.score.windows), default=0.0) if scored.score else 0
        )
        try:
            # In another process, because headers can be damaged too.
            found = shared().run(self._rules.start_of, Path(file.uri), None, None, length_s).at
        except SoundalikeError:
            # The file may be gone or damaged, which its score says.
            found = None
        return found or datetime.fromtimestamp(file.mtime_ns / 1e9, UTC) - timedelta(seconds=length_s)

    def _count(self, event: WatchEvent, scored: ScoredFile) -> None:
        if scored.score is None:
            self._metrics.count_file("failed")
            return
        relative = scored.score.score / scored.score.threshold if scored.score.threshold else None
        self._metrics.count_file("anomalous" if event.is_anomalous else "normal", relative)

    def _tell(self) -> None:
        """Tell the hooks all events that they were not told; an event that fails is told again later."""
        self._told_ago_s = 0.0
        if not self._hooks:
            return
        for event in self._store.untold_events(self._name):
            if self._stopped.is_set() or not self._tell_one(event):
                return
            self._store.mark_told(event)

    def _tell_one(self, event: WatchEvent) -> bool:
        message = event_json(event)
        failed = 0
        for hook in self._hooks:
            try:
                hook.tell(message)
            except ServiceError as exc:
                failed += 1
                _log.warning("%s; it is told again in %g s", exc, _TELL_AGAIN_S)
                self._metrics.count_hook(hook.name, is_ok=False)
            else:
                self._metrics.count_hook(hook.name, is_ok=True)
        return not failed


def event_json(event: WatchEvent) -> dict[str, Any]:
    """Return an event as JSON, as the command line prints it and hooks are told it."""
    return {
        "event_id": event.event_id,
        "name": event.name,
        "uri": event.file.uri,
        "occurred_at": event.occurred_at.isoformat(),
        "is_anomalous": event.is_anomalous,
        **event.details,
    }
