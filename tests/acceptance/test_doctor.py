"""``soundalike doctor`` as a person and a program see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]
Rows = Callable[..., Any]
PASSWORD = "Geheimnis"


def test_a_line_for_each_finding(cli: Cli, rows_of: Rows, sounds: Path):
    cli("index", sounds)
    done = cli("doctor", "--json")

    assert done.returncode == 0, done.stdout
    rows = rows_of(done)
    assert {row["state"] for row in rows} == {"ok"}
    assert rows[0].keys() == {"name", "state", "message", "remedy", "code"}
    assert f"{len(rows)} checks: {len(rows)} ok" in done.stderr
    lines = cli("doctor").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * len(rows)
    assert all(row["name"] in line for line, row in zip(lines, rows, strict=True))


def test_what_is_wrong_and_the_command_that_mends_it(cli: Cli, sounds: Path):
    cli("index", sounds, "--window-size", "1", "--stride", "1")
    cli("collections", "create", "default~rebuild")
    done = cli("doctor")

    assert done.returncode == 0
    lines = done.stdout.splitlines()
    (number,) = (n for n, line in enumerate(lines) if line.startswith("warn"))
    assert "default~rebuild" in lines[number]
    remedy = "soundalike collections drop 'default~rebuild' --yes"
    assert lines[number + 1].split("mend it: ") == [" " * 19, remedy]


def test_where_there_is_no_database(cli: Cli, soundalike: Cli, rows_of: Rows, data_dir: Path):
    for url, status in (
        (f"postgresql://ann:{PASSWORD}@127.0.0.1:1/sounds", 5),
        (f"postgresql://ann:{PASSWORD}/x@127.0.0.1/sounds", 2),
        (f"mysql://ann:{PASSWORD}@127.0.0.1/sounds", 2),
    ):
        done = cli("doctor", "--json", SOUNDALIKE_DATABASE_URL=url)
        assert done.returncode == status, done.stdout
        assert [row["state"] for row in rows_of(done)].count("fail") == 1
        assert PASSWORD not in done.stdout + done.stderr

    fresh = soundalike("doctor")
    assert fresh.returncode == 0, fresh.stderr
    assert not data_dir.exists()


def test_the_embedded_server(soundalike: Cli, rows_of: Rows, sounds: Path):
    soundalike("index", sounds)
    done = soundalike("doctor", "--json")

    assert done.returncode == 0, done.stdout
    found = {row["name"]: row for row in rows_of(done)}
    assert "embedded:" in found["server"]["message"]
    assert {row["state"] for row in found.values()} == {"ok"}


def test_a_name_that_no_collection_has(cli: Cli):
    done = cli("doctor", "--collection", "No")
    assert done.returncode == 2
    assert "[parameter.invalid]" in done.stderr
