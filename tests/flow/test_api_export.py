"""Matches and spans leave the service as files of other programs, and as cut-outs."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import soundfile

from tests.fixtures.service import uploaded_files

if TYPE_CHECKING:
    from tests.fixtures.service import Service

QUERY = "queries/siren_query_1.mp3"
KINDS = {
    "csv": ("text/csv", ".csv"),
    "jsonl": ("application/jsonl", ".jsonl"),
    "parquet": ("application/vnd.apache.parquet", ".parquet"),
    "raven": ("text/tab-separated-values", ".selections.txt"),
    "m3u": ("audio/x-mpegurl", ".m3u8"),
    # One file for each recording.
    "audacity": ("application/zip", ".zip"),
}


@pytest.fixture
def filled(service: Service, toy_data: Path) -> Service:
    """Give the service with two sirens and a rain."""
    names = ("siren/siren_1.mp3", "siren/siren_2.m4a", "rain/rain_1.mp3")
    service.post("/index", *({"uri": str(toy_data / name)} for name in names))
    return service


def matches(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    body = {"uri": str(toy_data / QUERY)}
    answer = requests.post(f"{service.url}/api/search", json=body, timeout=60)
    found: list[dict[str, Any]] = answer.json()["matches"]
    return found


def export(service: Service, spans: list[dict[str, Any]], **form: Any) -> requests.Response:
    body = {"spans": spans, **form}
    return requests.post(f"{service.url}/api/export", json=body, timeout=60)


def span(match: dict[str, Any], **more: Any) -> dict[str, Any]:
    names = ("recording_id", "start_s", "end_s", "score", "rank", "query_start_s", "query_end_s")
    return {**{name: match[name] for name in names}, **more}


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_gives_the_same_file_as_its_matches(filled: Service, toy_data: Path, kind: str):
    address = f"{filled.url}/api/search/export"
    body = {"uri": str(toy_data / QUERY)}
    answer = requests.post(address, params={"format": kind}, json=body, timeout=60)
    media_type, suffix = KINDS[kind]
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == media_type
    name = answer.headers["content-disposition"]
    assert name == f'attachment; filename="soundalike{suffix}"'
    found = matches(filled, toy_data)
    assert export(filled, [span(match) for match in found], format=kind).status_code == 200
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["uri"] for row in rows] == [match["uri"] for match in found]
        assert [float(row["score"]) for row in rows] == [
            pytest.approx(match["score"], abs=1e-6) for match in found
        ]
        assert answer.text == export(filled, [span(match) for match in found]).text


def test_an_upload_is_searched_and_not_kept(filled: Service, toy_data: Path, uploads: Path):
    path = toy_data / QUERY
    answer = requests.post(
        f"{filled.url}/api/search/export?format=jsonl",
        data={"top_k": 2},
        files={"file": (path.name, path.read_bytes())},
        timeout=60,
    )
    assert [json.loads(line)["rank"] for line in answer.text.splitlines()] == [1, 2]
    assert uploaded_files(uploads) == []


def test_a_playlist_plays_the_spans_from_the_service(filled: Service, toy_data: Path):
    first = matches(filled, toy_data)[0]
    lines = export(filled, [span(first)], format="m3u").text.splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[2].startswith(f"{filled.url}/api/recordings/{first['recording_id']}/audio?")
    sound = requests.get(lines[2], timeout=60)
    assert sound.status_code == 200
    length_s = first["end_s"] - first["start_s"]
    assert soundfile.info(io.BytesIO(sound.content)).duration == pytest.approx(length_s, abs=0.01)


def test_a_zip_has_the_sound_of_each_span(
    filled: Service, toy_data: Path, uploads: Path, wait_until: Callable[..., Any]
):
    found = matches(filled, toy_data)
    spans = [span(match, label="a/b") for match in found]
    form = {"format": "zip", "audio": "flac", "padding_s": 0.5, "pictures": True}
    answer = export(filled, spans, **form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
        assert [row["reason"] for row in rows] == [""] * len(found)
        assert rows[0]["file"].startswith("0001_a-b_siren_1_")
        names = {row["file"] for row in rows}
        pictures = {name.replace(".flac", ".png") for name in names}
        assert set(archive.namelist()) == {*names, *pictures, "manifest.csv"}
        for row in rows:
            sound = soundfile.info(io.BytesIO(archive.read(row["file"])))
            assert sound.format == "FLAC"
            asked_s = float(row["cut_end_s"]) - float(row["cut_start_s"])
            assert sound.duration == pytest.approx(asked_s, abs=0.05)
    # The file of the answer is removed after it was sent.
    wait_until(lambda: not uploaded_files(uploads), "the file of the answer is removed")


def test_a_span_that_cannot_be_cut_is_listed_in_the_zip(filled: Service, toy_data: Path):
    found = matches(filled, toy_data)
    late = span(found[0], start_s=1000.0, end_s=1001.0)
    answer = export(filled, [late, span(found[0])], format="zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
    assert "ends" in rows[0]["reason"]
    assert [bool(row["file"]) for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"recording_id": "00000000-0000-0000-0000-000000000000"}, 404, "store.not_found"),
        ({"recording_id": "x"}, 422, "parameter.invalid"),
        ({"start_s": 3.0, "end_s": 2.0}, 422, "parameter.invalid"),
        ({"start_s": -1.0}, 422, "parameter.invalid"),
        ({"collection": "No Name"}, 422, "parameter.invalid"),
        ({"uri": "/etc/passwd"}, 422, "parameter.unknown"),
    ],
)
def test_wrong_spans_are_refused(
    filled: Service, toy_data: Path, change: dict[str, Any], status: int, code: str
):
    first = matches(filled, toy_data)[0]
    answer = export(filled, [span(first, **change)])
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("form", "count"),
    [({"format": "xml"}, 1), ({"padding_s": 61}, 1), ({"format": "zip"}, 201), ({}, 1001)],
)
def test_wrong_forms_and_too_many_spans_are_refused(
    filled: Service, toy_data: Path, form: dict[str, Any], count: int
):
    first = matches(filled, toy_data)[0]
    answer = export(filled, [span(first)] * count, **form)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")


def test_unknown_parameters_of_the_address_are_refused(filled: Service, toy_data: Path):
    address = f"{filled.url}/api/search/export?formt=csv"
    answer = requests.post(address, json={"uri": str(toy_data / QUERY)}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.unknown")


def test_events_are_exported(filled: Service, toy_data: Path):
    body = {"uri": str(toy_data / QUERY), "min_score": -1, "reread_s": 0}
    found = requests.post(f"{filled.url}/api/events", json=body, timeout=60).json()["events"]
    answer = requests.post(f"{filled.url}/api/events/export", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows
    assert [(row["uri"], float(row["start_s"]), row["rank"]) for row in rows] == [
        (event["uri"], event["start_s"], "") for event in found
    ]
