"""``soundalike index --vectors``: a collection of what another program computed, found by vector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def files(tmp_path: Path, rng: np.random.Generator, sounds: Path) -> Path:
    """Write three vectors and their table beside a folder of sounds."""
    np.save(tmp_path / "v.npy", rng.standard_normal((3, 24)).astype(np.float32))
    (tmp_path / "rows.csv").write_text(
        "recording,start,end,label\nsounds/low/a.wav,0,3,low\nelsewhere.wav,0,3,\nelsewhere.wav,1,4,\n"
    )
    return tmp_path


def test_vectors_are_indexed_and_found(cli: Callable[..., Any], rows_of: Any, files: Path):
    given = ("--vectors", files / "v.npy", "--rows", files / "rows.csv", "--collection", "birds")
    done = cli("index", *given, "--encoder-name", "perch", "--json")
    assert done.returncode == 0
    first, second = rows_of(done)
    assert (first["uri"], second["uri"]) == (str(files / "sounds/low/a.wav"), "elsewhere.wav")
    assert "encoder perch (external), 24 dimensions, 3 s windows every 1 s" in done.stderr

    # Longer than half precision can hold.
    np.save(files / "q.npy", np.float32(1e6) * np.load(files / "v.npy")[2])
    done = cli("search", "--vector", files / "q.npy", "--collection", "birds", "--json")
    best, *_ = rows_of(done)
    assert (best["uri"], best["start_s"], best["end_s"]) == ("elsewhere.wav", 1.0, 4.0)

    done = cli("search", files / "sounds/low/a.wav", "--collection", "birds")
    assert (done.returncode, "[store.model_mismatch]" in done.stderr) == (5, True)
    assert cli("reindex", "--collection", "birds").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give PATH, or --vectors FILE"),
        (("--rows", "rows.csv"), "--rows needs --vectors"),
        (("sounds", "--vectors", "v.npy"), "PATH does not go with --vectors"),
        (("--vectors", "v.npy", "--prune"), "--prune does not go with --vectors"),
        (("--vectors", "v.npy", "--model", "auto"), "--model does not go with --vectors"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    cli: Callable[..., Any], arguments: tuple[str, ...], said: str
):
    done = cli("index", *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
