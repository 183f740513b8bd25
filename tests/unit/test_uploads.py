"""Uploads that are kept, needed, let go and removed."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import UploadFile

from executors.gateway.background.uploads import _STALE_S, Uploads
from executors.gateway.background.workers import Workers


@pytest.fixture
def make_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Uploads]:
    monkeypatch.setattr("tempfile.tempdir", None)

    def make() -> Uploads:
        uploads = Uploads(tmp_path / "uploads", Workers())
        uploads.prepare()
        return uploads

    return make


def _upload(name: str = "a.wav", content: bytes = b"sound") -> UploadFile:
    return UploadFile(io.BytesIO(content), filename=name)


def _files(uploads: Uploads) -> list[Path]:
    return [path for path in uploads.folder.rglob("*") if path.is_file()]


def test_what_is_needed_is_not_removed(make_uploads: Callable[[], Uploads]):
    async def run() -> None:
        uploads = make_uploads()
        first, second = [(await uploads.keep(_upload(name))).path for name in ("a.wav", "b.mp3")]
        assert first == second == uploads.of(first.stem)[0]
        uploads.let_go(first)
        uploads.remove(first)
        assert uploads.is_needed(first)
        assert _files(uploads) == [first]
        uploads.let_go(first)
        uploads.remove(first)
        assert _files(uploads) == uploads.of(first.stem) == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.wav", ".wav"),
        ("film.MKV", ".mkv"),
        ("a.mp+", ".mp+"),
        ("a.m3u", ""),
        ("a.html", ""),
        ("a", ""),
    ],
)
def test_what_is_kept_has_the_ending_of_a_sound_or_film_only(
    make_uploads: Callable[[], Uploads], name: str, suffix: str
):
    async def run() -> None:
        uploads = make_uploads()
        kept = (await uploads.keep(_upload(name))).path
        recording_id = kept.name.removesuffix(suffix)
        assert kept.name == f"{recording_id}{suffix}"
        assert uploads.of(recording_id) == [kept]

    asyncio.run(run())


def test_files_of_one_request_are_gone_behind_it(make_uploads: Callable[[], Uploads]):
    async def run() -> None:
        uploads = make_uploads()
        for passing, name, suffix in (
            (uploads.passing_file, "a.wav", ".wav"),
            (uploads.passing_file, "a.npy", ""),
            (uploads.passing_table, "a.NPY", ".npy"),
            (uploads.passing_table, "a.wav", ""),
        ):
            async with passing(_upload(name)) as path:
                assert (path.parent, path.suffix, path.read_bytes()) == (
                    uploads.passing,
                    suffix,
                    b"sound",
                )
            assert _files(uploads) == []
            with pytest.raises(ZeroDivisionError):
                async with passing(_upload(name)):
                    raise ZeroDivisionError
            assert _files(uploads) == []
            async with passing(_upload(name)) as path:
                path.unlink()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("C:\\sounds\\a.wav", "a.wav"),
        ("/home/me/a.wav", "a.wav"),
        ("", "upload"),
        (None, "upload"),
        (254 * "a" + ".wav", 254 * "a" + "."),
    ],
)
def test_a_client_names_its_file_without_folders(
    make_uploads: Callable[[], Uploads], given: str | None, name: str
):
    upload = UploadFile(io.BytesIO(b"sound"), filename=given)
    assert asyncio.run(make_uploads().keep(upload)).name == name


def test_what_a_killed_process_has_left_is_removed_after_an_hour(make_uploads: Callable[[], Uploads]):
    uploads = make_uploads()
    old, new = uploads.passing / "old.wav", uploads.passing / "new.wav"
    for path, age_s in ((old, _STALE_S + 60), (new, _STALE_S - 60)):
        path.touch()
        os.utime(path, (time.time() - age_s,) * 2)
    uploads.prepare()
    assert _files(uploads) == [new]


def test_a_full_disk_leaves_no_part_of_an_upload(
    make_uploads: Callable[[], Uploads], monkeypatch: pytest.MonkeyPatch
):
    def write_some(source: Any, target: Any) -> None:
        target.write(b"some")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", write_some)

    async def run() -> None:
        uploads = make_uploads()
        with pytest.raises(OSError, match="No space"):
            await uploads.keep(_upload())
        assert _files(uploads) == []

    asyncio.run(run())
