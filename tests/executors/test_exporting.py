"""Cut-outs over HTTP hold to the allowed folders, and leave no temporary files."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from executors.gateway.api import models
from executors.gateway.api.exporting import answer_with
from executors.messages.listings import StoredDoc
from soundalike.audio.sources import recording_id_of
from soundalike.errors import AudioNotAllowed
from soundalike.results.spans import Span

FORM = models.ExportForm(format="zip")


class _Roots:
    """Allows one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, uri: str) -> None:
        """Refuse other folders."""
        if not Path(uri).is_relative_to(self._folder):
            raise AudioNotAllowed(f"{uri!r} is outside")


class _Direct:
    """Runs functions in this thread and process."""

    async def run(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Run a function as the workers of the gateway do."""
        return function(*arguments, **keywords)


class _Isolated:
    def run(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Run a function as the decoding processes do."""
        return function(*arguments, **keywords)


@pytest.fixture
def zipped(
    tmp_path: Path, rng: np.random.Generator, write_wav: Callable[..., Path]
) -> Callable[..., list[dict[str, str]]]:
    """Return a function that exports a recording with these paths, and returns the manifest."""
    (tmp_path / "passing").mkdir()
    samples = rng.uniform(-0.5, 0.5, 4 * 16_000)
    for folder in ("allowed", "secret"):
        write_wav(tmp_path / folder / "a.wav", samples)
    key = recording_id_of(tmp_path / "allowed" / "a.wav")

    def export(*names: str, size_bytes: float | None = None) -> list[dict[str, str]]:
        async def paths_of(recording_id: str, collection: str) -> list[StoredDoc]:
            uris = [str(tmp_path / name) for name in names]
            return [StoredDoc(uri=uri, recording_id=key, size_bytes=size_bytes) for uri in uris]

        context: Any = SimpleNamespace(
            library=SimpleNamespace(paths_of=paths_of),
            decoding=_Direct(),
            isolated=_Isolated(),
            roots=_Roots(tmp_path / "allowed"),
            uploads=SimpleNamespace(passing=tmp_path / "passing"),
        )
        span = Span(str(tmp_path / names[0]), key, 1.0, 2.0, collection="default", duration_s=4.0)
        request: Any = None
        answer: Any = asyncio.run(answer_with(context, request, [span], FORM))
        sent: list[bytes] = []

        async def receive() -> Any:
            # The client stays.
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        scope = {"type": "http", "method": "GET", "headers": []}
        asyncio.run(answer(scope, receive, send))
        assert list((tmp_path / "passing").iterdir()) == []
        with zipfile.ZipFile(io.BytesIO(b"".join(sent))) as archive:
            text = archive.read("manifest.csv").decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    return export


def test_a_recording_in_an_allowed_folder_is_cut_out(zipped: Callable[..., list[dict[str, str]]]):
    (row,) = zipped("allowed/a.wav")
    assert (row["file"], row["reason"]) == ("0001_match_a_00001.000s.wav", "")


def test_a_recording_elsewhere_is_listed_and_not_read(zipped: Callable[..., list[dict[str, str]]]):
    (row,) = zipped("secret/a.wav")
    assert row["file"] == ""
    assert row["reason"].endswith("is outside [audio.not_allowed]")


def test_another_path_of_the_recording_may_be_allowed(zipped: Callable[..., list[dict[str, str]]]):
    (row,) = zipped("secret/a.wav", "allowed/gone.wav", "allowed/a.wav")
    assert row["reason"] == ""


def test_a_file_of_another_size_has_changed(zipped: Callable[..., list[dict[str, str]]]):
    (row,) = zipped("allowed/a.wav", size_bytes=7.0)
    assert "has changed since it was indexed" in row["reason"]
