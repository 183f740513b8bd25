"""What the options of a search ask for."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.cli.main import main
from soundalike.cli.search import Sought, command, read_vector
from soundalike.errors import ParameterError
from soundalike.search.queries import Query


def _asked(*arguments: str) -> Query:
    given = command.make_context("search", list(arguments)).params
    return Sought(**{field.name: given[field.name] for field in fields(Sought)}).query()


def test_options_become_a_query(tmp_path: Path):
    assert _asked("a.wav") == Query("a.wav")
    part = Excerpt(start_s=62.5, end_s=3723)
    assert _asked("a.wav", "--start", "1:02.5", "--end", "1:02:03") == Query("a.wav", excerpt=part)
    assert _asked("--recording-id", "x", "--at", "42") == Query(
        recording_id="x", excerpt=Excerpt(at_s=42)
    )
    (tmp_path / "v.json").write_text("[1, 2.5]")
    asked = _asked("--vector", str(tmp_path / "v.json"))
    assert np.asarray(asked.vector).tolist() == [1, 2.5]
    assert asked.excerpt == WHOLE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give FILE, --recording-id, --vector, --text or --like-label"),
        (["--text", " "], "the text is empty"),
        (["--text", "rain", "--at", "4"], "a text has no time axis"),
        (["a.wav", "--text", "rain"], "exactly one"),
        (["a.wav", "--recording-id", "x"], "exactly one"),
        (["a.wav", "--at", "4", "--end", "5"], "a slice or a moment"),
        (["a.wav", "--start", "5", "--end", "4"], "the end must be after"),
        (["--vector", "none.json"], "none.json' cannot be read: No such file"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_opened(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], clean_environ: Path
):
    assert main(["search", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not clean_environ.exists()


@pytest.mark.parametrize("text", ["", "-1", "1:x", "1:2:3:4", "nan", "1h"])
def test_what_is_no_time_is_refused(text: str, capsys: pytest.CaptureFixture[str]):
    assert main(["search", "a.wav", f"--at={text}"]) == 2
    assert "is not a time; give seconds, or 1:02:05.5" in capsys.readouterr().err


@pytest.mark.parametrize("array", [np.arange(4), np.ones((1, 4), np.float64)], ids=str)
def test_a_vector_is_read_from_an_array(array: Any, tmp_path: Path):
    np.save(tmp_path / "v.npy", array)
    found = read_vector(tmp_path / "v.npy")
    assert (found.shape, found.dtype) == ((4,), np.float32)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("v.npy", b"no array"),
        ("v.npy", b""),
        ("v.json", b"{"),
        ("v.json", b'["x"]'),
        ("v.json", b"[[1], [2]]"),
        ("v.json", json.dumps({"a": 1}).encode()),
        ("v.json", b"\xff"),
        ("v.json", b"5"),
    ],
)
def test_what_is_no_vector_is_refused(name: str, content: bytes, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ParameterError, match=name):
        read_vector(tmp_path / name)


def test_pickles_are_not_opened(tmp_path: Path):
    np.save(tmp_path / "v.npy", np.array([print], dtype=object))
    with pytest.raises(ParameterError, match="neither an array"):
        read_vector(tmp_path / "v.npy")
