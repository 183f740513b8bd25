"""``soundalike searches``: save, run, mark, take back, accept, export, import and remove."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
USAGE, NOT_FOUND, ARCHIVE, NO_GOOD_MATCH = 2, 5, 7, 8


@pytest.fixture
def tones(
    cli: Cli, sounds: Path, tmp_path: Path, write_tone: Callable[..., Path], rows_of: Callable[..., Any]
) -> Cli:
    """Index three tones, and save the search ``low`` by a file that is then gone."""
    assert cli("index", sounds, "--label", "tone").returncode == 0
    query = write_tone(tmp_path / "query.wav", 210.0, 4.0)
    done = cli("searches", "save", "low", query, "--top-k", 2, "--time-zone", "Europe/Berlin", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(done)
    assert (row["name"], row["query"], row["kind"], row["top_k"]) == ("low", str(query), "file", 2)
    query.unlink()
    return cli


def names(rows: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(Path(row["uri"]).name, row["start_s"]) for row in rows]


def test_a_review_from_the_first_run_to_annotations(
    tones: Cli, sounds: Path, rows_of: Callable[..., Any]
):
    def run(*options: Any) -> list[tuple[str, float]]:
        done = tones("searches", "run", "low", "--json", *options)
        assert done.returncode == 0, done.stderr
        return names(rows_of(done))

    first = run()
    assert {name for name, _ in first} == {"a.wav", "b.wav"}
    start_s = dict(first)["a.wav"]
    place = f"{sounds / 'low' / 'a.wav'}:{start_s:g}-{start_s + 4:g}"
    marked = tones("searches", "mark", "low", place, "--wrong", "--by", "ann", "--json")
    (row,) = rows_of(marked)
    assert (row["verdict"], row["marked_by"], row["start_s"]) == ("wrong", "ann", start_s)
    assert ("a.wav", start_s) not in run()
    tones("searches", "mark", "low", sounds / "low" / "b.wav", "--right")
    assert "b.wav" not in dict(run("--unmarked", "--top-k", 9))
    assert "b.wav" in dict(run("--use-marks"))
    events = tones("searches", "run", "low", "--events", "--unmarked", "--json", "--min-score=-1")
    assert "b.wav" not in dict(names(rows_of(events)))

    shown = tones("searches", "show", "low")
    assert shown.stdout.count("a.wav") == shown.stdout.count("b.wav") == 1
    (listed,) = rows_of(tones("searches", "--json"))
    assert (listed["right"], listed["wrong"]) == (1, 1)

    accepted = tones("searches", "accept", "low", "--label", "hum", "--json")
    assert rows_of(accepted) == [{"label": "hum", "added": 1, "unchanged": 0, "missing": 0}]
    (span,) = rows_of(tones("annotations", "list", "--json"))
    assert (Path(span["uri"]).name, span["end_s"], span["source"]) == ("b.wav", 10.0, "search:low")
    undone = [rows_of(tones("searches", "undo", "low", "--json"))[0]["undone"] for _ in range(4)]
    assert undone == ["accept", "mark", "mark", None]
    assert tones("annotations", "list", "--json").stdout == ""
    assert run() == first
    tones("searches", "mark", "low", place, "--wrong")
    (row,) = rows_of(tones("searches", "mark", "low", place, "--clear", "--json"))
    assert (row["verdict"], run()) == (None, first)


def test_a_review_session(tones: Cli, rows_of: Callable[..., Any]):
    listed = rows_of(tones("searches", "review", "low", "--order", "bands", "--share", 100, "--json"))
    assert len(listed) == 3
    for number, row in enumerate(listed):
        place = f"{row['recording_id']}:{row['start_s']:g}-{row['end_s']:g}"
        verdict = "--wrong" if number == 2 else "--right"
        assert tones("searches", "mark", "low", place, verdict).returncode == 0
    done = tones("searches", "review", "low")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing is left to review\n")
    shown = tones("searches", "estimate", "low").stdout
    # All hits are reviewed, so nothing is uncertain.
    assert "3 hits, 3 reviewed, 2 right\nprecision: 0.67 (0.67 to 0.67)\n" in shown
    assert "expected right: unknown; mark at least 8 hits" in shown


def test_the_output_is_that_of_a_search(
    tones: Cli, sounds: Path, tmp_path: Path, rows_of: Callable[..., Any]
):
    key = rows_of(tones("search", sounds / "low" / "a.wav", "--json"))[0]["recording_id"]
    given = ("--recording-id", key, "--start", 2, "--end", 6, "--exclude-self", "--where", "n!=1")
    like = ("--like", f"{sounds / 'low' / 'b.wav'}:0-4", "--unlike", sounds / "high" / "deep" / "c.wav")
    for options in ((sounds / "low" / "a.wav",), (*given, *like)):
        saved = tones("searches", "save", "same", *options, "--replace")
        assert saved.returncode == 0, saved.stderr
        assert tones("searches", "run", "same").stdout == tones("search", *options).stdout
    (row,) = [one for one in rows_of(tones("searches", "--json")) if one["name"] == "same"]
    assert row["query"] == f"{sounds / 'low' / 'a.wav'}:2-6"
    assert row["like"] == [f"{sounds / 'low' / 'b.wav'}:0-4"]
    assert row["filters"] == {"where": ["n!=1"], "time_zone": "UTC"}
    table = tmp_path / "found.csv"
    assert tones("searches", "run", "low", "--export", table).returncode == 0
    assert table.read_text().count("\n") == 3
    strict = tones("searches", "run", "low", "--max-false-alarms", "0.5", "--json")
    assert (strict.returncode, rows_of(strict)[0]["good_match"]) == (NO_GOOD_MATCH, False)


def test_a_search_travels_in_a_file(
    tones: Cli, sounds: Path, tmp_path: Path, rows_of: Callable[..., Any]
):
    tones("searches", "mark", "low", sounds / "low" / "a.wav", "--wrong")
    path = tmp_path / "low.json"
    assert tones("searches", "export", "low", "-o", path).returncode == 0
    assert tones("searches", "export", "low").stdout == path.read_text()
    again = tones("searches", "import", path)
    assert (again.returncode, "[store.search_exists]" in again.stderr) == (NOT_FOUND, True)
    (row,) = rows_of(tones("searches", "import", path, "--as", "copy", "--json"))
    assert row == {"name": "copy", "marks": 1, "moved": 0, "missing": 0}
    assert tones("searches", "run", "copy").stdout == tones("searches", "run", "low").stdout
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    for file, code in ((newer, "archive.too_new"), (sounds / "low" / "a.wav", "archive.invalid")):
        done = tones("searches", "import", file)
        assert (done.returncode, code in done.stderr) == (ARCHIVE, True)
    assert tones("searches", "remove", "copy").returncode == USAGE
    assert rows_of(tones("searches", "remove", "copy", "--yes", "--json")) == [{"removed": "copy"}]
    assert tones("searches", "remove", "copy", "--yes").returncode == NOT_FOUND


#: Mistakes that only the database can tell; the others are in tests/unit/cli/test_searches.py.
MISTAKES: list[tuple[tuple[str, ...], int, str]] = [
    (("save", "low", "--recording-id", "00000000-0000-4000-8000-000000000000"), 5, "store.not_found"),
    (("run", "none"), NOT_FOUND, "store.search_not_found"),
    (("review", "none"), NOT_FOUND, "store.search_not_found"),
    (("estimate", "none"), NOT_FOUND, "store.search_not_found"),
    (("mark", "low", "x.wav", "--right"), NOT_FOUND, "store.not_found"),
    (("mark", "low", "sounds/low/a.wav:20-30", "--right"), USAGE, "parameter.span_outside"),
    (("show", "low", "--collection", "none"), NOT_FOUND, "store.search_not_found"),
]


def test_mistakes_have_a_code(tones: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for words, status, code in MISTAKES:
        done = tones("searches", *words)
        assert (done.returncode, done.stdout, f"[{code}]" in done.stderr) == (status, "", True), words
