"""Pages of memory: large arrays on huge ones, and mapped files that are given back."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from soundalike.runtime import pages

MEGABYTE = 1 << 20


def resident_bytes(ending: str) -> int:
    return sum(region.resident_bytes for region in pages._regions() if region.path.endswith(ending))


def test_a_large_array_is_moved_and_stays_as_it_is():
    array = np.arange(8 * MEGABYTE, dtype=np.float64)
    address = array.ctypes.data

    moved = pages.use_huge_pages()

    assert moved >= 48 * MEGABYTE
    assert array.ctypes.data == address
    np.testing.assert_array_equal(array, np.arange(8 * MEGABYTE, dtype=np.float64))


def test_arrays_that_are_small_or_hardly_used_stay(monkeypatch: pytest.MonkeyPatch):
    advised: list[int] = []
    monkeypatch.setattr(pages, "_advise", lambda begin, length, advice: advised.append(begin))
    begin, end = 2 << 30, (2 << 30) + 64 * MEGABYTE
    whole = pages._Region(begin, end, "rw-p", "", end - begin)
    for change in (
        {"end": begin + 8 * MEGABYTE},
        {"resident_bytes": (end - begin) // 2},
        {"rights": "r--p"},
        {"rights": "rw-s"},
        {"path": "[heap]"},
    ):
        regions = [whole._replace(**change)]
        monkeypatch.setattr(pages, "_regions", regions.copy)
        assert pages.use_huge_pages() == 0
    assert advised == []
    monkeypatch.setattr(pages, "_regions", lambda: [whole._replace(begin=begin - 4096)])
    pages.use_huge_pages()
    # Only whole huge pages.
    assert advised == [begin]


def test_a_mapped_file_is_given_back_and_read_again(tmp_path: Path):
    path = tmp_path / "kept" / "weights.bin"
    path.parent.mkdir()
    path.write_bytes(bytes(range(256)) * (32 * MEGABYTE // 256))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        content = mapped[:]
        before = resident_bytes("kept/weights.bin")
        assert before >= 30 * MEGABYTE

        assert pages.release_mapped("kept/weights.bin") >= 32 * MEGABYTE

        assert resident_bytes("kept/weights.bin") < before / 4
        assert mapped[:] == content


def test_what_is_written_is_not_given_back(tmp_path: Path):
    path = tmp_path / "written.bin"
    path.write_bytes(bytes(MEGABYTE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE) as mapped:
        mapped[:4] = b"mine"
        assert pages.release_mapped("written.bin") == 0
        assert mapped[:4] == b"mine"


def test_other_systems_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(pages, "_MAPS", tmp_path / "none")
    assert (pages.use_huge_pages(), pages.release_mapped("x")) == (0, 0)
    monkeypatch.undo()

    def no_library(*arguments: object, **options: object) -> None:
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", no_library)
    array = np.ones(8 * MEGABYTE)
    assert pages.use_huge_pages() == 0
    assert array.sum() == 8 * MEGABYTE
