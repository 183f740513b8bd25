"""``soundalike events``, and ``soundalike evaluate --events``: planted calls, listed and measured."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.store import open_store

Cli = Callable[..., Any]
RATE_HZ = 16_000
CALL_S = 1.5
NIGHTS = {"20250501T220000Z": (8.0, 25.5), "20250501T230000Z": (40.25,), "20250502T000000Z": ()}


def _call() -> np.ndarray[Any, Any]:
    time_s = np.arange(round(CALL_S * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * (1500 * time_s + 500 * time_s**2)
    return 0.2 * np.sin(phase) * (0.6 + 0.4 * np.sin(2 * np.pi * 6 * time_s))


def _night(*calls_s: float, seed: int) -> np.ndarray[Any, Any]:
    samples = 0.01 * np.random.default_rng(seed).standard_normal(60 * RATE_HZ)
    for at in calls_s:
        begin = round(at * RATE_HZ)
        samples[begin : begin + len(_call())] += _call()
    return samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]) -> Path:
    """Write nights with known calls, and the call."""
    folder = tmp_path_factory.mktemp("nights")
    for seed, (name, calls_s) in enumerate(NIGHTS.items()):
        write_wav(folder / "nights" / f"{name}.wav", _night(*calls_s, seed=seed))
    write_wav(folder / "queries" / "call" / "call.wav", _call())
    return folder


@pytest.fixture(scope="module")
def nights_url(database_server: Any, folder: Path) -> Iterator[str]:
    """Index the nights once, to be read only."""
    with database_server.database() as url:
        store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
        encoder = load_encoder("logmel-modulation", Path())
        pipeline = Pipeline(store, encoder, WindowPlan(), start_rules=StartTimeRules())
        items = [IndexItem(str(path)) for path in sorted((folder / "nights").glob("*.wav"))]
        assert {result.outcome for result in pipeline.index(items)} == {"added"}
        store.close()
        yield url


@pytest.fixture
def events(soundalike: Cli, nights_url: str, folder: Path) -> Cli:
    """List the calls."""

    def run(*arguments: Any) -> Any:
        query = folder / "queries" / "call" / "call.wav"
        environ = {"SOUNDALIKE_DATABASE_URL": nights_url, "SOUNDALIKE_MODEL": "logmel-modulation"}
        done = soundalike("events", query, *arguments, **environ)
        assert "Traceback" not in done.stderr, done.stderr
        assert "a fault in Soundalike itself" not in done.stderr, done.stderr
        return done

    return run


def test_every_call_is_listed_with_its_time(events: Cli, folder: Path):
    done = events("--json", "--min-score", "0.5")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = [(Path(row["uri"]).stem, row["start_s"]) for row in rows]
    expected = [(name, at) for name, calls_s in NIGHTS.items() for at in calls_s]
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [at for _, at in found] == pytest.approx([at for _, at in expected], abs=0.1)
    assert [row["end_s"] - row["start_s"] for row in rows] == pytest.approx([CALL_S] * 3, abs=0.15)
    assert rows[0]["occurred_at"].startswith("2025-05-01T22:00:0")
    assert rows[0]["query"] == str(folder / "queries" / "call" / "call.wav")
    assert (rows[0]["false_alarm_rate"], rows[0]["label"]) == (None, "nights")


def test_a_table_is_for_people(events: Cli):
    done = events(
        "--min-score", "0.5", "--order", "score", "--limit", "2", "--time-zone", "Europe/Berlin"
    )
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["score", "match", "at", "query", "at", "when", "clip"]
    assert len(lines) == 2
    assert all("+02:00" in line and ".wav" in line for line in lines)


def test_options_narrow_the_events(events: Cli, folder: Path):
    under = folder / "nights" / "20250501T230000Z.wav"
    (line,) = events("--json", "--min-score", "0.5", "--under", under).stdout.splitlines()
    recording = json.loads(line)["recording_id"]
    assert len(events("--json", "--min-score", "0.5", "--recording", recording).stdout.splitlines()) == 1
    best = events("--json", "--min-score", "0.5", "--max-per-recording", "1").stdout.splitlines()
    assert len(best) == 2
    rare = events("--json", "--max-false-alarms", "0.01")
    assert rare.returncode == 8
    assert json.loads(rare.stdout)["good_match"] is False
    assert "no good match: no event has a false-alarm rate of 0.01 or less" in rare.stderr
    none = events("--json", "--min-score", "0.5", "--min-duration", "3")
    assert (none.returncode, none.stdout) == (0, "")
    assert "no event is like it" in none.stderr
    coarse = events("--json", "--min-score", "0.1", "--reread", "0")
    starts_s = [json.loads(line)["start_s"] for line in coarse.stdout.splitlines()]
    assert starts_s
    assert all(start_s == round(start_s) for start_s in starts_s)


def test_events_are_labels_for_audacity(events: Cli, folder: Path, tmp_path: Path):
    labels = tmp_path / "labels.txt"
    under = ("--under", folder / "nights" / "20250501T220000Z.wav")
    export = ("--export", labels, "--format", "audacity", "--export-label", "call")
    done = events("--min-score", "0.5", *under, *export)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    first = labels.read_text(encoding="utf-8").splitlines()[0].split("\t")
    assert float(first[0]) == pytest.approx(8.0, abs=0.1)
    assert float(first[1]) == pytest.approx(9.5, abs=0.15)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--gap", "-1"), "parameter.invalid"),
        (("--order", "size"), "parameter.invalid"),
        (("--recording", "x"), "parameter.invalid"),
        (("--collection", "none"), "store.index_empty"),
    ],
)
def test_wrong_values_are_refused(events: Cli, arguments: tuple[str, ...], code: str):
    done = events(*arguments)
    assert done.returncode in (2, 5)
    assert f"[{code}]" in done.stderr


def test_ctrl_c_ends_it_without_a_trace(nights_url: str, folder: Path):
    query = folder / "queries" / "call" / "call.wav"
    command = [sys.executable, "-m", "soundalike", "events", str(query), "--min-score", "-1", "--json"]
    started = subprocess.Popen(
        [*command, "--database-url", nights_url, "--model", "logmel-modulation"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stderr is not None
    started.stderr.readline()
    time.sleep(0.2)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert "Traceback" not in err
    assert started.returncode in (0, 130)
    assert all(json.loads(line) for line in out.splitlines())


def test_events_are_measured_against_known_ones(soundalike: Cli, folder: Path, tmp_path: Path):
    lines = ["file_name,start_s,end_s,label"]
    for name, calls_s in NIGHTS.items():
        lines += [f"{name}.wav,{at},{at + CALL_S},call" for at in calls_s]
    truth = folder / "nights" / "truth.csv"
    truth.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = tmp_path / "events.html"
    model = {"SOUNDALIKE_MODEL": "logmel-modulation"}

    arguments = ("evaluate", "--events", truth, folder / "queries")
    done = soundalike(*arguments, "--json", "--report", report, **model)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["n_queries"], row["n_recordings"], row["n_events"]) == (1, 2, 3)
    assert row["average_precision"] == row["f1"] == 1.0
    assert row["onset_error_s"] < 0.1
    assert row["per_label"].keys() == {"call"}
    assert "<svg" in report.read_text(encoding="utf-8")

    table = soundalike(*arguments, **model).stdout.splitlines()
    assert table[0].split()[:4] == ["label", "events", "found", "AP"]
    assert [line.split()[0] for line in table[1:]] == ["call", "mean"]


def test_a_wrong_table_of_events_is_refused(soundalike: Cli, folder: Path, tmp_path: Path):
    truth = tmp_path / "truth.csv"
    truth.write_text("file_name,end_s\nnight.wav,1\n", encoding="utf-8")
    done = soundalike("evaluate", "--events", truth, folder / "queries")
    assert done.returncode == 2
    assert "no column start_s" in done.stderr
    refused = soundalike("evaluate", folder / "queries", "--min-score", "0.5")
    assert refused.returncode == 2
    assert "--events" in refused.stderr
