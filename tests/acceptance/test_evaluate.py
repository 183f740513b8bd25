"""``soundalike evaluate`` on the toy data: each clip queries all others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
CLASSES = 9


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, toy_data: Path) -> Path:
    """Copy the folders of the toy data that hold the clips of a class."""
    folder = tmp_path_factory.mktemp("labelled")
    for path in sorted(toy_data.iterdir()):
        if path.is_dir() and list(path.glob(f"{path.name}_1.*")):
            shutil.copytree(path, folder / path.name)
    assert len(list(folder.iterdir())) == CLASSES
    return folder


def test_most_clips_find_their_own_class_first(
    soundalike: Cli, rows_of: Callable[..., Any], labelled: Path, data_dir: Path
):
    done = soundalike("evaluate", labelled, "--json")

    assert done.returncode == 0, done.stderr
    (found,) = rows_of(done)
    assert found.keys() >= {"encoder", "n_clips", "p_at_1", "p_at_5", "map", "mrr"}
    assert (found["encoder"], found["n_clips"], found["n_labels"]) == ("logmel-modulation", 36, CLASSES)
    assert 0.6 < found["p_at_1"] <= 1
    # Three clips of a class are left for each query.
    assert 0.3 < found["p_at_5"] <= 0.6
    assert 0.5 < found["map"] <= 1
    assert found["p_at_1"] <= found["mrr"] <= 1
    assert not data_dir.exists(), "no database is needed"


def test_a_querys_own_fold_is_left_out(soundalike: Cli, rows_of: Callable[..., Any], labelled: Path):
    """With the label as fold nothing relevant is left; with the take as fold everything is."""
    by_take = soundalike("evaluate", labelled, "--json", "--fold-pattern", r"_(\d)\.")
    nothing_left = soundalike("evaluate", labelled, "--json", "--fold-pattern", r"^[a-z_]+_")

    assert rows_of(by_take)[0]["n_queries"] == 36
    assert rows_of(by_take)[0]["p_at_1"] > 0.5
    assert (nothing_left.returncode, nothing_left.stdout) == (2, "")
    assert "fold pattern" in nothing_left.stderr


def test_a_clip_that_cannot_be_read_is_named_and_the_rest_is_done(
    soundalike: Cli, rows_of: Callable[..., Any], sounds: Path
):
    (sounds / "low" / "broken.wav").write_bytes(b"RIFF????WAVE")
    done = soundalike("evaluate", sounds, "--json")

    assert done.returncode == 3
    (found,) = rows_of(done)
    assert (found["n_clips"], found["n_queries"], found["failed"]) == (3, 2, 1)
    assert found["p_at_1"] == 1
    assert "broken.wav" in done.stderr


def test_a_table_is_printed_for_people(soundalike: Cli, sounds: Path):
    lines = dict(line.split(maxsplit=1) for line in soundalike("evaluate", sounds).stdout.splitlines())

    assert (lines["encoder"], lines["n_clips"]) == ("logmel-modulation", "3")
    assert float(lines["p_at_1"]) == 1
