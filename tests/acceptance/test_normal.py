"""``soundalike normal``: learn, score, show, remove and watch, on real files."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cli = Callable[..., Any]
RATE_HZ = 16_000
#: Exit statuses of `normal score`.
NORMAL, ANOMALOUS, FAILED = 0, 1, 3


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]) -> Path:
    """Write hums and hisses: normal/0.wav to 7.wav, new/hum.wav, new/hiss.wav and odd ones."""
    folder = tmp_path_factory.mktemp("machine")
    rng = np.random.default_rng(0)

    def hum(seconds: float, rate: int = RATE_HZ) -> Any:
        at = np.arange(round(seconds * rate)) / rate
        tone = sum(np.sin(2 * np.pi * n * (50 + rng.normal()) * at) / n for n in range(1, 20))
        return 0.1 * tone + 0.01 * rng.normal(size=at.size)

    for number in range(8):
        write_wav(folder / "normal" / f"{number}.wav", hum(10), RATE_HZ)
    new = folder / "new"
    write_wav(new / "hum.wav", hum(10), RATE_HZ)
    hiss = hum(10)
    hiss[5 * RATE_HZ : 8 * RATE_HZ] += 0.3 * rng.normal(size=3 * RATE_HZ)
    write_wav(new / "hiss.wav", hiss, RATE_HZ)
    odd = folder / "odd"
    write_wav(odd / "silent.wav", np.zeros(5 * RATE_HZ), RATE_HZ)
    write_wav(odd / "short.wav", hum(0.5), RATE_HZ)
    write_wav(odd / "fast.wav", hum(10, 44_100), 44_100)
    write_wav(odd / "long.wav", hum(120), RATE_HZ)
    write_wav(odd / "overdriven.wav", np.clip(50 * hum(5), -1, 1), RATE_HZ)
    return folder


@pytest.fixture
def pump(cli: Cli, machine: Path) -> Cli:
    """Return the command line on a database with the model ``pump``."""
    done = cli("normal", "learn", "pump", machine / "normal", "--json")
    assert done.returncode == 0, done.stderr
    return cli


def test_recordings_are_scored_with_reasons(
    pump: Cli, machine: Path, rows_of: Callable[..., Any], tmp_path: Path
):
    page = tmp_path / "page.html"
    done = pump("normal", "score", "pump", machine / "new", "--json", "--report", page)
    assert done.returncode == ANOMALOUS, done.stderr
    found = {Path(row["uri"]).name: row for row in rows_of(done)}
    assert (found["hum.wav"]["is_anomalous"], found["hiss.wav"]["is_anomalous"]) == (False, True)
    row = found["hiss.wav"]
    assert row["score"] > row["threshold"]
    assert row["false_alarm_rate"] == pytest.approx(1 / 9, abs=1e-4)
    assert row["regions"][0]["start_s"] <= 5 < 8 <= row["regions"][-1]["end_s"]
    assert Path(row["nearest"]["uri"]).parent == machine / "normal"
    assert found["hum.wav"]["regions"] == []
    assert page.read_text(encoding="utf-8").count("data:image/png") == 4

    alone = pump("normal", "score", "pump", machine / "new" / "hum.wav")
    assert (alone.returncode, alone.stdout[:6]) == (NORMAL, "normal")
    missing = pump("normal", "score", "pump", machine / "new" / "hum.wav", "/no/such.wav")
    assert (missing.returncode, missing.stdout.count("\n")) == (FAILED, 1)
    assert "audio.not_found" in missing.stderr


def test_odd_files_are_scored_or_say_why_not(pump: Cli, machine: Path, rows_of: Callable[..., Any]):
    done = pump("normal", "score", "pump", machine / "odd", "--json")
    assert done.returncode == FAILED
    found = {Path(row["uri"]).name: row for row in rows_of(done)}
    assert found["silent.wav"]["error_code"] == "audio.silent_query"
    assert found["overdriven.wav"]["error_code"] == "audio.silent_query"
    assert all("score" in found[name] for name in ("short.wav", "fast.wav", "long.wav"))
    assert not found["long.wav"]["is_anomalous"]


def test_learning_again_adds_and_accepting_moves_the_border(
    pump: Cli, machine: Path, rows_of: Callable[..., Any]
):
    again = pump("normal", "learn", "pump", machine / "normal", "--json")
    assert [(row["outcome"], row["new"]) for row in rows_of(again)] == [("unchanged", 0)]
    more = pump("normal", "learn", "pump", machine / "new" / "hiss.wav", "--accept", "--json")
    (row,) = rows_of(more)
    assert (row["outcome"], row["new"], row["recordings"], row["accepted"]) == ("updated", 1, 9, 1)
    after = pump("normal", "score", "pump", machine / "new" / "hiss.wav")
    assert after.returncode == NORMAL
    shown = pump("normal", "show", "pump")
    assert "accepted" in shown.stdout
    afresh = pump("normal", "learn", "pump", machine / "normal", "--replace", "--json")
    assert [row["recordings"] for row in rows_of(afresh)] == [8]


def test_few_recordings_begin_with_a_wide_interval(cli: Cli, machine: Path, rows_of: Callable[..., Any]):
    paths = [machine / "normal" / f"{number}.wav" for number in range(3)]
    done = cli("normal", "learn", "few", *paths, "--json")
    (row,) = rows_of(done)
    assert row["false_alarm_rate"] == 0.25
    assert row["false_alarm_interval"][1] > 0.7
    assert "learn at least 19" in done.stderr
    too_few = cli("normal", "learn", "two", *paths[:2])
    assert (too_few.returncode, too_few.stdout) == (2, "")
    assert "parameter.invalid" in too_few.stderr


def test_a_collection_teaches_the_same(pump: Cli, machine: Path, rows_of: Callable[..., Any]):
    pump("index", machine / "normal", machine / "odd")
    done = pump("normal", "learn", "stored", "--collection", "default", "--label", "normal", "--json")
    (row,) = rows_of(done)
    (listed,) = rows_of(pump("normal", "show", "pump", "--json"))
    assert row["recordings"] == 8
    assert row["threshold"] == pytest.approx(listed["threshold"], rel=0.01)


def test_other_windows_and_unknown_models_are_refused(pump: Cli, machine: Path):
    other = pump("normal", "score", "pump", machine / "new", "--window-size", 2)
    assert (other.returncode, other.stdout) == (5, "")
    assert "store.model_mismatch" in other.stderr
    unknown = pump("normal", "score", "fan", machine / "new")
    assert (unknown.returncode, unknown.stdout) == (5, "")
    assert "store.normal_model_not_found" in unknown.stderr
    assert pump("normal", "remove", "pump", "--yes").returncode == 0
    assert pump("normal", "remove", "pump", "--yes").returncode == 5
    assert pump("normal", "list").stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("learn",),
        ("learn", "pump"),
        ("score", "pump"),
        ("score", "pump", "x.wav", "--method", "both"),
        ("score", "pump", "x.wav", "--once"),
        ("list", "--label", "x"),
        ("learn", "../x", "normal"),
    ],
)
def test_wrong_usage_is_refused(cli: Cli, words: tuple[str, ...]):
    done = cli("normal", *words)
    assert (done.returncode, done.stdout) == (2, "")


def test_each_file_of_a_folder_is_scored_once_also_after_a_kill(
    pump: Cli, start: Callable[..., Any], machine: Path, tmp_path: Path, rows_of: Callable[..., Any]
):
    incoming = tmp_path / "incoming"
    shutil.copytree(machine / "new", incoming)
    watch = ("normal", "watch", "pump", incoming, "--json", "--settle", "0.2")
    process = start(*map(str, watch))
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    rest = pump(*watch, "--once")
    assert {first["uri"], *(row["uri"] for row in rows_of(rest))} == {
        str(path) for path in incoming.iterdir()
    }
    events = rows_of(pump("normal", "events", "pump", "--json"))
    assert sorted(row["uri"] for row in events) == sorted(map(str, incoming.iterdir()))
    assert [row["is_anomalous"] for row in events].count(True) == 1
    again = pump(*watch, "--once")
    assert (again.returncode, again.stdout) == (0, "")
    shutil.copy(machine / "new" / "hiss.wav", incoming / "more.wav")
    told = tmp_path / "told"
    command = f"tee {told}"
    once = pump(*watch, "--once", "--command", command)
    assert once.returncode == ANOMALOUS
    assert json.loads(told.read_text())["is_anomalous"] is True


def test_a_watch_ends_with_a_signal(pump: Cli, start: Callable[..., Any], tmp_path: Path):
    (tmp_path / "in").mkdir()
    process = start("normal", "watch", "pump", str(tmp_path / "in"))
    for line in process.stderr:
        if "watching" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_evaluate_measures_machines(
    cli: Cli, machine: Path, tmp_path: Path, rows_of: Callable[..., Any]
):
    folder = tmp_path / "machines" / "pump"
    shutil.copytree(machine / "normal", folder / "train" / "normal")
    (folder / "test").mkdir()
    shutil.copy(machine / "new" / "hum.wav", folder / "test" / "OK_1.wav")
    shutil.copy(machine / "new" / "hiss.wav", folder / "test" / "KO_1.wav")
    page = tmp_path / "page.html"
    done = cli("evaluate", "--anomaly", folder.parent, "--json", "--report", page)
    assert done.returncode == 0, done.stderr
    row, mean = rows_of(done)
    assert (row["machine"], row["auc"], row["n_train"]) == ("pump", 1.0, 8)
    assert mean["mean"]["auc"] == 1.0
    assert "threshold" in page.read_text(encoding="utf-8")
    wrong = cli("evaluate", folder.parent, "--method", "both")
    assert (wrong.returncode, wrong.stdout) == (2, "")
