"""Search by wall-clock time over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fixtures.service import Service


@pytest.fixture
def dated(toy_data: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """Copy two sirens to names that hold a time; give a third one's with the document."""
    first, second, third, *_ = sorted((toy_data / "siren").iterdir())
    names = ("20250501_053000", "20250601_193000")
    for source, name in zip((first, second), names, strict=True):
        shutil.copyfile(source, tmp_path / f"{name}{source.suffix}")
    documents = [{"uri": str(path)} for path in sorted(tmp_path.iterdir())]
    return [*documents, {"uri": str(third), "recorded_at": "2025-07-01T05:30:00+02:00"}]


def _found(service: Service, query: dict[str, Any], **parameters: Any) -> list[str | None]:
    answer = service.post("/search", query, **parameters)
    assert answer.status == 200, answer.text
    (found,) = answer.json["data"]
    return sorted(match["recorded_at"] for match in found["matches"])


def test_a_search_can_be_narrowed_by_time(service: Service, dated: list[dict[str, Any]]):
    indexed = service.post("/index", *dated)
    assert indexed.status == 200, indexed.text
    assert {row["outcome"] for row in indexed.json["data"]} == {"added"}
    query = {"uri": dated[0]["uri"]}
    may, june, july = (
        "2025-05-01T05:30:00+00:00",
        "2025-06-01T19:30:00+00:00",
        "2025-07-01T03:30:00+00:00",
    )

    assert _found(service, query) == [may, june, july]
    assert _found(service, query, since="2025-06-01") == [june, july]
    assert _found(service, query, until="2025-07-01T05:30", time_zone="Europe/Berlin") == [
        "2025-05-01T07:30:00+02:00",
        "2025-06-01T21:30:00+02:00",
    ]
    assert _found(service, query, time_of_day="05:00-08:00", time_zone="+00:00") == [may]
    assert _found(service, query, time_of_day="19:00-04:00") == [june, july]
    (found,) = service.post("/search", query, top_k=1).json["data"]
    (match,) = found["matches"]
    assert match["occurred_at"].startswith("2025-05-01T05:30:0")
    assert match["recorded_at_source"] == "filename"
    (status,) = service.post("/status", {}).json["data"]
    assert status["starts"] == {"given": 1, "filename": 2}
    assert (status["earliest_start"], status["latest_start"]) == (may, july)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"since": "sunrise"}, "since is 'sunrise'"),
        ({"since": "2025-05-02", "until": "2025-05-01"}, "the period is empty"),
        ({"time_of_day": "5-8"}, "time_of_day is '5-8'"),
        ({"time_zone": "Berlin"}, "time zone 'Berlin' is unknown"),
    ],
)
def test_times_that_make_no_sense_are_said(
    service: Service, dated: list[dict[str, Any]], parameters: dict[str, str], said: str
):
    service.post("/index", dated[0])
    answer = service.post("/search", dated[0], **parameters)

    assert answer.status == 422, answer.text
    assert answer.json["code"] == "parameter.invalid"
    assert said in answer.json["detail"]


def test_a_timeline_counts_what_is_like_a_query(service: Service, dated: list[dict[str, Any]]):
    service.post("/index", *dated)
    answer = service.post("/timeline", dated[0], min_score=-1, by="month", time_zone="Europe/Berlin")

    assert answer.status == 200, answer.text
    (counted,) = answer.json["data"]
    assert counted.keys() == {
        *("id", "uri", "recording_id", "duration_s", "encoder", "buckets", "undated"),
        *("warnings", "missing_shards", "error_code", "error"),
    }
    assert [(row["start"], row["end"], row["count"]) for row in counted["buckets"]] == [
        ("2025-05-01T00:00:00+02:00", "2025-06-01T00:00:00+02:00", 1),
        ("2025-06-01T00:00:00+02:00", "2025-07-01T00:00:00+02:00", 1),
        ("2025-07-01T00:00:00+02:00", "2025-08-01T00:00:00+02:00", 1),
    ]
    assert (counted["undated"], counted["error"]) == (0, None)
    narrowed = service.post(
        "/timeline", dated[0], min_score=-1, exclude_self=True, until="2025-07-01"
    ).json["data"][0]
    assert [(row["start"][:10], row["count"]) for row in narrowed["buckets"]] == [("2025-06-01", 1)]


def test_a_timeline_of_bad_and_good_queries(
    service: Service, dated: list[dict[str, Any]], tmp_path: Path
):
    service.post("/index", dated[0])
    queries = [{"id": "bad", "uri": str(tmp_path / "missing.wav")}, {"id": "good", **dated[0]}]
    answer = service.post("/timeline", *queries, min_score=0.9)

    found = {row["id"]: row for row in answer.json["data"]}
    assert (found["bad"]["error_code"], found["bad"]["buckets"]) == ("audio.not_found", [])
    assert [row["count"] for row in found["good"]["buckets"]] == [1]
    assert answer.json["parameters"] == {"documents": 2, "failed": 1, **answer.json["parameters"]}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "min_score"),
        ({"min_score": 2}, "min_score is 2.0"),
        ({"min_score": 0.5, "by": "year"}, "bucket is 'year'"),
        ({"min_score": 0.5, "time_zone": "Berlin"}, "time zone 'Berlin' is unknown"),
    ],
)
def test_a_timeline_that_makes_no_sense_is_refused(
    service: Service, dated: list[dict[str, Any]], parameters: dict[str, Any], said: str
):
    service.post("/index", dated[0])
    answer = service.post("/timeline", dated[0], **parameters)

    assert answer.status == 422, answer.text
    assert answer.json["code"] == "parameter.invalid"
    assert said in answer.json["detail"]
