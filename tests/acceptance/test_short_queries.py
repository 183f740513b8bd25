"""A short query says on the command line that its matches are unreliable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
WARNING = (
    "warning: the query has 1.0 s, a window 4 s: matches of short queries are unreliable; give a longer "
    "one, or index with --window-size 1"
)


@pytest.mark.parametrize("command", [("search",), ("timeline", "--min-score", "0.9")])
def test_it_is_told_beside_the_answer(
    cli: Cli, sounds: Path, write_tone: Callable[..., Path], command: tuple[str, ...]
):
    assert cli("index", sounds).returncode == 0
    short = write_tone(sounds.parent / "short.wav", 200.0, 1.0)
    for options in ((), ("--json",)):
        done = cli(command[0], short, *command[1:], *options)
        assert done.returncode == 0, done.stderr
        assert WARNING in done.stderr.splitlines()
        assert "short queries" not in done.stdout
        assert "short queries" not in cli(command[0], sounds / "low" / "a.wav", *command[1:]).stderr


def test_with_short_windows_it_is_long_enough(cli: Cli, sounds: Path, write_tone: Callable[..., Path]):
    assert cli("index", sounds, "--window-size", "1", "--stride", "1").returncode == 0
    short = write_tone(sounds.parent / "short.wav", 200.0, 1.0)

    assert "short queries" not in cli("search", short).stderr
