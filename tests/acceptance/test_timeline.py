"""``soundalike timeline``: when something like a sound was heard, hour by hour or day by day."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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


def _sounds(*calls_s: float, duration_s: float = 60.0) -> np.ndarray[Any, Any]:
    """Return noise with calls of 4 s that begin at these seconds."""
    rng = np.random.default_rng(int(sum(calls_s)) + 1)
    samples = 0.05 * rng.standard_normal(round(duration_s * RATE_HZ))
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    call = 0.5 * np.sin(2 * np.pi * 2000 * time_s) * (np.sin(2 * np.pi * 4 * time_s) > 0)
    for at in calls_s:
        begin = round(at * RATE_HZ)
        samples[begin : begin + len(call)] = call
    return samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., Path]) -> Path:
    """Make recordings with known calls, of the night in which Berlin's clocks are put back."""
    folder = tmp_path_factory.mktemp("nights")
    calls = {
        "20251025T235930Z": (10.0, 40.0),  # before and after two o'clock in Berlin
        "20251026T010000Z": (20.0,),  # the second time that it is two o'clock
        "20251026T040000Z": (0.0, 20.0, 40.0),
        "20251026T050000Z": (),
    }
    for name, seconds in calls.items():
        write_wav(folder / f"{name}.wav", _sounds(*seconds))
    undated = write_wav(folder / "undated.wav", _sounds(30.0))
    os.utime(undated, (0, 0))
    write_wav(folder / "query" / "call.wav", _sounds(0.0, duration_s=4.0))
    return folder


@pytest.fixture(scope="module")
def nights_url(database_server: Any, folder: Path) -> Iterator[str]:
    """Index the folder once, to be read only."""
    with database_server.database() as url:
        store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
        encoder = load_encoder("logmel-modulation", Path())
        pipeline = Pipeline(store, encoder, WindowPlan(), start_rules=StartTimeRules())
        items = [IndexItem(str(path)) for path in sorted(folder.glob("*.wav"))]
        assert {result.outcome for result in pipeline.index(items)} == {"added"}
        store.close()
        yield url


@pytest.fixture
def timeline(soundalike: Cli, nights_url: str, folder: Path) -> Cli:
    """Count the calls, in Berlin."""

    def run(*arguments: Any) -> Any:
        environ = {"SOUNDALIKE_DATABASE_URL": nights_url, "SOUNDALIKE_TIME_ZONE": "Europe/Berlin"}
        query = folder / "query" / "call.wav"
        done = soundalike("timeline", query, "--min-score", "0.7", *arguments, **environ)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def test_calls_are_counted_by_the_hour(timeline: Cli, rows_of: Callable[..., Any]):
    done = timeline("--by", "hour", "--json")

    assert [(row["start"], row["end"], row["count"]) for row in rows_of(done)] == [
        ("2025-10-26T01:00:00+02:00", "2025-10-26T02:00:00+02:00", 1),
        ("2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00", 1),
        ("2025-10-26T02:00:00+01:00", "2025-10-26T03:00:00+01:00", 1),
        ("2025-10-26T03:00:00+01:00", "2025-10-26T04:00:00+01:00", 0),
        ("2025-10-26T04:00:00+01:00", "2025-10-26T05:00:00+01:00", 0),
        ("2025-10-26T05:00:00+01:00", "2025-10-26T06:00:00+01:00", 3),
    ]
    assert "6 occurrences" in done.stderr
    assert "their time is unknown: 1 more" in done.stderr


def test_a_table_with_bars_is_printed_for_people(timeline: Cli):
    done = timeline("--time-zone", "UTC")

    header, *lines = done.stdout.splitlines()
    assert header.split() == ["day", "count"]
    assert [line.split() for line in lines] == [
        ["2025-10-25", "1", "#" * 8],
        ["2025-10-26", "5", "#" * 40],
    ]


def test_filters_narrow_the_count(timeline: Cli, rows_of: Callable[..., Any]):
    options = ("--by", "month", "--since", "2025-10-26T02:00", "--time-of-day", "02:00-05:00")
    (row,) = rows_of(timeline(*options, "--json"))

    assert (row["start"], row["count"]) == ("2025-10-01T00:00:00+02:00", 2)


def test_a_drawing_is_written(timeline: Cli, tmp_path: Path):
    done = timeline("--by", "week", "--plot", tmp_path / "calls.svg")

    svg = ElementTree.parse(tmp_path / "calls.svg").getroot()
    assert "call.wav" in "".join(svg.itertext())
    assert "2025-10-20: 6" in "".join(svg.itertext())
    assert f"plot: {tmp_path / 'calls.svg'}" in done.stderr


def test_nothing_like_it_is_said(timeline: Cli):
    done = timeline("--since", "2026-01-01")

    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing is like it" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--min-score", "2"], "min_score is 2.0; choose a cosine similarity from -1 to 1"),
        (["--since", "2025-05-02", "--until", "2025-05-01"], "the period is empty"),
        (["--plot", "calls.png"], "plot is 'calls.png'; give a file that ends in .svg"),
        (["--plot", "nowhere/calls.svg"], "cannot be written there"),
        (["--time-zone", "Berlin"], "time zone 'Berlin' is unknown"),
    ],
)
def test_nonsense_is_said_before_the_encoder_is_loaded(timeline: Cli, options: list[str], said: str):
    done = timeline(*options)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert line.endswith("[parameter.invalid]")


def test_an_empty_index_and_a_silent_query_are_said(
    cli: Cli, timeline: Cli, folder: Path, tmp_path: Path, write_wav: Callable[..., Path]
):
    query = folder / "query" / "call.wav"
    assert "[store.index_empty]" in cli("timeline", query, "--min-score", "0.5").stderr
    silence = write_wav(tmp_path / "silence.wav", np.zeros(64_000))
    cli("index", query)
    assert "[audio.silent_query]" in cli("timeline", silence, "--min-score", "0.5").stderr
