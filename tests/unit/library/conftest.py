"""A library in memory with some sounds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from soundalike import Library
from soundalike.store import MemoryStore

RATE = 16_000


def rising(low_hz: float, high_hz: float, seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    """Return a tone that rises again and again, in some noise."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    pitch = low_hz + (high_hz - low_hz) * (time_s * 2 % 1)
    noise = np.random.default_rng(seed).normal(0, 0.01, time_s.size)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + noise).astype(np.float32)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write eight sounds in two folders, and a file that cannot be read."""
    folder = tmp_path_factory.mktemp("sounds")
    for label, low_hz in (("deep", 200), ("high", 2000)):
        (folder / label).mkdir()
        for number in range(4):
            samples = rising(low_hz * (1 + number / 40), low_hz * 2, seed=number)
            soundfile.write(folder / label / f"{label}{number}.wav", samples, RATE)
    (folder / "broken.wav").write_bytes(b"RIFF of nothing")
    (folder / "notes.txt").write_text("no sound")
    return folder


@pytest.fixture(scope="module")
def library(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Index the sounds in memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOUNDALIKE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setattr("soundalike.library.opening.open_store", lambda settings: MemoryStore())
        with Library(collection="test", model="logmel-modulation") as found:
            found.index(sounds)
            yield found


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new libraries be in memory."""
    monkeypatch.setattr("soundalike.library.opening.open_store", lambda settings: MemoryStore())


@pytest.fixture
def copies(sounds: Path, tmp_path: Path) -> Path:
    """Copy the deep sounds into a folder of the test's own."""
    return Path(shutil.copytree(sounds / "deep", tmp_path / "deep"))
