"""Files of every format are made once for all tests of this folder; they need the ffmpeg program."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures import formats
from tests.fixtures.formats import Format

Maker = Callable[..., Path]


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    if formats.FFMPEG is None:
        pytest.skip("the ffmpeg program is not installed")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Return ``made(format, length_s, rate_hz, n_channels)``: a file without an extension."""
    folder = tmp_path_factory.mktemp("formats")
    known: dict[tuple[object, ...], Path] = {}

    def make(one: Format, *arguments: float) -> Path:
        if not formats.can_make(one):
            pytest.skip(f"this ffmpeg has no encoder for {one.name}")
        key = (one, *arguments)
        if key not in known:
            known[key] = one.make(folder / f"sound{len(known)}", *arguments)
        return known[key]

    return make
