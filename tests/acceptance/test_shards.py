"""Commands and the library on an index over two databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import soundalike
from soundalike.cli.main import main

Run = Callable[..., tuple[int, list[Any], str]]


@pytest.fixture
def run(
    shard_urls: list[str],
    clean_environ: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command in this process; return its status, its JSON lines, and what it wrote to stderr."""
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", " ".join(shard_urls))

    def run(*arguments: Any) -> tuple[int, list[Any], str]:
        status = main([*map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return status, [json.loads(line) for line in out.splitlines()], err

    return run


def test_commands_and_library(
    run: Run, sounds: Path, shard_urls: list[str], away: Callable[[str], AbstractContextManager[None]]
):
    status, rows, err = run("index", sounds)
    assert status == 0, err
    assert {row["outcome"] for row in rows} == {"added"}
    query = str(next(iter(sorted(sounds.rglob("*.wav")))))
    _, whole, err = run("search", query)
    assert "warning" not in err
    assert len(whole) == len(rows)

    with away(shard_urls[1]), soundalike.Library(" ".join(shard_urls)) as library:
        name = "postgresql://"
        for command in (("search", query), ("events", query, "--min-score", "0"), ("status",)):
            status, part, err = run(*command)
            assert status == 0
            assert f"warning: the answer is partial: the database {name}" in err
        assert part[0]["missing_shards"]
        assert part[0]["recordings"] < len(rows)
        status, part, err = run("timeline", query, "--min-score", "0.1")
        assert status == 0
        assert "the answer is partial" in err
        status, listed, err = run("collections")
        assert listed[0]["recordings"] < len(rows)
        assert "the answer is partial" in err
        status, checks, err = run("doctor")
        states = {check["name"]: (check["state"], check["code"]) for check in checks}
        assert states["shards"] == ("warn", None)
        assert states["server 1"] == ("ok", None)
        assert states["server 2"] == ("fail", "store.unavailable")
        assert status == 5
        assert run("export", "nothing.zip")[0] == 5
        assert run("annotations", "list")[0] == 0

        matches = library.search(query)
        assert matches.partial
        assert len(matches.missing_shards) == 1
        assert matches.missing_shards[0] in repr(matches)
        assert library.recordings().missing_shards == matches.missing_shards
        assert library.events(query, min_score=0.0).missing_shards == matches.missing_shards

    assert run("doctor")[0] == 0
    status, _, err = run("sql", "SELECT 1")
    assert status == 2
    assert "names 2 databases, and this command works on one" in err
    status, _, err = run("status", "--database-url", shard_urls[1])
    assert status == 5
    assert "store.shard_mismatch" in err
    status, checks, _ = run("doctor", "--database-url", shard_urls[1])
    assert status == 5
    codes = {check["name"]: check["code"] for check in checks if check["code"]}
    assert codes == {"shards": "store.shard_mismatch"}
    with soundalike.Library(" ".join(shard_urls)) as library:
        assert not library.search(query).partial
    assert run("reset", "--yes")[0] == 0
    assert run("status", "--database-url", shard_urls[1])[0] == 0
