"""``soundalike search`` by wall-clock time: what was heard since, until, and at a time of day."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.store import open_store

Cli = Callable[..., Any]
NAMES = ("20250329_230000", "20250330_013000", "20250330_053000", "20250331_053000", "undated")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_tone: Callable[..., Path]) -> Path:
    """Make recordings of 10 s in the night in which Berlin's clocks are changed, and after it."""
    folder = tmp_path_factory.mktemp("dated")
    for number, name in enumerate(NAMES):
        write_tone(folder / f"{name}.wav", 200.0 + number)
    os.utime(folder / "undated.wav", (0, 0))
    return folder


@pytest.fixture(scope="module")
def dated_url(database_server: Any, folder: Path) -> Iterator[str]:
    """Index the folder once, to be read only."""
    with database_server.database() as url:
        store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
        encoder, start_rules = (
            load_encoder("logmel-modulation", Path()),
            StartTimeRules.described("Europe/Berlin"),
        )
        pipeline = Pipeline(store, encoder, WindowPlan(), start_rules=start_rules)
        items = [IndexItem(str(path)) for path in sorted(folder.iterdir())]
        assert {result.outcome for result in pipeline.index(items)} == {"added"}
        store.close()
        yield url


@pytest.fixture
def search(soundalike: Cli, dated_url: str, folder: Path) -> Cli:
    """Search for the first recording, in Berlin."""

    def run(*arguments: Any) -> Any:
        environ = {"SOUNDALIKE_DATABASE_URL": dated_url, "SOUNDALIKE_TIME_ZONE": "Europe/Berlin"}
        return soundalike("search", folder / f"{NAMES[0]}.wav", *arguments, **environ)

    return run


@pytest.fixture
def found(search: Cli, rows_of: Callable[..., Any]) -> Callable[..., list[str]]:
    """Search; return the names of what was found, in their order."""

    def run(*arguments: Any) -> list[str]:
        done = search("--json", *arguments)
        assert done.returncode == 0, done.stderr
        return sorted(Path(row["uri"]).stem for row in rows_of(done))

    return run


def test_each_match_says_when_it_was_heard(search: Cli, rows_of: Callable[..., Any]):
    rows = {Path(row["uri"]).stem: row for row in rows_of(search("--json"))}

    assert rows.keys() == set(NAMES)
    row = rows["20250330_013000"]
    assert row["recorded_at"] == "2025-03-30T01:30:00+01:00"
    assert row["occurred_at"].startswith("2025-03-30T01:30:0")
    assert row["recorded_at_source"] == "filename"
    assert rows["20250330_053000"]["recorded_at"] == "2025-03-30T05:30:00+02:00"
    unknown = rows["undated"]
    assert (unknown["recorded_at"], unknown["occurred_at"], unknown["recorded_at_source"]) == (
        None,
        None,
        None,
    )


def test_the_table_for_people_says_so_too(search: Cli):
    header, *lines = search("--top-k", "1").stdout.splitlines()

    assert header.endswith("heard at")
    assert lines[0].split("  ")[-1].startswith("2025-03-29 23:00:0")
    assert lines[0].endswith("+01:00")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], NAMES),
        (["--since", "2025-03-30"], NAMES[1:4]),
        (["--until", "2025-03-30"], NAMES[:1]),
        (["--since", "2025-03-30", "--until", "2025-03-31"], NAMES[1:3]),
        (["--since", "2025-03-30T05:30"], NAMES[2:4]),
        (["--since", "2025-03-30T05:30Z"], NAMES[3:4]),
        (["--until", "2025-03-30T05:30"], NAMES[:2]),
        (["--time-of-day", "05:00-08:00"], NAMES[2:4]),
        (["--time-of-day", "22:30-02:00"], NAMES[:2]),
        (["--time-of-day", "03:00-04:00", "--time-zone", "UTC"], NAMES[2:4]),
        (["--since", "2025-03-31", "--time-of-day", "05:00-08:00"], NAMES[3:4]),
        (["--since", "2026-01-01"], ()),
    ],
)
def test_times_narrow_a_search(
    found: Callable[..., list[str]], options: list[str], expected: tuple[str, ...]
):
    assert found(*options) == list(expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "sunrise"], "since is 'sunrise'; give a date or an ISO-8601 time"),
        (["--since", "2025-05-02", "--until", "2025-05-01"], "the period is empty"),
        (["--time-of-day", "5-8"], "time_of_day is '5-8'; give two times of a clock"),
        (["--time-of-day", "05:00-05:00"], "time_of_day begins and ends at 05:00:00"),
        (["--time-zone", "Berlin"], "time zone 'Berlin' is unknown"),
    ],
)
def test_nonsense_is_said_before_the_encoder_is_loaded(search: Cli, options: list[str], said: str):
    done = search(*options)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert line.endswith("[parameter.invalid]")
