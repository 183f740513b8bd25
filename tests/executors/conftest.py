"""Executors as Jina makes them, from their ``config.yml``, and sounds to give to them."""

from __future__ import annotations

# Before Jina: it keeps DocArray from importing TensorFlow, which takes every worker seconds.
import executors  # noqa: F401

# isort: split
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jina import Executor

RATE_HZ = 16_000


@pytest.fixture
def load_executor(
    project: Path, clean_environ: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Load an executor by the name of its folder, with parameters as flow.yml would give them."""
    # Sounds of tests lie anywhere.
    monkeypatch.setenv("SOUNDALIKE_ROOTS", "/")
    loaded: list[Any] = []

    def load(name: str, **parameters: Any) -> Any:
        config = project / "executors" / name / "config.yml"
        loaded.append(Executor.load_config(str(config), uses_with=parameters))
        return loaded[-1]

    yield load
    for executor in loaded:
        executor.close()


@pytest.fixture
def tone_file(tmp_path: Path, write_wav: Callable[..., Path]) -> Callable[..., Path]:
    """Write a tone: ``tone_file(name, frequency_hz=440, duration_s=10.0)``."""

    def write(
        name: str = "sounds/tone.wav", frequency_hz: float = 440.0, duration_s: float = 10.0
    ) -> Path:
        time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
        wave = 0.3 * np.sin(2 * np.pi * frequency_hz * time_s) * (1 + np.sin(2 * np.pi * 3 * time_s)) / 2
        return write_wav(tmp_path / name, wave.astype(np.float32))

    return write


@pytest.fixture
def noise_file(
    tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator
) -> Callable[..., Path]:
    """Write another noise at each call: ``noise_file(name, duration_s=10.0)``."""

    def write(name: str = "sounds/noise.wav", duration_s: float = 10.0) -> Path:
        wave = 0.1 * rng.standard_normal(round(duration_s * RATE_HZ))
        return write_wav(tmp_path / name, wave.astype(np.float32))

    return write
