"""``soundalike index --metadata``: labels, starts and tags from a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]


def _stored(cli: Cli, rows_of: Rows, query: Path) -> dict[str, dict[str, Any]]:
    return {Path(row["uri"]).name: row for row in rows_of(cli("search", query, "--json"))}


def test_a_table_gives_labels_starts_and_tags(cli: Cli, rows_of: Rows, sounds: Path):
    table = sounds / "table.csv"
    table.write_text(
        "filename,category,recorded_at,depth_m,checked\n"
        "low/a.wav,hum,2025-05-01T06:30,1.5,True\n"
        "low/b.wav,,,2,False\n"
        "low/gone.wav,hum,,,\n"
    )
    options = ("--metadata", table, "--tag", "site=pond", "--tag", "depth_m=9", "--json")
    done = cli("index", sounds, *options)

    assert done.returncode == 0, done.stderr
    assert "1 of 3 files that" in done.stderr
    assert "low/gone.wav" in done.stderr
    assert "1 of 3 files are not named" in done.stderr
    found = _stored(cli, rows_of, sounds / "low" / "a.wav")
    assert {name: (row["label"], row["tags"]) for name, row in found.items()} == {
        "a.wav": ("hum", {"site": "pond", "depth_m": 1.5, "checked": True}),
        "b.wav": ("low", {"site": "pond", "depth_m": 2, "checked": False}),
        "c.wav": ("deep", {"site": "pond", "depth_m": 9}),
    }
    assert found["a.wav"]["recorded_at"].startswith("2025-05-01T06:30:00")
    again = cli("index", sounds, *options)
    assert [row["outcome"] for row in rows_of(again)] == ["unchanged"] * 3
    table.write_text("filename,category\nlow/a.wav,drone\n")
    (row,) = rows_of(cli("index", sounds / "low" / "a.wav", "--metadata", table, "--json"))
    assert row["outcome"] == "updated"


def test_a_table_of_other_files_is_refused(cli: Cli, sounds: Path):
    table = sounds / "table.csv"
    table.write_text("file,label\nx.wav,hum\ny.wav,hum\n")
    done = cli("index", sounds, "--metadata", table)

    assert (done.returncode, done.stdout) == (2, "")
    assert "none of the 2 files that 'table.csv' names" in done.stderr
    assert "[parameter.metadata]" in done.stderr


def test_a_broken_table_is_told_before_anything_is_indexed(cli: Cli, sounds: Path):
    table = sounds / "table.csv"
    table.write_text("name,label\nlow/a.wav,hum\n")
    done = cli("index", sounds, "--metadata", table)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.rstrip().endswith("[parameter.metadata]")


@pytest.fixture
def data_set(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    """Make a data set as AudioFolder has them: a table in each split, with names relative to it."""
    folder = tmp_path / "set"
    for split, suffix, content in (
        ("train", "csv", "file_name,label,fold\na.wav,hum,1\nclips/b.wav,whistle,1\n"),
        ("test", "jsonl", '{"file_name": "a.wav", "label": "whistle", "fold": 2}\n'),
    ):
        write_tone(folder / split / "a.wav", 200.0 if split == "train" else 3000.0)
        (folder / split / f"metadata.{suffix}").write_text(content)
    write_tone(folder / "train" / "clips" / "b.wav", 3100.0)
    write_tone(folder / "train" / "clips" / "c.wav", 300.0)
    # A recorder's own list.
    (folder / "train" / "clips" / "metadata.csv").write_text("time,gain\n12:00,3\n")
    return folder


def _labels(cli: Cli, rows_of: Rows, query: Path) -> dict[str, str]:
    found = rows_of(cli("search", query, "--json"))
    return {"/".join(Path(row["uri"]).parts[-2:]): row["label"] for row in found}


def test_tables_beside_the_files_are_found(cli: Cli, rows_of: Rows, data_set: Path):
    done = cli("index", data_set)

    assert done.returncode == 0, done.stderr
    for table in ("train/metadata.csv", "test/metadata.jsonl"):
        assert f"{table} (found beside the files; --no-metadata leaves it out)" in done.stderr
    assert "clips/metadata.csv (found" not in done.stderr
    # They are no files that were left out; the recorder's list is.
    assert "1 file that is not a sound was left out" in done.stderr
    assert "1 of 4 files are not named by" in done.stderr
    query = data_set / "test" / "a.wav"
    labels = {"train/a.wav": "hum", "clips/b.wav": "whistle", "clips/c.wav": "clips"}
    assert _labels(cli, rows_of, query) == {**labels, "test/a.wav": "whistle"}
    # A file by itself has the same label.
    assert "1 unchanged" in cli("index", query).stderr

    assert cli("index", data_set, "--no-metadata").returncode == 0
    plain = {"train/a.wav": "train", "clips/b.wav": "clips", "clips/c.wav": "clips"}
    assert _labels(cli, rows_of, query) == {**plain, "test/a.wav": "test"}


def test_tables_are_given_together(cli: Cli, rows_of: Rows, data_set: Path):
    tables = (
        "--metadata",
        data_set / "train/metadata.csv",
        "--metadata",
        data_set / "test/metadata.jsonl",
    )
    done = cli("index", data_set, *tables)

    assert done.returncode == 0, done.stderr
    assert "found beside" not in done.stderr
    labels = _labels(cli, rows_of, data_set / "test" / "a.wav")
    assert (labels["train/a.wav"], labels["test/a.wav"]) == ("hum", "whistle")
    # The same tables are good for an evaluation.
    (row,) = rows_of(cli("evaluate", data_set, *tables, "--json"))
    assert (row["n_clips"], row["n_labels"]) == (3, 2)
    (row,) = rows_of(cli("evaluate", data_set, "--json"))
    assert (row["n_clips"], row["n_labels"]) == (4, 3)
    refused = cli("index", data_set, *tables, "--no-metadata")
    assert (refused.returncode, "exclude each other" in refused.stderr) == (2, True)
    twice = cli("index", data_set, *tables, *tables[:2])
    assert twice.returncode == 2
    assert "name the same file, 'a.wav'" in twice.stderr
