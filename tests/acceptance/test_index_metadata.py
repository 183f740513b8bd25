"""``soundalike index --metadata``: labels, starts and tags from a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
