"""``soundalike search``: what it prints, and what narrows it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.store import open_store

Cli = Callable[..., Any]
#: As promised: a program may rely on these.
PROMISED = {
    *("query", "rank", "uri", "score", "start_s", "end_s", "query_start_s", "query_end_s"),
    *("label", "tags"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_tone: Callable[..., Path]) -> Path:
    """Make sounds of two labels, in folders of which one's name begins like the other's."""
    folder = tmp_path_factory.mktemp("indexed")
    for number, frequency_hz in enumerate((200.0, 210.0, 220.0)):
        write_tone(folder / "low" / f"{number}.wav", frequency_hz)
    write_tone(folder / "lower" / "0.wav", 150.0)
    write_tone(folder / "high" / "0.wav", 3000.0)
    shutil.copy(folder / "low" / "0.wav", folder / "high" / "copy of low 0.wav")
    return folder


@pytest.fixture(scope="module")
def indexed_url(database_server: Any, folder: Path) -> Iterator[str]:
    """Index the folder once, to be read only."""
    with database_server.database() as url:
        store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
        pipeline = Pipeline(store, load_encoder("logmel-modulation", Path()), WindowPlan())
        items = [
            IndexItem(str(path), tags={"n": number, "deep": {"of": path.parent.name}})
            for number, path in enumerate(sorted(folder.rglob("*.wav")))
        ]
        assert [result.outcome for result in pipeline.index(items)].count("failed") == 0
        store.close()
        yield url


@pytest.fixture(scope="module")
def many_url(database_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Index so many noises of different colour that false-alarm rates are known."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(3)
    with database_server.database() as url:
        store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
        pipeline = Pipeline(store, load_encoder("logmel-modulation", Path()), WindowPlan())
        items = []
        for number in range(40):
            spectrum = np.fft.rfft(rng.standard_normal(64_000)) * _bands(rng)
            sound = np.fft.irfft(spectrum)
            items.append(IndexItem(str(_written(folder / f"{number}.wav", sound))))
        assert {result.outcome for result in pipeline.index(items)} == {"added"}
        assert store.null_model() is not None
        store.close()
        yield url


def _bands(rng: np.random.Generator) -> Any:
    """Return the gains of 16 random bands, for 32 001 frequencies."""
    return np.interp(np.linspace(0, 15, 32_001), np.arange(16), 10 ** rng.uniform(-2, 0, 16))


def _written(path: Path, sound: Any) -> Path:
    import soundfile

    soundfile.write(path, 0.3 * sound / np.abs(sound).max(), 16_000, subtype="PCM_16")
    return path


@pytest.fixture
def query(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    """Make a file that is not indexed; it sounds exactly like the beginning of low 1."""
    return write_tone(tmp_path / "query.wav", 210.0, 5.0)


@pytest.fixture
def search(
    soundalike: Cli, indexed_url: str, rows_of: Callable[..., Any]
) -> Callable[..., list[dict[str, Any]]]:
    """Search with --json; return the rows."""

    def run(*arguments: Any, **options: Any) -> list[dict[str, Any]]:
        done = soundalike("search", "--json", *arguments, SOUNDALIKE_DATABASE_URL=indexed_url, **options)
        assert done.returncode == 0, done.stderr
        return rows_of(done)

    return run


def test_each_match_is_an_object_with_the_promised_fields(
    search: Callable[..., Any], query: Path, folder: Path
):
    rows = search(query)

    assert all(row.keys() >= PROMISED for row in rows)
    assert [row["rank"] for row in rows] == list(range(1, 6))
    assert {row["query"] for row in rows} == {str(query)}
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert all(-1 <= row["score"] <= 1 for row in rows)
    # Low 0 is stored under two paths and found once, under the first of them.
    assert [Path(row["uri"]).name for row in rows].count("copy of low 0.wav") == 1
    assert str(folder / "low" / "0.wav") not in {row["uri"] for row in rows}
    best = rows[0]
    assert (best["uri"], best["label"]) == (str(folder / "low" / "1.wav"), "low")
    assert best["tags"] == {"n": 3, "deep": {"of": "low"}}
    assert best["score"] == pytest.approx(1, abs=2e-3)
    assert best["end_s"] - best["start_s"] == pytest.approx(4)
    assert best["query_end_s"] - best["query_start_s"] == pytest.approx(4)
    assert 0 <= best["query_start_s"] <= 1
    assert best["encoder"] == "logmel-modulation"


def test_a_relative_path_works_from_anywhere(search: Callable[..., Any], query: Path):
    rows = search(os.path.relpath(query, query.parents[1]), cwd=query.parents[1])

    assert rows[0]["query"] == str(query)
    assert len(rows) == 5


def test_the_querys_own_recording_can_be_left_out_under_all_its_paths(
    search: Callable[..., Any], folder: Path
):
    own = folder / "low" / "0.wav"
    with_own, without = search(own), search(own, "--exclude-self")

    assert with_own[0]["score"] == pytest.approx(1, abs=2e-3)
    assert len(without) == len(with_own) - 1
    assert not {str(own), str(folder / "high" / "copy of low 0.wav")} & {row["uri"] for row in without}


FILTERS: dict[str, tuple[list[str], set[str]]] = {
    "--top-k": (["--top-k", "1"], {"low/1.wav"}),
    "-k": (["-k", "1"], {"low/1.wav"}),
    "--label": (["--label", "low"], {"low/0.wav", "low/1.wav", "low/2.wav"}),
    "two labels": (
        ["--label", "lower", "--label", "high"],
        {"lower/0.wav", "high/0.wav", "high/copy of low 0.wav"},
    ),
    "--tag": (["--tag", "n=0"], {"high/0.wav"}),
    "two tags": (["--tag", "n=3", "--tag", 'deep={"of": "low"}'], {"low/1.wav"}),
    "tags that exclude each other": (["--tag", "n=3", "--tag", 'deep={"of": "high"}'], set()),
    "--under a folder": (["--under", "low"], {"low/0.wav", "low/1.wav", "low/2.wav"}),
    "--under a folder with a slash": (["--under", "low/"], {"low/0.wav", "low/1.wav", "low/2.wav"}),
    "--under a folder that is gone": (["--under", "lo"], set()),
    "--under the root": (["--under", "/", "--label", "lower"], {"lower/0.wav"}),
    "--under a file": (["--under", "low/2.wav"], {"low/2.wav"}),
    "--min-score": (["--min-score", "0.9999"], {"low/1.wav"}),
}


@pytest.mark.parametrize(("options", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_options_narrow_the_search(
    search: Callable[..., Any], query: Path, folder: Path, options: list[str], expected: set[str]
):
    rows = search(query, *options, cwd=folder)

    assert {str(Path(row["uri"]).relative_to(folder)) for row in rows} == expected


def test_a_table_is_printed_for_people(soundalike: Cli, indexed_url: str, query: Path, folder: Path):
    done = soundalike("search", query, "-k", "2", cwd=folder, SOUNDALIKE_DATABASE_URL=indexed_url)

    header, *lines = done.stdout.splitlines()
    assert header.split() == ["rank", "score", "clip", "at", "query", "at", "label", "heard", "at"]
    assert len(lines) == 2
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert lines[0].split()[2] == "low/1.wav"
    assert lines[0].split()[7] == "low"
    assert lines[0].endswith(" ?")
    assert "encoder: logmel-modulation" in done.stderr


def test_no_match_is_said(soundalike: Cli, indexed_url: str, query: Path):
    done = soundalike("search", query, "--label", "cow", SOUNDALIKE_DATABASE_URL=indexed_url)

    assert (done.returncode, done.stdout) == (0, "")
    assert "no recording matches" in done.stderr


@pytest.fixture
def bad_queries(tmp_path: Path, write_wav: Callable[..., Path]) -> dict[str, Path]:
    """Make queries that cannot be used, by the code of their error."""
    text, empty = tmp_path / "text.wav", tmp_path / "empty.wav"
    text.write_text("this is no sound\n" * 50)
    empty.touch()
    holed = np.ones(16_000, dtype=np.float32) / 2
    holed[100] = np.inf
    return {
        "audio.not_found": tmp_path / "missing.wav",
        "audio.unreadable": text,
        "audio.empty": empty,
        "audio.silent_query": write_wav(tmp_path / "silence.wav", np.zeros(64_000)),
        "audio.too_short": write_wav(tmp_path / "blip.wav", np.ones(100) / 2),
        "audio.invalid_samples": write_wav(tmp_path / "nan.wav", holed),
    }


@pytest.mark.parametrize(
    "code",
    [
        *("audio.not_found", "audio.unreadable", "audio.empty", "audio.silent_query"),
        *("audio.too_short", "audio.invalid_samples"),
    ],
)
def test_a_query_that_cannot_be_used_is_said_in_one_line(
    soundalike: Cli, indexed_url: str, bad_queries: dict[str, Path], code: str
):
    done = soundalike("search", bad_queries[code], "--json", SOUNDALIKE_DATABASE_URL=indexed_url)

    assert (done.returncode, done.stdout) == (3, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("soundalike: ")
    assert last.endswith(f"[{code}]")
    assert "Traceback" not in done.stderr


def test_an_empty_index_is_said(cli: Cli, query: Path):
    done = cli("search", query, "--json")

    assert (done.returncode, done.stdout) == (5, "")
    assert "soundalike index" in done.stderr
    assert "[store.index_empty]" in done.stderr


def test_a_stored_recording_is_looked_for_without_an_encoder(
    soundalike: Cli,
    indexed_url: str,
    search: Callable[..., Any],
    query: Path,
    rows_of: Callable[..., Any],
):
    best, *_ = search(query)
    asked = ("search", "--recording-id", best["recording_id"], "--at", "0:01", "--exclude-self")
    # The weights of VGGish are not here.
    environ = {"SOUNDALIKE_DATABASE_URL": indexed_url, "SOUNDALIKE_MODEL": "vggish"}
    done = soundalike(*asked, "--group-by", "label", "--json", **environ)

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(row["label"] for row in rows_of(done)) == ["high", "low", "lower"]


def test_a_recording_that_is_not_stored_is_said(soundalike: Cli, indexed_url: str):
    unknown = "00000000-0000-0000-0000-000000000000"
    done = soundalike("search", "--recording-id", unknown, SOUNDALIKE_DATABASE_URL=indexed_url)

    assert (done.returncode, done.stdout) == (5, "")
    assert unknown in done.stderr
    assert done.stderr.rstrip().endswith("[store.not_found]")


def test_a_copy_is_a_strong_match_and_the_limit_leaves_out_the_rest(
    soundalike: Cli, rows_of: Any, many_url: str
):
    url = {"SOUNDALIKE_DATABASE_URL": many_url}
    (first,) = rows_of(soundalike("collections", "--json", **url))[:1]
    assert first["recordings"] == 40
    key = _any_id(many_url)
    rows = rows_of(soundalike("search", "--recording-id", key, "--json", **url))
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert (rows[0]["strength"], rows[0]["recording_id"]) == ("likely", key)
    assert rows[0]["false_alarm_rate"] == pytest.approx(1 / (40 * 39 / 2), rel=0.05)
    rates = [row["false_alarm_rate"] for row in rows]
    assert rates == sorted(rates)

    limit = rates[4]
    limited = soundalike("search", "--recording-id", key, "--max-false-alarms", limit, "--json", **url)
    assert limited.returncode == 0
    assert rows_of(limited) == [row for row in rows if row["false_alarm_rate"] <= limit]
    table = soundalike("search", "--recording-id", key, **url).stdout.splitlines()
    assert table[0].split()[:4] == ["rank", "score", "match", "clip"]
    assert table[1].split()[2:4] == ["likely", "0.0013"]


def test_no_good_match_has_its_own_status(soundalike: Cli, rows_of: Any, many_url: str):
    arguments = ("search", "--recording-id", _any_id(many_url), "--exclude-self")
    limited = (*arguments, "--max-false-alarms", "0.0001", "--json")
    found = soundalike(*limited, SOUNDALIKE_DATABASE_URL=many_url)

    assert found.returncode == 8
    (row,) = rows_of(found)
    assert (row["good_match"], row["max_false_alarms"]) == (False, 0.0001)
    assert "no good match: no recording has a false-alarm rate of 0.0001 or less" in found.stderr
    assert soundalike(*arguments, SOUNDALIKE_DATABASE_URL=many_url).returncode == 0


def test_status_shows_the_scores_of_unrelated_recordings(soundalike: Cli, rows_of: Any, many_url: str):
    (found,) = rows_of(soundalike("status", "--json", SOUNDALIKE_DATABASE_URL=many_url))
    scores = found["unrelated_scores"]
    assert (scores["pairs"], scores["recordings"]) == (780, 40)
    assert -1 < scores["median"] < scores["p99"] < 1
    shown = soundalike("status", SOUNDALIKE_DATABASE_URL=many_url).stdout
    assert f"unrelated_scores    median {scores['median']}" in shown


@pytest.mark.parametrize("rate", ["0", "1.5", "nan", "often"])
def test_a_limit_of_false_alarms_is_a_probability(soundalike: Cli, many_url: str, rate: str):
    found = soundalike("search", "x.wav", "--max-false-alarms", rate, SOUNDALIKE_DATABASE_URL=many_url)
    assert found.returncode == 2
    assert "max" in found.stderr


def _any_id(url: str) -> str:
    store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
    (first, *_) = store.files()
    store.close()
    return first.recording_id
