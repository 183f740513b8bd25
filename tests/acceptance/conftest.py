"""The command line on a database of the test's own, and folders of sounds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RATE_HZ = 16_000

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def cli(soundalike: Callable[..., Done], database_url: str) -> Callable[..., Done]:
    """Run a command on the test's database; a fault of Soundalike itself is never right."""

    def run(*arguments: Any, **options: Any) -> Done:
        done = soundalike(*arguments, **{"SOUNDALIKE_DATABASE_URL": database_url, **options})
        assert "Traceback" not in done.stderr, done.stderr
        assert "a fault in Soundalike itself" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def start(
    command_environ: dict[str, str], database_url: str
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command on the test's database in a process of its own, and do not wait for it."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "soundalike", *arguments],
            env={**command_environ, "SOUNDALIKE_DATABASE_URL": database_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Done], list[dict[str, Any]]]:
    """Read JSON lines from stdout, on which nothing else may be."""

    def read(done: Done) -> list[dict[str, Any]]:
        return [json.loads(line) for line in done.stdout.splitlines()]

    return read


@pytest.fixture(scope="session")
def write_tone(write_wav: Callable[..., Path]) -> Callable[..., Path]:
    """Write a tone: ``write_tone(path, frequency_hz, duration_s=10.0)``."""

    def write(path: Path, frequency_hz: float, duration_s: float = 10.0) -> Path:
        time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
        return write_wav(path, 0.3 * np.sin(2 * np.pi * frequency_hz * time_s), subtype="PCM_16")

    return write


@pytest.fixture
def sounds(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    """Make a folder of two labels: low/a.wav, low/b.wav, high/deep/c.wav."""
    folder = tmp_path / "sounds"
    write_tone(folder / "low" / "a.wav", 200.0)
    write_tone(folder / "low" / "b.wav", 220.0)
    write_tone(folder / "high" / "deep" / "c.wav", 3000.0)
    return folder
