"""Wrong usage of ``soundalike searches`` is refused before a database or a file is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundalike.cli.main import main
from soundalike.cli.searches_options import _OWNERS, WORDS, search_options

ID = "00000000-0000-4000-8000-000000000000"
MISTAKES: list[tuple[str, ...]] = [
    ("save",),
    ("save", "low"),
    ("save", "low", "a.wav", "b.wav"),
    ("save", "a b", "--recording-id", ID),
    ("save", "low", "a.wav", "--recording-id", ID),
    ("save", "low", "a.wav", "--since", "soon"),
    ("save", "low", "a.wav", "--where", "?"),
    ("save", "low", "a.wav", "--top-k", "0"),
    ("save", "low", "a.wav", "--max-false-alarms", "2"),
    ("save", "low", "a.wav", "--like", "b.wav:4-2"),
    ("save", "low", "a.wav", "--unmarked"),
    ("run",),
    ("run", "low", "--right"),
    ("run", "low", "--label", "x"),
    ("run", "low", "--model", "auto"),
    ("run", "low", "--top-k", "many"),
    ("run", "low", "--format", "csv"),
    ("mark", "low"),
    ("mark", "low", "a.wav"),
    ("mark", "low", "a.wav", "--right", "--wrong"),
    ("mark", "low", "a.wav:4-2", "--right"),
    ("mark", "low", " ", "--right"),
    ("accept", "low"),
    ("accept", "low", "--label", "x", "--label", "y"),
    ("list", "low"),
    ("list", "--output", "x"),
    ("export", "low", "--as", "x"),
    ("import", "/no/such.json"),
    ("remove", "low", "--replace"),
    ("review", "low", "--order", "random"),
    ("review", "low", "--share", "0"),
    ("review", "low", "--min-precision", "nan"),
    ("review", "low", "--label", "x"),
    ("estimate", "low", "--min-precision", "1.5"),
    ("estimate", "low", "--order", "score"),
    ("propose", "low"),
    ("propose", "low", "--label", "x", "--share", "25"),
    ("propose", "low", "--label", "x", "--top-k", "0"),
    ("dance", "low"),
]


def test_wrong_usage_is_refused(
    clean_environ: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # Nothing listens there: a command that asked the database would say so.
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    for words in MISTAKES:
        status = main(["searches", *words])
        shown = capsys.readouterr()
        assert (status, shown.out, "[parameter." in shown.err) == (2, "", True), (words, shown.err)
    assert not clean_environ.exists()


def test_every_option_belongs_to_actions():
    names = {option.name for option in search_options()}
    assert _OWNERS.keys() <= names | {"action", "words"}
    assert names - _OWNERS.keys() == {
        *("action", "words", "collection", "server"),
    }
    assert {action for actions in _OWNERS.values() for action in actions} <= WORDS.keys()
