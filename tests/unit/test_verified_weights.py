"""Weights are verified once, and then known by size and time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.encoders.weights import WeightsFile, file_md5, verified_path
from soundalike.errors import WeightsCorrupt

CONTENT = np.random.default_rng(7).bytes(900_000)
NAME = "model.bin"


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def present(tmp_path: Path) -> WeightsFile:
    (tmp_path / NAME).write_bytes(CONTENT)
    return WeightsFile(NAME, "http://localhost/", md5(CONTENT))


@pytest.fixture
def count_checksums(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count how often a file is read for its checksum."""
    from soundalike.encoders import weights

    calls: list[Path] = []

    def counted(path: Path) -> str:
        calls.append(path)
        return file_md5(path)

    monkeypatch.setattr(weights, "file_md5", counted)
    return lambda: len(calls)


def test_missing_file(tmp_path: Path):
    file = WeightsFile("nothing", "http://localhost/", md5(b""))
    assert verified_path(file, tmp_path) is None
    assert verified_path(file, tmp_path / "no folder") is None


def test_checksum_is_computed_once(
    present: WeightsFile, tmp_path: Path, count_checksums: Callable[[], int]
):
    for _ in range(3):
        assert verified_path(present, tmp_path) == tmp_path / NAME
    assert count_checksums() == 1


def test_file_of_another_size_is_looked_at_again(
    present: WeightsFile, tmp_path: Path, count_checksums: Callable[[], int]
):
    verified_path(present, tmp_path)
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsCorrupt, match="delete it and run: soundalike models download"):
        verified_path(present, tmp_path)
    assert count_checksums() == 2


def test_file_of_another_time_is_looked_at_again(
    present: WeightsFile, tmp_path: Path, count_checksums: Callable[[], int]
):
    verified_path(present, tmp_path)
    os.utime(tmp_path / NAME, ns=(1, 1))
    assert verified_path(present, tmp_path) == tmp_path / NAME
    assert count_checksums() == 2


def test_another_published_checksum_is_looked_at_again(present: WeightsFile, tmp_path: Path):
    verified_path(present, tmp_path)
    with pytest.raises(WeightsCorrupt):
        verified_path(WeightsFile(NAME, present.url, md5(b"another release")), tmp_path)


def test_corrupt_file_is_never_marked(tmp_path: Path):
    (tmp_path / NAME).write_bytes(b"corrupt")
    file = WeightsFile(NAME, "http://localhost/", md5(CONTENT))
    for _ in range(2):
        with pytest.raises(WeightsCorrupt, match=md5(b"corrupt")):
            verified_path(file, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_two_files_share_the_marker(
    present: WeightsFile, tmp_path: Path, count_checksums: Callable[[], int]
):
    (tmp_path / "second").write_bytes(b"2")
    second = WeightsFile("second", "http://localhost/", md5(b"2"))
    for _ in range(2):
        verified_path(present, tmp_path)
        verified_path(second, tmp_path)
    assert count_checksums() == 2


@pytest.mark.parametrize("marker", ["", "{", "[]", "null", json.dumps({NAME: "yes"})])
def test_damaged_marker_is_no_proof(
    marker: str, present: WeightsFile, tmp_path: Path, count_checksums: Callable[[], int]
):
    (tmp_path / "verified.json").write_text(marker)
    assert verified_path(present, tmp_path) == tmp_path / NAME
    assert verified_path(present, tmp_path) == tmp_path / NAME
    assert count_checksums() == 1


def test_marker_that_cannot_be_written(present: WeightsFile, tmp_path: Path):
    (tmp_path / "verified.json").mkdir()
    assert verified_path(present, tmp_path) == tmp_path / NAME


def test_folder_of_the_same_name_is_no_file(tmp_path: Path):
    (tmp_path / NAME).mkdir()
    assert verified_path(WeightsFile(NAME, "http://localhost/", md5(CONTENT)), tmp_path) is None
