"""Indexing in one process, beside the naive way of doing it."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import psycopg2

from soundalike.audio.log_mel import mel_matrix
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.modulation import Modulation, raw_features
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.store import open_store
from soundalike.store.embedded import EmbeddedServer
from soundalike.types import FloatArray


def measure(sounds: Sequence[Path], settings: Settings) -> dict[str, Any]:
    """Return the seconds that indexing takes from files to committed rows."""
    librosa.load(sounds[0], sr=16_000)  # its first call compiles
    server = EmbeddedServer(settings.data_dir)
    connection = server.acquire()
    try:
        naive_s = _timed(lambda: naive(sounds, connection))
    finally:
        connection.close()
    store = open_store(settings)
    try:
        pipeline = Pipeline(store, Modulation(), WindowPlan())
        items = [IndexItem(str(path)) for path in sounds]
        pipeline_s = _timed(lambda: list(pipeline.index(items)))
        again_s = _timed(lambda: list(pipeline.index(items)))
        windows = store.status().windows
    finally:
        store.close()
        server.release()
    audio_s = sum(librosa.get_duration(path=path) for path in sounds)
    return {
        "audio_s": round(audio_s, 1),
        "windows": windows,
        "naive_s": round(naive_s, 2),
        "pipeline_s": round(pipeline_s, 2),
        "pipeline_times_naive": round(naive_s / pipeline_s, 2),
        "pipeline_times_real_time": round(audio_s / pipeline_s, 1),
        "unchanged_s": round(again_s, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def naive(sounds: Sequence[Path], connection: psycopg2.extensions.connection) -> None:
    """Index as the tutorials do: load with librosa, window by window, a statement for each."""
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
        cursor.execute(
            "CREATE TABLE naive (file text, start_s real, embedding vector(512), "
            "PRIMARY KEY (file, start_s))"
        )
    for path in sounds:
        samples, _ = librosa.load(path, sr=16_000)
        for start in range(0, len(samples) - 64_000 + 1, 32_000):
            vector = _embed_window(samples[start : start + 64_000])
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO naive VALUES (%s, %s, %s)",
                    (str(path), start / 16_000, str(vector.tolist())),
                )


def _embed_window(window: FloatArray) -> FloatArray:
    """Return the raw features of a window's four seconds, frame by frame in float64."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    count = 1 + (len(window) - 400) // 160
    frames = np.stack([window[160 * t : 160 * t + 400] * hann for t in range(count)])
    log_mel = np.log(np.abs(np.fft.rfft(frames, 512)) @ mel_matrix() + 0.01)
    patches = np.stack([log_mel[96 * k : 96 * (k + 1)] for k in range(4)]).astype(np.float32)
    return raw_features(patches).reshape(-1)


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
