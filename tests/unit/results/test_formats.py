"""Exported spans are what other programs read: by their rules, and back into annotations."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soundalike.annotations.reading import guarded, read_annotations, without_guard
from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.errors import ParameterError
from soundalike.results.formats import RESULT_FORMATS, chunks
from soundalike.results.labels import audacity_zip
from soundalike.results.names import safe_name
from soundalike.results.playlist import m3u_chunks
from soundalike.results.spans import Span, annotated_span, span_of
from soundalike.results.tables import COLUMNS
from soundalike.types import Match, Recording

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
OWL = Span(
    **{"uri": "/night/a.wav", "recording_id": "1", "start_s": 1.25, "end_s": 2.5, "score": 0.5},
    **{"label": "owl", "occurred_at": NOON, "false_alarm_rate": 0.01, "query_start_s": 0.0},
    **{"query_end_s": 4.0, "rank": 1, "collection": "default", "low_hz": 100.0, "high_hz": 900.0},
    duration_s=60.0,
)
FOX = Span("/night/b.wav", "2", 3.0, 3.5, 0.25, None, duration_s=10.0, collection="default")
AGAIN = Span("/night/a.wav", "1", 7.0, 8.0, -0.5, "owl, 'barn'", duration_s=60.0)
#: Any text that can be stored.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60
).filter(lambda text: bool(text.strip()))


def written(spans: Iterable[Span], kind: Any) -> bytes:
    return b"".join(chunks(spans, kind))


def read_back(content: bytes, name: str, folder: Path) -> list[Annotation]:
    path = folder / name
    path.write_bytes(content)
    return read_annotations(path)


def test_csv_has_a_column_for_each_value():
    rows = list(csv.DictReader(io.StringIO(written([OWL, FOX], "csv").decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["occurred_at"] == "2025-05-01T12:00:00+00:00"
    assert [row["score"] for row in rows] == ["0.5", "0.25"]
    assert [row["label"] for row in rows] == ["owl", ""]
    assert [row["low_hz"] for row in rows] == ["100.0", ""]


def test_another_reader_of_csv_finds_the_same():
    pyarrow_csv = pytest.importorskip("pyarrow.csv")
    odd = Span("/a b,c.wav", "1", 0.5, 1.0, 0.25, 'owl "barn",\r\nat night')
    table = pyarrow_csv.read_csv(
        io.BytesIO(written([OWL, odd], "csv")),
        parse_options=pyarrow_csv.ParseOptions(newlines_in_values=True),
    )
    assert table.column_names == list(COLUMNS)
    assert table["label"].to_pylist() == ["owl", odd.label]
    assert table["score"].to_pylist() == [0.5, 0.25]
    assert table["low_hz"].to_pylist() == [100.0, None]
    assert table["occurred_at"][0].as_py() == NOON


def test_spreadsheets_take_no_text_for_a_formula():
    span = Span("=cmd.wav", "1", 0.0, 1.0, -0.25, '=HYPERLINK("http://x")')
    (row,) = csv.DictReader(io.StringIO(written([span], "csv").decode(), newline=""))
    assert (row["label"], row["uri"]) == ('\'=HYPERLINK("http://x")', "'=cmd.wav")
    assert row["score"] == "-0.25"


def test_json_lines_have_the_same_names():
    rows = [json.loads(line) for line in written([OWL, FOX], "jsonl").splitlines()]
    assert [list(row) for row in rows] == [list(COLUMNS)] * 2
    assert rows[1]["label"] is None
    assert rows[0]["end_s"] == 2.5


def test_parquet_has_typed_columns_also_without_rows():
    parquet = pytest.importorskip("pyarrow.parquet")
    for spans in ([], [OWL, FOX] * 6000):
        table = parquet.read_table(io.BytesIO(written(spans, "parquet")))
        assert table.column_names == list(COLUMNS)
        assert table.num_rows == len(spans)
        assert str(table.schema.field("occurred_at").type) == "timestamp[us, tz=UTC]"
        assert str(table.schema.field("score").type) == "double"
    assert table["occurred_at"][0].as_py() == NOON
    assert table["label"][1].as_py() is None


def test_audacity_reads_begin_end_label_and_frequencies():
    assert written([OWL, AGAIN], "audacity").decode() == (
        "1.250000\t2.500000\towl\n\\\t100.000000\t900.000000\n7.000000\t8.000000\towl, 'barn'\n"
    )
    half = Span("/a.wav", "1", 0.0, 1.0, label="owl", high_hz=900.0)
    assert b"\\\t-1.000000\t900.000000\n" in written([half], "audacity")


def test_labels_of_several_recordings_go_into_a_file_each():
    with pytest.raises(ParameterError, match="belong to one recording"):
        written([OWL, FOX], "audacity")
    other = Span("/day/A.wav", "3", 0.0, 1.0)
    with zipfile.ZipFile(io.BytesIO(audacity_zip([AGAIN, FOX, OWL, other]))) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert list(found) == ["a_labels.txt", "b_labels.txt", "A_2_labels.txt"]
    assert found["a_labels.txt"].splitlines()[0] == "1.250000\t2.500000\towl"
    assert found["b_labels.txt"] == "3.000000\t3.500000\tmatch\n"


def test_raven_counts_through_all_files_and_gives_the_offset_in_each():
    rows = list(
        csv.DictReader(io.StringIO(written([OWL, FOX, AGAIN], "raven").decode()), delimiter="\t")
    )
    begins = [(row["Begin Time (s)"], row["End Time (s)"], row["File Offset (s)"]) for row in rows]
    assert begins == [
        ("1.250000", "2.500000", "1.250000"),
        ("63.000000", "63.500000", "3.000000"),
        ("7.000000", "8.000000", "7.000000"),
    ]
    assert [row["Selection"] for row in rows] == ["1", "2", "3"]
    assert {(row["View"], row["Channel"]) for row in rows} == {("Spectrogram 1", "1")}
    assert [(row["Low Freq (Hz)"], row["High Freq (Hz)"]) for row in rows[:2]] == [
        ("100", "900"),
        ("0", "8000"),
    ]
    assert (rows[0]["Begin File"], rows[0]["Begin Path"]) == ("a.wav", "/night/a.wav")


def test_a_playlist_has_spans_for_vlc_and_no_uploads():
    upload = Span("upload:1", "1", 0.0, 1.0)
    odd = Span("/a/new\nline #1.wav", "1", 0.0, 0.1)
    lines = written([OWL, upload, odd], "m3u").decode().splitlines()
    assert lines == [
        "#EXTM3U",
        "#EXTINF:1,owl 0.500 - a.wav 1.2 s",
        *("#EXTVLCOPT:start-time=1.250", "#EXTVLCOPT:stop-time=2.500", "/night/a.wav"),
        "#EXTINF:1,match - new line #1.wav 0.0 s",
        *("#EXTVLCOPT:start-time=0.000", "#EXTVLCOPT:stop-time=0.100"),
        "file:///a/new%0Aline%20%231.wav",
    ]


def test_a_playlist_of_a_service_plays_the_spans_alone():
    lines = b"".join(m3u_chunks([OWL], lambda span: f"http://x/{span.start_s:g}")).decode().splitlines()
    assert lines == ["#EXTM3U", "#EXTINF:1,owl 0.500 - a.wav 1.2 s", "http://x/1.25"]


def test_unknown_formats_are_refused():
    with pytest.raises(ParameterError, match="choose one of csv"):
        chunks([], "xml")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", RESULT_FORMATS)
def test_files_are_written_as_the_spans_come(kind: Any):
    taken = 0

    def spans() -> Iterable[Span]:
        nonlocal taken
        for number in range(50_000):
            taken += 1
            yield Span("/a.wav", "1", float(number), number + 1.0, 0.5, "owl", duration_s=1e6)

    content = chunks(spans(), kind)
    next(content)
    assert taken <= 10_001


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(label=TEXTS, start_s=st.floats(0, 1e6), length_s=st.floats(0, 1e3))
def test_labels_come_back_from_tables(
    label: str, start_s: float, length_s: float, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("round")
    span = Span("/night/a.wav", "1", start_s, start_s + length_s, 0.5, label, low_hz=1.5)
    for kind, name in (("csv", "t.csv"), ("jsonl", "t.jsonl")):
        (found,) = read_back(written([span], kind), name, folder)
        assert (found.label, found.file, found.low_hz, found.high_hz) == (
            *(label, "/night/a.wav"),
            *(1.5, None),
        )
        assert found.start_s == pytest.approx(start_s, abs=1e-6)
        assert found.end_s == pytest.approx(start_s + length_s, abs=1e-6)


@given(label=TEXTS)
def test_labels_come_back_from_audacity_and_raven_on_one_line(
    label: str, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("round")
    span = Span("/night/a.wav", "1", 1.25, 2.5, 0.5, label, low_hz=100.0, high_hz=900.0, duration_s=9.0)
    shown = "".join(
        " " if sign in "\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029" else sign for sign in label
    )
    for kind, name in (("audacity", "t.txt"), ("raven", "t.selections.txt")):
        content = written([span, span], kind)
        # Other programs divide lines at these signs too.
        n_lines = {"audacity": 4, "raven": 3}[kind]
        assert len(content.decode().splitlines()) == n_lines
        if shown.strip() and not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in shown):
            found = read_back(content, name, folder)
            spans = [(one.start_s, one.end_s, one.low_hz, one.high_hz) for one in found]
            assert spans == [(1.25, 2.5, 100.0, 900.0)] * 2
            assert {one.label for one in found} == {shown}


@given(text=st.text())
def test_the_guard_of_formulas_can_be_taken_off(text: str):
    assert without_guard(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(text=st.text())
def test_names_of_files_are_safe_everywhere(text: str):
    name = safe_name(text)
    assert name
    assert len(name.encode()) <= 80
    assert all(sign.isalnum() or sign in "-_" for sign in name)


def test_a_match_and_an_annotation_become_spans():
    recording = Recording("1", "/a.wav", 60.0, "owl", {}, NOON)
    match = Match(3, recording, 0.5, 60.0, 64.0, 0.0, 4.0, 2, "default")
    assert span_of(match) == Span(
        **{"uri": "/a.wav", "recording_id": "1", "start_s": 60.0, "end_s": 64.0, "score": 0.5},
        **{"label": "owl", "occurred_at": datetime(2025, 5, 1, 12, 1, tzinfo=UTC), "rank": 3},
        **{"query_start_s": 0.0, "query_end_s": 4.0, "collection": "default", "duration_s": 60.0},
    )
    assert span_of(match, "tawny owl").label == "tawny owl"
    stored = StoredAnnotation(1, "1", "/a.wav", Annotation(1.0, 2.0, "fox", 5.0), "x", duration_s=60.0)
    span = annotated_span(stored, "default", NOON)
    assert (span.label, span.low_hz, span.score, span.duration_s) == ("fox", 5.0, None, 60.0)
    assert span.occurred_at == datetime(2025, 5, 1, 12, 0, 1, tzinfo=UTC)
