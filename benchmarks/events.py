"""Events in long recordings: how well they are found, and how fast.

``python -m benchmarks.events --clips FOLDER --output events.json`` mixes labelled clips into noise.
Their names have a fold; queries and events are of different folds. Without ``--clips`` only made sounds
are mixed, and only speed is measured with ``--no-quality``.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.event_mixes import RATE_HZ, Clip, Mixed, clips_of, made_clips, mix
from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.evaluation.event_scores import Span, score_events
from soundalike.events.find import find_events
from soundalike.events.listening import Listener
from soundalike.events.requests import EventsRequest
from soundalike.events.types import Event
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.search.queries import EmbeddedQuery, Query
from soundalike.store import MemoryStore, PostgresStore, open_store
from soundalike.store.base import Entry
from soundalike.types import FloatArray, IndexSpec, Recording, Window

#: ``(kind of set, snr_db)``: the goals of the two questions.
GOALS_SAME = {20: 0.96, 10: 0.90, 0: 0.82}
GOALS_KIND = {20: 0.68, 10: 0.62}
GOAL_ONSET_S = 0.3
GOALS_SPEED_S = {"archive": 1.0, "day": 0.3}
_NEAR_S = 1.0
_SPEC = IndexSpec("bench", "bench", 512, 4.0, 2.0)


class _Indexed:
    """A mix in an index of its own."""

    def __init__(self, mixed: Mixed, folder: Path, model: str, reread_s: float) -> None:
        self.mixed = mixed
        path = folder / f"{uuid.uuid4().hex}.wav"
        soundfile.write(path, mixed.samples, RATE_HZ, subtype="PCM_16")
        encoder = load_encoder(model, Settings.from_env().weights_dir)
        self._pipeline = Pipeline(MemoryStore(), encoder, WindowPlan())
        (result,) = self._pipeline.index([IndexItem(str(path))])
        assert result.outcome == "added", result
        self._listener = Listener(encoder, shared())
        self._reread_s = reread_s

    def events(self, clip: Clip) -> list[Event]:
        file = io.BytesIO()
        peak = max(1.0, float(np.abs(clip.samples).max()))
        soundfile.write(file, clip.samples / peak, RATE_HZ, format="WAV", subtype="FLOAT")
        request = EventsRequest(
            Query(file.getvalue()), min_score=-1.0, order="score", reread_s=self._reread_s
        )
        query = self._pipeline.embedded(request.query)
        return list(find_events(self._pipeline.store, query, request, listener=self._listener))


def quality(
    clips: Sequence[Clip],
    kinds: Sequence[str],
    levels: Sequence[float],
    *,
    model: str,
    per_label: int,
    reread_s: float,
    stretch: float = 1.0,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each background and level: the same recording, and another of its kind."""
    folds = sorted({clip.fold for clip in clips})
    for kind in kinds:
        for level in levels:
            found: dict[str, list[Any]] = defaultdict(list)
            began = time.perf_counter()
            for number, fold in enumerate(folds):
                with tempfile.TemporaryDirectory(prefix="soundalike-bench-") as folder:
                    inside = [clip for clip in clips if clip.fold == fold]
                    mixed = mix(inside, kind, level, seed=100 + number)
                    indexed = _Indexed(mixed, Path(folder), model, reread_s)
                    _same(indexed, found, per_label * 2, stretch)
                    others = [clip for clip in clips if clip.fold != fold]
                    _kind(indexed, others, found, per_label)
            yield {
                "background": kind,
                "snr_db": level,
                "encoder": model,
                "reread_s": reread_s,
                "same_stretched_by": stretch,
                "same_first_within_1_s": round(float(np.mean(found["same"])), 3),
                "same_goal": GOALS_SAME.get(round(level)),
                "kind_average_precision": round(float(np.mean(found["average"])), 3),
                "kind_goal": GOALS_KIND.get(round(level)),
                "kind_f1": round(float(np.mean(found["f1"])), 3),
                "onset_error_s": round(float(np.nanmedian(found["onset"])), 3),
                "onset_goal_s": GOAL_ONSET_S,
                "by_label": {
                    key.removeprefix("label "): round(float(np.mean(values)), 3)
                    for key, values in sorted(found.items())
                    if key.startswith("label ")
                },
                "seconds": round(time.perf_counter() - began, 1),
            }


def _some(clips: Sequence[Clip], per_label: int) -> list[Clip]:
    rng = np.random.default_rng(3)
    chosen: list[Clip] = []
    for label in sorted({clip.label for clip in clips}):
        for fold in sorted({clip.fold for clip in clips}):
            here = [clip for clip in clips if clip.label == label and clip.fold == fold]
            chosen += [here[row] for row in rng.permutation(len(here))[:per_label]]
    return chosen


