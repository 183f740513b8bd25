"""Several requests at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.fixtures.service import Service

RATE = 16_000


@pytest.fixture
def half_hour(tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator) -> Path:
    """Write a recording that keeps every executor busy for a while."""
    minute = rng.uniform(-0.3, 0.3, 60 * RATE)
    return write_wav(tmp_path / "half_hour.wav", np.tile(minute, 30), subtype="PCM_16")


def test_a_query_does_not_wait_for_a_long_recording(service: Service, toy_data: Path, half_hour: Path):
    siren = {"uri": str(toy_data / "siren" / "siren_1.mp3")}
    service.post("/index", siren)
    answered = []
    with ThreadPoolExecutor(1) as pool:
        indexing = pool.submit(service.post, "/index", {"uri": str(half_hour)})
        while not indexing.done():
            started = time.monotonic()
            answer = service.post("/search", siren, top_k=1)
            answered.append((time.monotonic() - started, indexing.done()))
            assert answer.json["data"][0]["matches"][0]["uri"] == siren["uri"]
        assert indexing.result().json["data"][0]["n_windows"] == 899

    # One at a time, the first of them would come back when the recording is through.
    assert sum(not was_done for _, was_done in answered) >= 3, answered


def test_requests_at_once_get_their_own_answers(service: Service, toy_data: Path):
    clips = [{"uri": str(path)} for path in sorted(toy_data.glob("*/*_1.*"))]
    assert len(clips) >= 9
    service.post("/index", *clips)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda clip: service.post("/search", clip, top_k=1), clips * 4)
        for clip, answer in zip(clips * 4, answers, strict=True):
            (found,) = answer.json["data"]
            assert (found["uri"], found["matches"][0]["uri"]) == (clip["uri"], clip["uri"])
