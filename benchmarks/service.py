"""A service with an archive behind it, asked over HTTP: uploads one by one, and by many at once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import requests

from benchmarks.vectors import Archive
from soundalike.audio.segmenter import segment
from soundalike.audio.sources import resolve_path
from soundalike.audio.windows import WindowPlan
from soundalike.cli.demo import running_service
from soundalike.cli.serve import find_flow
from soundalike.config import Settings
from soundalike.encoders.base import Encoder, index_spec
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.store import open_store
from soundalike.store.base import Entry
from soundalike.types import IndexSpec, Recording, Window

_WINDOWS = [Window(n, 2.0 * n, 2.0 * n + 4.0) for n in range(5)]
_RECORDINGS_AT_ONCE = 320
_WARM_UP, _SEARCHES = 20, 100
_USERS, _SEARCHES_EACH = 16, 12


def measure(sound: Path, settings: Settings, windows: int) -> dict[str, Any]:
    """Return the latency of searches by upload, one by one and by 16 users at once.

    Parameters
    ----------
    sound : Path
        What is uploaded each time.
    settings : Settings
        The encoder, and an empty data folder.
    windows : int
        How many made-up windows the archive holds.
    """
    encoder = load_encoder(
        settings.model, settings.weights_dir, settings.checkpoint, precision=settings.precision
    )
    plan = WindowPlan()
    fill(settings, index_spec(encoder, plan), windows)
    alone_s = _encoder_alone(sound, encoder, plan)
    with running_service(find_flow(None), settings) as service, requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=_USERS))
        content = sound.read_bytes()

        def search(_: int) -> float:
            return _search(session, service.url, content)

        latencies = list(map(search, range(_WARM_UP + _SEARCHES)))[_WARM_UP:]
        began = time.perf_counter()
        with ThreadPoolExecutor(_USERS) as users:
            waited = list(users.map(search, range(_USERS * _SEARCHES_EACH)))
        together_s = (time.perf_counter() - began) / len(waited)
    return {
        "encoder": encoder.name,
        "windows": windows,
        "one_by_one": _summary(latencies),
        f"{_USERS}_at_once": {
            **_summary(waited),
            "searches_a_second": round(1 / together_s, 1),
            "encoder_alone_a_second": round(1 / alone_s, 1),
            "of_the_encoder_alone": round(alone_s / together_s, 2),
        },
    }


def fill(settings: Settings, spec: IndexSpec, windows: int) -> None:
    """Store made-up windows; the encoder's own would take hours."""
    archive = Archive(windows=len(_WINDOWS))
    store = open_store(settings)
    try:
        for begin in range(0, windows // len(_WINDOWS), _RECORDINGS_AT_ONCE):
            count = min(_RECORDINGS_AT_ONCE, windows // len(_WINDOWS) - begin)
            entries = [
                Entry(_recording(begin + number), _WINDOWS, rows)
                for number, rows in enumerate(archive.recordings(count))
            ]
            store.add_many(entries, spec)
        store.finish_batch()
    finally:
        store.close()


def _recording(number: int) -> Recording:
    return Recording(str(uuid.UUID(int=number)), f"/archive/{number}.wav", 12.0, "kind")


def _encoder_alone(sound: Path, encoder: Encoder, plan: WindowPlan) -> float:
    """Return the seconds that embedding takes for each of many such clips, in full batches."""
    cut = segment(resolve_path(str(sound)), plan)
    clips = [CutRecording(cut.samples, cut.windows)] * _USERS
    embed_windows(clips, encoder, plan)
    began = time.perf_counter()
    for _ in range(4):
        embed_windows(clips, encoder, plan)
    return (time.perf_counter() - began) / (4 * len(clips))


def _search(session: requests.Session, url: str, content: bytes) -> float:
    """Search by upload; return the milliseconds."""
    began = time.perf_counter()
    answer = session.post(f"{url}/api/search", files={"file": ("clip.mp3", content)}, timeout=60)
    answer.raise_for_status()
    assert answer.json()["matches"]
    return (time.perf_counter() - began) * 1e3


def _summary(latencies: Sequence[float]) -> dict[str, float]:
    quantiles = np.percentile(latencies, [50, 95])
    return {"p50_ms": round(float(quantiles[0]), 1), "p95_ms": round(float(quantiles[1]), 1)}
