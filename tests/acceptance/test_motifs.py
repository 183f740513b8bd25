"""``soundalike motifs``: a planted sound, listed and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RATE_HZ = 16_000
PLACES_S = (10.0, 33.5, 61.2, 90.0)


def test_a_planted_sound_is_listed_and_exported(
    cli: Callable[..., Any],
    rows_of: Callable[[Any], list[dict[str, Any]]],
    write_wav: Callable[..., Path],
    tmp_path: Path,
):
    samples = 0.01 * np.random.default_rng(1).standard_normal(120 * RATE_HZ)
    time_s = np.arange(RATE_HZ) / RATE_HZ
    for at_s in PLACES_S:
        samples[round(at_s * RATE_HZ) :][:RATE_HZ] += 0.1 * np.sin(2 * np.pi * 1500 * time_s * time_s)
    write_wav(tmp_path / "in" / "night.wav", samples)
    model = {"SOUNDALIKE_MODEL": "logmel-modulation"}
    assert cli("motifs", **model).returncode == 5
    assert cli("index", tmp_path / "in", **model).returncode == 0

    done = cli("motifs", "--json", "--export", tmp_path / "motifs.csv", **model)
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(done)
    assert (row["motif"], row["count"], row["labels"]) == (1, 4, {"in": 4})
    begins_s = [event["start_s"] for event in row["events"]]
    assert np.allclose(begins_s, PLACES_S, atol=0.3)
    assert (tmp_path / "motifs.csv").read_text().count("motif 1") == 4

    table = cli("motifs", **model).stdout.splitlines()
    assert table[0].split()[:2] == ["motif", "count"]
    assert table[1].split()[:2] == ["1", "4"]
    assert cli("motifs", "--reread", "0", **model).returncode == 0
    none = cli("motifs", "--min-count", "9", **model)
    assert (none.returncode, none.stdout) == (0, "")
    assert "no sound occurs again" in none.stderr
    wrong = cli("motifs", "--min-count", "1", **model)
    assert wrong.returncode == 2
    assert "min_count" in wrong.stderr
