"""Writing for programs and for people."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from soundalike.cli import output
from soundalike.search.match_json import match_from_json, match_to_json
from soundalike.types import Match, Recording

RECORDING = Recording("0000-id", "/sounds/rain/a.wav", 12.5, "rain", {"site": "pond"})
MATCH = Match(1, RECORDING, 0.123456789, 2.0, 6.0, 0.0, 4.0, 3, "default")


def test_data_goes_to_stdout_and_notes_to_stderr(capsys: pytest.CaptureFixture[str]):
    output.data("data")
    output.note("note")
    assert capsys.readouterr() == ("data\n", "note\n")


@pytest.mark.parametrize(
    "values",
    [{}, {"a": None, "b": [1, 2.5, "x"]}, {"text": "Vögel\n鳥 \u2028"}, {"nested": {"site": "pond"}}],
)
def test_json_line(values: dict[str, object], capsys: pytest.CaptureFixture[str]):
    output.json_line(values)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.count("\n") == 1
    assert json.loads(captured.out) == values


def test_json_line_keeps_letters_readable(capsys: pytest.CaptureFixture[str]):
    output.json_line({"uri": "Vögel.wav"})
    assert "Vögel.wav" in capsys.readouterr().out


def test_json_line_writes_paths_and_times_as_text(capsys: pytest.CaptureFixture[str]):
    output.json_line({"path": Path("/a"), "at": datetime(2024, 2, 29, tzinfo=UTC)})
    assert json.loads(capsys.readouterr().out) == {"path": "/a", "at": "2024-02-29 00:00:00+00:00"}


def test_json_line_never_writes_what_is_no_json(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.json_line({"score": float("nan")})
    assert capsys.readouterr().out == ""


def test_match_values():
    assert match_to_json(MATCH, "/q.wav", "vggish") == {
        "query": "/q.wav",
        "rank": 1,
        "uri": "/sounds/rain/a.wav",
        "score": 0.123457,
        "false_alarm_rate": None,
        "strength": "unknown",
        "start_s": 2.0,
        "end_s": 6.0,
        "query_start_s": 0.0,
        "query_end_s": 4.0,
        "occurred_at": None,
        "recorded_at": None,
        "recorded_at_source": None,
        "n_hits": 3,
        "n_other_events": None,
        "label": "rain",
        "tags": {"site": "pond"},
        "duration_s": 12.5,
        "recording_id": "0000-id",
        "collection": "default",
        "encoder": "vggish",
    }


def test_a_match_survives_its_json():
    recording = replace(
        RECORDING,
        recorded_at=datetime(2025, 5, 1, 6, tzinfo=UTC),
        recorded_at_source="filename",
    )
    match = replace(MATCH, recording=recording, score=0.125, false_alarm_rate=0.0012)
    row = json.loads(json.dumps(match_to_json(match, "/q.wav", "vggish", ZoneInfo("Europe/Berlin"))))
    assert match_from_json(row) == match
    assert (row["false_alarm_rate"], row["strength"]) == (0.0012, "likely")
    del row["false_alarm_rate"]
    assert match_from_json(row) == replace(match, false_alarm_rate=None)


def test_match_values_of_a_recording_without_label():
    match = Match(1, Recording("id", "/a.wav", 1.0), 1.0, 0.0, 1.0, 0.0, 1.0, 1, "default")
    values = match_to_json(match, "/q.wav", "vggish")
    assert (values["label"], values["tags"]) == (None, {})
    assert output.match_table([values])[1].split()[-1] == "s"


def test_match_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    row = match_to_json(MATCH, "/q.wav", "vggish")
    lines = output.match_table([row, {**row, "rank": 10, "uri": str(tmp_path / "b.wav"), "label": None}])
    assert lines == [
        "rank  score  clip                at         query at   label",
        "   1  0.123  /sounds/rain/a.wav  2.0-6.0 s  0.0-4.0 s  rain",
        "  10  0.123  b.wav               2.0-6.0 s  0.0-4.0 s",
    ]


def test_a_table_shows_how_strong_matches_are_where_that_is_known():
    rare = match_to_json(replace(MATCH, false_alarm_rate=0.00043), "/q.wav", "vggish")
    unknown = match_to_json(MATCH, "/q.wav", "vggish")
    lines = output.match_table([rare, unknown])
    assert lines[0].split("  ")[:3] == ["rank", "score", "match"]
    assert lines[1].startswith("   1  0.123  strong 0.00043  /sounds")
    assert lines[2].startswith("   1  0.123  unknown         /sounds")


def test_a_vector_has_no_seconds_in_the_table():
    row = match_to_json(replace(MATCH, query_start_s=None, query_end_s=None), "", "vggish")
    assert (row["query_start_s"], row["query_end_s"]) == (None, None)
    assert output.match_table([row])[1].split()[-2:] == ["-", "rain"]


def test_columns_of_nothing():
    assert output.columns([]) == []


@pytest.mark.parametrize(
    ("start_s", "end_s", "text"),
    [
        (0.0, 0.025, "0.0-0.0 s"),
        (0.0, 4.0, "0.0-4.0 s"),
        (55.9, 59.9, "55.9-59.9 s"),
        (58.0, 62.0, "0:58.0-1:02.0"),
        (59.97, 63.97, "1:00.0-1:04.0"),
        (600.0, 604.0, "10:00.0-10:04.0"),
        (3599.96, 3603.96, "1:00:00.0-1:00:04.0"),
        (36_000.5, 36_004.5, "10:00:00.5-10:00:04.5"),
    ],
)
def test_seconds(start_s: float, end_s: float, text: str):
    assert output.seconds(start_s, end_s) == text


def test_short_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    assert output.short_path(str(tmp_path / "a" / "b.wav")) == os.path.join("a", "b.wav")
    assert output.short_path("/elsewhere/b.wav") == "/elsewhere/b.wav"
    assert output.short_path("upload:0000") == "upload:0000"


def test_progress_stays_off_stdout(capsys: pytest.CaptureFixture[str]):
    show = output.progress(3, "indexing")
    for done in (1, 2, 3):
        show(done)
    assert capsys.readouterr().out == ""


def _row(at: datetime | None, source: str | None = "metadata") -> dict[str, Any]:
    recording = replace(RECORDING, recorded_at=at, recorded_at_source=source)
    match = replace(MATCH, recording=recording, start_s=3600.5)
    return match_to_json(match, "/q.wav", "vggish", ZoneInfo("Europe/Berlin"))


def test_a_match_says_when_it_was_heard():
    """Half an hour before clocks are changed it began, half an hour after it was heard."""
    row = _row(datetime(2025, 3, 30, 0, 30, tzinfo=UTC))
    assert row["recorded_at"] == "2025-03-30T01:30:00+01:00"
    assert row["occurred_at"] == "2025-03-30T03:30:00.500000+02:00"
    assert row["recorded_at_source"] == "metadata"


def test_the_table_says_when_it_was_heard_where_that_is_known_of_any():
    at = datetime(2025, 3, 30, 0, 30, tzinfo=UTC)
    header, *lines = output.match_table([_row(at), _row(None, None), _row(at, "mtime")])
    assert header.endswith("label  heard at")
    assert lines[0].endswith("rain   2025-03-30 03:30:00+02:00")
    assert lines[1].endswith("rain")
    assert lines[2].endswith("rain   2025-03-30 03:30:00+02:00 ?")
    assert "heard at" not in output.match_table([_row(None, None)])[0]


@pytest.mark.parametrize(
    ("is_terminal", "environ", "expected"),
    [
        (True, {}, "\x1b[1mrank\x1b[0m\n1\n"),
        (True, {"NO_COLOR": "1"}, "rank\n1\n"),
        (True, {"TERM": "dumb"}, "rank\n1\n"),
        (False, {}, "rank\n1\n"),
    ],
    ids=str,
)
def test_the_head_of_a_table_is_bold_on_a_terminal_alone(
    is_terminal: bool,
    environ: dict[str, str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(output, "to_terminal", lambda: is_terminal)
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    output.table(["rank", "1"])
    assert capsys.readouterr().out == expected