def _same(indexed: _Indexed, found: dict[str, list[Any]], per_label: int, stretch: float = 1.0) -> None:
    inside = [clip for clip, _, _ in indexed.mixed.events]
    for clip in _some(inside, per_label):
        (at_s,) = (begin_s for other, begin_s, _ in indexed.mixed.events if other is clip)
        asked = clip if stretch == 1 else replace(clip, samples=_stretched(clip.samples, stretch))
        first = next(iter(indexed.events(asked)), None)
        found["same"].append(first is not None and abs(first.start_s - at_s) <= _NEAR_S)


def _stretched(samples: FloatArray, factor: float) -> FloatArray:
    """Return sound that takes so many times as long at the same pitch."""
    import librosa

    found: FloatArray = librosa.effects.time_stretch(samples, rate=1 / factor)
    return found


def _kind(indexed: _Indexed, clips: Sequence[Clip], found: dict[str, list[Any]], per_label: int) -> None:
    for clip in _some(clips, per_label):
        known = [
            Span(0, begin_s, end_s)
            for other, begin_s, end_s in indexed.mixed.events
            if other.label == clip.label
        ]
        spans = [Span(0, one.start_s, one.end_s, one.score) for one in indexed.events(clip)]
        scores = score_events(known, spans)
        found["average"].append(scores.average_precision)
        found["f1"].append(scores.f1)
        found["onset"].append(scores.onset_error_s)
        found[f"label {clip.label}"].append(scores.average_precision)


def speed(hours: int = 100, calls: int = 7) -> Iterator[dict[str, Any]]:
    """Yield the seconds of all events in an archive of one-hour recordings, and in one of a day."""
    with tempfile.TemporaryDirectory(prefix="soundalike-bench-") as folder:
        store = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": folder}))
        try:
            query = _made_query()
            day = str(uuid.uuid4())
            for number in range(hours):
                _store(store, str(uuid.uuid4()), 1800, number, query.embeddings[2:3])
            request = EventsRequest(Query(vector=query.embeddings[0]))
            yield _timed("archive", store, query, request, calls, hours)
            _store(store, day, 43_200, hours, query.embeddings[2:3])
            request = EventsRequest(Query(vector=query.embeddings[0]), recording=day)
            yield _timed("day", store, query, request, calls, 24)
        finally:
            store.close()


def _made_query() -> EmbeddedQuery:
    """Return a query of 10 s, as four windows."""
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((4, _SPEC.dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    windows = [Window(n, 2.0 * n, 2.0 * n + 4.0) for n in range(4)]
    return EmbeddedQuery("query", None, windows, rows, _SPEC, 10.0)


def _store(store: PostgresStore, key: str, n_windows: int, seed: int, planted: FloatArray) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_windows, _SPEC.dimension), dtype=np.float32)
    rows[50::300] += 40 * planted
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    windows = [Window(n, 2.0 * n, 2.0 * n + 4.0) for n in range(n_windows)]
    at = datetime(2025, 5, 1, tzinfo=UTC) + timedelta(hours=seed)
    recording = Recording(key, f"/archive/{key}.wav", 2.0 * n_windows + 2.0, recorded_at=at)
    store.add_many([Entry(recording, windows, rows)], _SPEC)


def _timed(
    name: str,
    store: PostgresStore,
    query: EmbeddedQuery,
    request: EventsRequest,
    calls: int,
    hours: int,
) -> dict[str, Any]:
    spent, count = [], 0
    for _ in range(calls):
        began = time.perf_counter()
        count = sum(1 for _ in find_events(store, query, request))
        spent.append(time.perf_counter() - began)
    return {
        "speed": name,
        "hours": hours,
        "events": count,
        "median_s": round(float(np.median(spent)), 3),
        "worst_s": round(max(spent), 3),
        "goal_s": GOALS_SPEED_S[name],
    }


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks.events", description=__doc__)
    parser.add_argument("--clips", type=Path, help="labelled folder, with folds in the names")
    parser.add_argument("--fold-pattern", default=r"^(\d)-")
    parser.add_argument("--model", default="logmel-modulation")
    parser.add_argument("--levels", type=float, nargs="+", default=[20.0, 10.0, 0.0])
    parser.add_argument("--backgrounds", nargs="+", default=["pink"])
    parser.add_argument("--per-label", type=int, default=2, help="queries of each label and fold")
    parser.add_argument("--reread", type=float, default=EventsRequest.reread_s)
    parser.add_argument("--stretch", type=float, default=1.0, help="of the queries that are inside")
    parser.add_argument("--no-quality", action="store_true")
    parser.add_argument("--no-speed", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("bench-events.json"))
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def add(row: dict[str, Any]) -> None:
        rows.append(row)
        print(json.dumps(row), flush=True)

    if not arguments.no_speed:
        for row in speed():
            add(row)
    if not arguments.no_quality:
        clips = clips_of(arguments.clips, arguments.fold_pattern) if arguments.clips else made_clips()
        for row in quality(
            clips,
            arguments.backgrounds,
            arguments.levels,
            model=arguments.model,
            per_label=arguments.per_label,
            reread_s=arguments.reread,
            stretch=arguments.stretch,
        ):
            add(row)
    arguments.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
