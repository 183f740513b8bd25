"""An index on its way from one machine to another, with the recordings in another folder there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fixtures.database import DatabaseServer

Cli = Callable[..., Any]
Rows = Callable[..., Any]


@pytest.fixture
def other_url(database_server: DatabaseServer) -> Any:
    """URL of a second, empty database."""
    with database_server.database() as url:
        yield url


def test_the_other_machine_answers_alike(
    cli: Cli, rows_of: Rows, sounds: Path, tmp_path: Path, other_url: str
):
    cli("index", sounds, "--tag", "site=pond")
    done = cli("export", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(done)
    file = tmp_path / "default.soundalike.zip"
    assert (row["file"], row["bytes"], row["files"]) == (str(file), file.stat().st_size, 3)

    archive = tmp_path / "mounted"
    sounds.rename(archive)
    there = {"SOUNDALIKE_DATABASE_URL": other_url}
    done = cli("import", file, "--rebase", f"{sounds}={archive}", "--json", **there)
    assert done.returncode == 0, done.stderr
    assert rows_of(done) == [{"collection": "default", "created": True, "outcomes": {"added": 3}}]

    query = archive / "low" / "a.wav"
    here = rows_of(cli("search", query, "--json"))
    found = rows_of(cli("search", query, "--json", **there))
    assert len(found) == 3
    assert found == [{**row, "uri": row["uri"].replace(str(sounds), str(archive))} for row in here]
    # What came along need not be read again.
    again = rows_of(cli("index", archive, "--tag", "site=pond", "--json", **there))
    assert {row["outcome"] for row in again} == {"unchanged"}


def test_into_a_collection_of_another_name_and_into_one_that_is_there(
    cli: Cli, rows_of: Rows, sounds: Path, tmp_path: Path
):
    cli("index", sounds / "low")
    cli("export", tmp_path / "low.zip")
    cli("index", sounds / "high", "--collection", "all")
    done = cli("import", tmp_path / "low.zip", "--collection", "all")

    assert done.returncode == 0, done.stderr
    assert "collection all was there already; files: 2 added" in done.stderr
    counts = {row["collection"]: row["recordings"] for row in rows_of(cli("collections", "--json"))}
    assert counts == {"all": 3, "default": 2}


def test_what_cannot_be(cli: Cli, sounds: Path, tmp_path: Path):
    cli("index", sounds / "low")
    cli("export", tmp_path / "low.zip")
    cli("collections", "create", "short", "--window-size", "1", "--stride", "1")
    (tmp_path / "broken.zip").write_bytes((tmp_path / "low.zip").read_bytes()[:-100])
    cases: list[tuple[list[str], int, str]] = [
        (["import", "gone.zip"], 7, "archive.error"),
        (["import", "broken.zip"], 7, "archive.invalid"),
        (["import", "low.zip", "--collection", "No"], 2, "parameter.invalid"),
        (["import", "low.zip", "--collection", "short"], 5, "store.model_mismatch"),
        (["import", "low.zip", "--collection", "x", "--rebase", "/a"], 2, "parameter.invalid"),
        (["import", "low.zip", "--collection", "x", "--rebase", "/no=/b"], 2, "parameter.invalid"),
        (["export", "x.zip", "--collection", "nothing"], 5, "store.index_empty"),
        (["export", "gone/x.zip"], 7, "archive.error"),
    ]
    for (command, file, *options), status, code in cases:
        done = cli(command, tmp_path / file, *options)
        assert (done.returncode, done.stdout) == (status, ""), (command, file, options)
        assert f"[{code}]" in done.stderr

    assert {path.name for path in tmp_path.iterdir()} == {"low.zip", "broken.zip", "sounds"}
    there = {line.split()[0] for line in cli("collections").stdout.splitlines()[1:]}
    assert there == {"default", "short"}
