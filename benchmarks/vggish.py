"""VGGish through the Flow, indexing and searching, beside the way of tutorials: a session run a window.

The weights are made up; the time does not depend on them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import psycopg2

from benchmarks import network
from benchmarks.flow import memory_by_process
from soundalike.audio.log_mel import mel_matrix
from soundalike.cli.demo import Service, running_service
from soundalike.cli.serve import find_flow
from soundalike.config import Settings
from soundalike.encoders.runtime import has_bfloat16
from soundalike.encoders.vggish.reference import load_float32
from soundalike.store.embedded import EmbeddedServer
from soundalike.types import FloatArray
from tests.fixtures.checkpoint import write_checkpoint

_BATCH = 16
#: Requests under way at a time, as Jina's client sends them.
_IN_FLIGHT = 4
_EXAMPLE_HOP_FRAMES = 96
#: Searches one after the other; the first are slower and the median leaves them out.
_SEARCHES = 20


def measure(sounds: Sequence[Path], root: Path) -> dict[str, Any]:
    """Return the seconds that each way takes for the same files, and their ratios."""
    checkpoint = write_checkpoint(root / "vggish_model.ckpt")
    precisions = ["float32", *(["bfloat16"] if has_bfloat16() else [])]
    report: dict[str, Any] = {"network": network.compare(checkpoint, precisions)}
    audio_s = sum(librosa.get_duration(path=path) for path in sounds)
    window_by_window_s = _window_by_window(sounds, checkpoint, root / "naive")
    report["audio_s"] = round(audio_s, 1)
    report["window_by_window_s"] = round(window_by_window_s, 2)
    for precision in precisions:
        settings = replace(
            Settings.from_env(
                {"SOUNDALIKE_DATA_DIR": str(root / precision), "SOUNDALIKE_ROOTS": str(root)}
            ),
            checkpoint=checkpoint,
            model="vggish",
            precision=precision,
        )
        taken = _flow(sounds, settings)
        report[f"flow_{precision}"] = {
            **taken,
            "times_window_by_window": round(window_by_window_s / taken["index_s"], 2),
            "times_real_time": round(audio_s / taken["index_s"], 1),
        }
    return report


def _flow(sounds: Sequence[Path], settings: Settings) -> dict[str, Any]:
    started = time.perf_counter()
    with running_service(find_flow(None), settings) as service:
        ready_s = time.perf_counter() - started
        # Wakes every executor and makes the tables.
        service.post("/index", [{"uri": str(sounds[0])}])
        service.post("/delete", [{"uri": str(sounds[0])}])
        started = time.perf_counter()
        _index(service, sounds)
        index_s = time.perf_counter() - started
        search_ms = [_search(service, path) for path in sounds[:_SEARCHES]]
        memory = memory_by_process()
    return {
        "ready_s": round(ready_s, 2),
        "index_s": round(index_s, 2),
        "search_ms_p50": round(statistics.median(search_ms), 1),
        "memory_mb": memory,
    }


def _search(service: Service, path: Path) -> float:
    """Return the milliseconds of a search by a file on the service's machine."""
    started = time.perf_counter()
    (found,) = service.post("/search", [{"uri": str(path)}])
    assert not found["error_code"], found
    return (time.perf_counter() - started) * 1e3


def _index(service: Service, sounds: Sequence[Path]) -> None:
    def post(begin: int) -> None:
        documents = [{"uri": str(path)} for path in sounds[begin : begin + _BATCH]]
        failed = [row for row in service.post("/index", documents) if row["outcome"] != "added"]
        assert not failed, failed

    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        list(pool.map(post, range(0, len(sounds), _BATCH)))


def _window_by_window(sounds: Sequence[Path], checkpoint: Path, folder: Path) -> float:
    """Load with librosa; for each window its own spectrogram, session run, statement and commit."""
    reference = load_float32(checkpoint)
    librosa.load(sounds[0], sr=16_000)
    reference(np.zeros((4, 96, 64), np.float32))
    server = EmbeddedServer(folder)
    connection = server.acquire()
    try:
        started = time.perf_counter()
        _index_window_by_window(sounds, reference, connection)
        return time.perf_counter() - started
    finally:
        connection.close()
        server.release()


def _index_window_by_window(
    sounds: Sequence[Path],
    reference: Callable[[FloatArray], FloatArray],
    connection: psycopg2.extensions.connection,
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
        cursor.execute("CREATE TABLE naive (file text, start_s real, embedding vector(512))")
    for path in sounds:
        samples, _ = librosa.load(path, sr=16_000)
        for start in range(0, len(samples) - 64_000 + 1, 32_000):
            patches = _example(samples[start : start + 64_000])
            vector = reference(patches).reshape(-1)
            with connection, connection.cursor() as cursor:
                row = (str(path), start / 16_000, str(vector.tolist()))
                cursor.execute("INSERT INTO naive VALUES (%s, %s, %s)", row)


def _example(window: FloatArray) -> FloatArray:
    """Return the four patches of a window, 0.96 s apart, in float64 as upstream computes them."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    count = 1 + (len(window) - 400) // 160
    frames = np.lib.stride_tricks.sliding_window_view(window, 400)[::160] * hann
    log_mel = np.log(np.abs(np.fft.rfft(frames, 512)) @ mel_matrix() + 0.01)
    hop = _EXAMPLE_HOP_FRAMES
    patches = [log_mel[begin : begin + hop] for begin in range(0, count - hop + 1, hop)]
    return np.stack(patches).astype(np.float32)
