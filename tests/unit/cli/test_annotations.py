"""Annotations and exports on the command line, with the store in memory in the database's place."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from soundalike.cli import opening
from soundalike.cli.main import main
from soundalike.store import MemoryStore
from soundalike.types import FloatArray

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Return ``run(*argv)``: the status, stdout and stderr; all commands share a store."""
    kept = MemoryStore()

    @contextmanager
    def opened(settings: object) -> Iterator[MemoryStore]:
        yield kept

    monkeypatch.setattr(opening, "opened_store", opened)

    def command(*argv: str | Path) -> tuple[int, str, str]:
        capsysbinary.readouterr()
        status = main([*map(str, argv)])
        said = capsysbinary.readouterr()
        return status, said.out.decode(), said.err.decode()

    return command


@pytest.fixture
def sounds(
    tmp_path: Path,
    tone: Callable[..., FloatArray],
    write_wav: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
) -> Path:
    """Index three tones of 4 s, and work in their folder."""
    for name, hertz in (("a", 300), ("b", 330), ("c", 4000)):
        write_wav(tmp_path / "low" / f"{name}.wav", tone(hertz, 4.0), subtype="PCM_16")
    monkeypatch.chdir(tmp_path)
    assert run("index", "low")[0] == 0
    return tmp_path


@pytest.fixture
def labelled(sounds: Path, run: Run) -> Path:
    """Import labels of two recordings."""
    (sounds / "low" / "a_labels.txt").write_text("1\t2\towl\n\\\t100\t900\n3\t3\t=point\n")
    (sounds / "t.csv").write_text("uri,start_s,end_s,label\nlow/c.wav,0.5,1.5,owl\n")
    assert run("annotations", "import", "low/a_labels.txt", "t.csv")[0] == 0
    return sounds


def test_label_files_are_imported_with_bad_rows_named(sounds: Path, run: Run):
    (sounds / "a.txt").write_text("1\t2\towl\nx\t2\towl\n")
    status, out, said = run("annotations", "import", "a.txt", "none.txt", "--json")
    assert status == 3
    first, second = map(json.loads, out.splitlines())
    assert (first["added"], first["unchanged"]) == (1, 0)
    assert first["bad_rows"] == [{"line": 2, "error": "'x' is not a number"}]
    assert second["error_code"] == "parameter.metadata"
    assert "a.txt, line 2: 'x' is not a number" in said
    assert "a.txt: 1 added, 0 unchanged, 1 failed" in said
    assert run("annotations", "import", "a.txt")[0] == 3


