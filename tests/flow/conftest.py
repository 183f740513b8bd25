"""Sounds for the Flow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def small_files(
    tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator
) -> Callable[[int], list[Path]]:
    """Write as many different sounds of half a second as are asked for."""

    def write(count: int) -> list[Path]:
        return [
            write_wav(
                tmp_path / "small" / f"{n:03}.wav", 0.1 * rng.standard_normal(8_000), subtype="PCM_16"
            )
            for n in range(count)
        ]

    return write
