"""Fixtures of the unit tests: nothing here may reach a person's own data folder."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest


@pytest.fixture(autouse=True)
def _own_settings(clean_environ: Path) -> None:
    """No unit test sees the settings of whoever runs it."""


@pytest.fixture(scope="session")
def tone() -> Callable[..., npt.NDArray[np.float32]]:
    """Return ``tone(hz, seconds, rate=16000, peak=0.5)``: the samples of a sine."""

    def make(
        hz: float, seconds: float, rate: int = 16_000, peak: float = 0.5
    ) -> npt.NDArray[np.float32]:
        time_s = np.arange(round(seconds * rate)) / rate
        return (peak * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    """Return ``encode(path, mono, rate, codec, container)``: a file made with FFmpeg's libraries."""

    def write(path: Path, mono: npt.NDArray[np.float32], rate: int, codec: str, container: str) -> Path:
        with av.open(str(path), "w", format=container) as file:
            track = file.add_stream(codec, rate=rate, layout="mono")
            track.time_base = Fraction(1, rate)
            fifo = av.AudioFifo()
            frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, 0
            fifo.write(frame)
            size = track.codec_context.frame_size or 1024
            while part := fifo.read(size, partial=True):
                file.mux(track.encode(part))
            file.mux(track.encode(None))
        return path

    return write