def test_annotations_are_listed_and_counted(labelled: Path, run: Run):
    status, out, _ = run("annotations", "list", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    shown = {(Path(row["uri"]).name, row["label"], row["start_s"], row["low_hz"]) for row in rows}
    assert shown == {
        ("a.wav", "owl", 1.0, 100.0),
        ("a.wav", "=point", 3.0, None),
        ("c.wav", "owl", 0.5, None),
    }
    assert {Path(row["source"]).name for row in rows} == {"a_labels.txt", "t.csv"}
    assert (
        len(run("annotations", "--label", "owl", "--recording", "low/a.wav", "--json")[1].splitlines())
        == 1
    )
    assert len(run("annotations", "--source", "t.csv", "--json")[1].splitlines()) == 1
    counts = [line.split() for line in run("annotations", "labels")[1].splitlines()]
    assert counts == [["label", "annotations"], ["owl", "2"], ["=point", "1"]]
    assert "no annotation is like this" in run("annotations", "--label", "fox")[2]
    assert run("annotations", "--recording", "none.wav")[0] == 5


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.selections.txt"])
def test_annotations_come_back_from_an_export(labelled: Path, run: Run, name: str):
    before = sorted(run("annotations", "--json", "--recording", "low/a.wav")[1].splitlines())
    assert run("annotations", "export", name)[0] == 0
    assert run("annotations", "remove", "--yes")[0] == 0
    assert run("annotations", "import", name)[0] == 0
    after = sorted(run("annotations", "--json", "--recording", "low/a.wav")[1].splitlines())
    names = ("uri", "start_s", "end_s", "label")
    told = [
        [{name: json.loads(row)[name] for name in names} for row in rows] for rows in (before, after)
    ]
    assert told[0] == told[1]
    assert len(told[1]) == 2


def test_labels_of_audacity_come_back_from_their_file(labelled: Path, run: Run):
    assert run("annotations", "export", "low/a.txt", "--recording", "low/a.wav")[0] == 0
    assert (labelled / "low" / "a.txt").read_text() == (
        "1.000000\t2.000000\towl\n\\\t100.000000\t900.000000\n3.000000\t3.000000\t=point\n"
    )
    status, out, _ = run("annotations", "import", "low/a.txt", "--json")
    assert (status, json.loads(out)["unchanged"]) == (0, 2)


def test_removing_everything_needs_a_yes(labelled: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    status, _, said = run("annotations", "remove")
    assert status == 2
    assert "nothing was removed" in said
    status, out, _ = run("annotations", "remove", "--label", "owl", "--json")
    assert (status, json.loads(out)) == (0, {"removed": 2})
    assert "1 annotations removed" in run("annotations", "remove", "--yes")[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import"], "needs FILE"),
        (["import", "t.csv", "--source", "x"], "--source does not belong to import"),
        (["import", "t.csv", "--format", "zip"], "import reads audacity"),
        (["list", "t.csv"], "takes no FILE"),
        (["list", "--label-column", "x"], "--label-column belongs to import"),
        (["list", "--format", "csv"], "--format belongs to import and export"),
        (["export"], "needs one FILE"),
        (["export", "x.unknown"], "is not that of a format"),
    ],
)
def test_wrong_usage_is_said(labelled: Path, run: Run, words: list[str], said: str):
    status, _, err = run("annotations", *words)
    assert status == 2
    assert said in err


def test_a_search_by_label_finds_the_annotated(labelled: Path, run: Run):
    status, out, _ = run("search", "--like-label", "owl", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert {Path(row["uri"]).name for row in rows[:2]} == {"a.wav", "c.wav"}
    assert rows[0]["query"] == "label:owl"
    assert rows[0]["query_start_s"] is None
    assert run("search", "--like-label", "fox")[0] == 5
    status, out, _ = run("timeline", "--like-label", "owl", "--min-score", "0.9", "--json")
    assert status == 0


def test_matches_are_exported_and_shown(sounds: Path, run: Run):
    status, out, said = run("search", "low/a.wav", "--export", "hits.csv", "--json")
    rows = list(csv.DictReader((sounds / "hits.csv").open(newline="")))
    assert status == 0
    assert [row["uri"] for row in rows] == [json.loads(line)["uri"] for line in out.splitlines()]
    assert [row["label"] for row in rows] == ["low"] * 3
    assert "hits.csv: 3 spans" in said
    run("search", "low/a.wav", "--export", "hits.csv", "--export-label", "tone")
    assert {row["label"] for row in csv.DictReader((sounds / "hits.csv").open(newline=""))} == {"tone"}


def test_stdout_has_the_export_alone(sounds: Path, run: Run):
    status, out, said = run("search", "low/a.wav", "--export", "-", "--format", "jsonl", "-k", "2")
    assert status == 0
    assert [json.loads(line)["rank"] for line in out.splitlines()] == [1, 2]
    assert "stdout: 2 spans" in said


def test_an_export_that_fails_leaves_the_old_file(sounds: Path, run: Run):
    (sounds / "hits.txt").write_text("old")
    status, _, said = run("search", "low/a.wav", "--export", "hits.txt")
    assert status == 2
    assert "belong to one recording" in said
    assert (sounds / "hits.txt").read_text() == "old"
    assert not [name for name in os.listdir(sounds) if name.endswith(".part")]
    assert run("search", "low/a.wav", "--export", "none/hits.csv")[0] == 2
    assert run("search", "low/a.wav", "--export", "l.zip", "--format", "audacity")[0] == 0
    assert len(zipfile.ZipFile("l.zip").namelist()) == 3


def test_cut_outs_go_into_a_zip_and_a_folder(sounds: Path, run: Run):
    (sounds / "low" / "b.wav").unlink()
    words = ("search", "low/a.wav", "--export")
    status, _, said = run(*words, "hits.zip", "--audio", "flac", "--max-bytes", "1M")
    assert status == 3
    assert "no cut-out: low/b.wav: " in said
    assert "hits.zip: 2 cut-outs, 1 failed" in said
    with zipfile.ZipFile("hits.zip") as archive:
        assert sorted(Path(name).suffix for name in archive.namelist()) == [".csv", ".flac", ".flac"]
    assert run(*words, "cut/", "-k", "1")[0] == 0
    (name,) = [name for name in os.listdir("cut") if name.endswith(".wav")]
    assert name == "0001_low_a_00000.000s.wav"
    assert soundfile.info(f"cut/{name}").duration == 4.0
    assert "0 cut-outs, 1 were there already, 0 failed" in run(*words, "cut", "-k", "1")[2]
    status, _, said = run(*words, "cut", "--max-bytes", "10")
    assert status == 3
    assert "the limit of 10 bytes is reached" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "csv"], "--format belongs to --export FILE"),
        (["--padding", "1"], "--padding belongs to --export FILE"),
        (["--export", "hits"], "is not that of a format"),
        (["--export", "hits.csv", "--padding", "1"], "are for cut-outs"),
        (["--export", "hits.zip", "--padding", "61"], "padding_s is 61"),
        (["--export", "hits.zip", "--max-bytes", "much"], "'much' is not a size"),
    ],
)
def test_options_that_do_not_fit_are_refused(sounds: Path, run: Run, options: list[str], said: str):
    status, _, err = run("search", "low/a.wav", *options)
    assert status == 2
    assert said in err


def test_events_are_exported_as_they_are_found(sounds: Path, run: Run):
    words = ("events", "low/a.wav", "--min-score", "-1", "--reread", "0")
    status, out, said = run(*words, "--export", "events.csv", "--json")
    rows = list(csv.DictReader((sounds / "events.csv").open(newline="")))
    shown = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert rows
    assert [(row["uri"], float(row["start_s"])) for row in rows] == [
        (row["uri"], row["start_s"]) for row in shown
    ]
    assert f"events.csv: {len(rows)} spans" in said
    status, out, _ = run(*words, "--export", "-", "--format", "raven", "--export-label", "tone")
    assert status == 0
    assert len(out.splitlines()) == len(rows) + 1
    assert all("\ttone\t" in line for line in out.splitlines()[1:])
    assert run(*words, "--export", "cut/")[0] == 0
    assert len([name for name in os.listdir("cut") if name.endswith(".wav")]) == len(rows)
