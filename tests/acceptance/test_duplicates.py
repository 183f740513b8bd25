"""``soundalike duplicates``: groups of copies, as a table and as JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RATE_HZ = 16_000


def test_copies_are_listed_and_stay(
    cli: Callable[..., Any],
    rows_of: Callable[[Any], list[dict[str, Any]]],
    write_wav: Callable[..., Path],
    tmp_path: Path,
):
    rng = np.random.default_rng(1)
    sound, other = 0.1 * rng.standard_normal((2, 12 * RATE_HZ))
    write_wav(tmp_path / "in" / "sound.wav", sound)
    write_wav(tmp_path / "in" / "part.wav", 0.5 * sound[3 * RATE_HZ : 8 * RATE_HZ])
    write_wav(tmp_path / "in" / "other.wav", other)
    model = {"SOUNDALIKE_MODEL": "logmel-modulation"}
    assert cli("duplicates", **model).returncode == 5
    assert cli("index", tmp_path / "in", **model).returncode == 0

    done = cli("duplicates", "--json", "--under", tmp_path / "in", **model)
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(done)
    assert [Path(member["uri"]).name for member in row["members"]] == ["sound.wav", "part.wav"]
    assert [member["suggestion"] for member in row["members"]] == ["keep", "remove"]
    assert abs(row["members"][1]["offset_s"] - 3.0) < 0.001
    assert "nothing was deleted" in done.stderr

    table = cli("duplicates", **model).stdout.splitlines()
    assert table[0] == "group 1: 2 files"
    assert table[2].split()[0] == "remove"
    assert len(list((tmp_path / "in").iterdir())) == 3
    none = cli("duplicates", "--under", tmp_path / "in" / "other.wav", **model)
    assert (none.returncode, none.stdout) == (0, "")
    assert "no copies were found" in none.stderr
    nothing = cli("duplicates", "--under", tmp_path / "else", **model)
    assert (nothing.returncode, nothing.stdout) == (5, "")
    assert "check the path" in nothing.stderr
    wrong = cli("duplicates", "--min-score", "2", **model)
    assert wrong.returncode == 2
    assert "min_score" in wrong.stderr
