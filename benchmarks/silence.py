"""What silent windows would do to the vector index, on real clips: a fifth of all windows is silence.

``python -m benchmarks.silence FOLDER`` cuts the clips into short windows, adds recordings of digital
silence before them, and compares the recall of the index with them in it and, as the store does it,
without.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from soundalike.audio.files import find_files
from soundalike.audio.segmenter import segment
from soundalike.audio.sources import resolve_path
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.base import index_spec
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.encoders.modulation import Modulation
from soundalike.filters import Filters
from soundalike.store import PostgresStore
from soundalike.store.base import Entry
from soundalike.store.opening import open_database
from soundalike.types import FloatArray, Recording, Window

_PLAN = WindowPlan(1.0, 0.1)
_SILENT_SHARE = 0.2
_QUERIES = 400
_TOP_K = 10


def measure(folder: Path, settings: Settings) -> dict[str, Any]:
    """Return the recall with the silent windows in the index and without."""
    clips = [segment(resolve_path(str(path)), _PLAN) for path in find_files([str(folder)]).files]
    cut = [CutRecording(clip.samples, clip.windows) for clip in clips]
    rows = embed_windows(cut, Modulation(), _PLAN)
    heard = [_loud(clip.windows, vectors) for clip, vectors in zip(clips, rows, strict=True)]
    n_windows = sum(len(windows) for windows, _ in heard)
    n_silent = round(n_windows * _SILENT_SHARE / (1 - _SILENT_SHARE))
    (silence,) = embed_windows([_silence(n_silent)], Modulation(), _PLAN)
    if not silence.any():
        # An encoder that gives nothing for silence cannot do harm; most, VGGish too, give a constant.
        silence = np.full_like(silence, silence.shape[1] ** -0.5)
    report: dict[str, Any] = {"windows": n_windows, "silent": n_silent}
    for name, is_silent in (("in_the_index", False), ("kept_out", True)):
        database, release = open_database(settings)
        store = PostgresStore(database, on_close=release, exact_below=1000)
        try:
            store.reset()
            silent = [Window(n, n / 10, n / 10 + 1, is_silent=is_silent) for n in range(n_silent)]
            for number, (windows, vectors) in enumerate([(silent, silence), *heard]):
                recording = Recording(str(UUID(int=number)), f"/{number}.wav", 60.0)
                store.add_many([Entry(recording, windows, vectors)], index_spec(Modulation(), _PLAN))
            store.finish_batch()
            report[name] = _recall(store, np.concatenate([vectors for _, vectors in heard]))
        finally:
            store.close()
    return report


def _loud(windows: Sequence[Window], vectors: FloatArray) -> tuple[list[Window], FloatArray]:
    kept = [window for window in windows if window.quality == "ok"]
    numbered = [replace(window, index=number) for number, window in enumerate(kept)]
    return numbered, vectors[[window.index for window in kept]]


def _silence(count: int) -> CutRecording:
    windows = [Window(n, n / 10, n / 10 + 1, is_silent=True) for n in range(count)]
    return CutRecording(np.zeros(1600 * count + 16_000, np.float32), windows)


def _recall(store: PostgresStore, vectors: FloatArray) -> dict[str, float]:
    """Return how often a stored window finds itself, and the ten that are exactly nearest."""
    spec = index_spec(Modulation(), _PLAN)
    rng = np.random.default_rng(0)
    itself = nearest = 0
    for number in rng.choice(len(vectors), _QUERIES, replace=False):
        scores = vectors @ vectors[number]
        tenth = np.sort(scores)[-_TOP_K]
        found = store.search(vectors[number][np.newaxis], spec, top_k=_TOP_K, filters=Filters()).hits
        best = sorted((hit.score for hit in found), reverse=True)[:_TOP_K]
        itself += bool(best) and best[0] > 1 - 1e-3
        nearest += sum(score >= tenth - 1e-3 for score in best)
    return {
        "finds_itself": round(itself / _QUERIES, 4),
        "recall_at_10": round(nearest / (_QUERIES * _TOP_K), 4),
    }


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(prog="benchmarks.silence", description=__doc__)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soundalike-bench-") as folder:
        settings = Settings.from_env({"SOUNDALIKE_DATA_DIR": folder})
        print(json.dumps(measure(arguments.folder, settings)))


if __name__ == "__main__":
    main()
