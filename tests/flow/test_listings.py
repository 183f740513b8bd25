"""What is stored, over HTTP: recordings page by page and by name, collections, labels, folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.service import Service


@pytest.fixture
def stored(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    """Index the sirens and the first two clips of rain."""
    paths = [*sorted((toy_data / "siren").iterdir()), *sorted((toy_data / "rain").iterdir())[:2]]
    rows: list[dict[str, Any]] = service.post("/index", *({"uri": str(path)} for path in paths)).json[
        "data"
    ]
    return sorted(rows, key=lambda row: str(row["uri"]))


def test_recordings_come_page_by_page(service: Service, stored: list[dict[str, Any]]):
    first = service.post("/recordings", limit=4).json["data"]
    rest = service.post("/recordings", limit=4, after=first[-1]["uri"]).json["data"]

    assert [row["uri"] for row in [*first, *rest]] == [row["uri"] for row in stored]
    assert service.post("/recordings", after=rest[-1]["uri"]).json["data"] == []
    row = first[0]
    assert (row["label"], row["n_windows"], row["duration_s"]) == ("rain", 4, 10.0)
    assert (row["recording_id"], row["error"]) == (stored[0]["recording_id"], None)
    assert row["size_bytes"] is None or row["size_bytes"] > 0


def test_recordings_are_narrowed(service: Service, stored: list[dict[str, Any]], toy_data: Path):
    def count(**parameters: Any) -> int:
        return len(service.post("/recordings", **parameters).json["data"])

    assert count(labels=["siren"]) == count(under=str(toy_data / "siren")) == 4
    assert count(uri_prefix=str(toy_data / "rain" / "rain_1")) == 1
    assert count(where=["n=1"]) == 0
    assert service.post("/recordings", limit=0).json["code"] == "parameter.invalid"
    both = service.post("/recordings", under="/a", uri_prefix="/b")
    assert (both.status, both.json["code"]) == (422, "parameter.invalid")


def test_recordings_are_looked_up(service: Service, stored: list[dict[str, Any]]):
    answer = service.post(
        "/recordings",
        {"recording_id": stored[2]["recording_id"]},
        {"uri": stored[0]["uri"]},
        {"recording_id": "00000000-0000-0000-0000-000000000000"},
        {},
    )
    rows = answer.json["data"]
    assert [row["uri"] for row in rows[:2]] == [stored[2]["uri"], stored[0]["uri"]]
    assert [row["error_code"] for row in rows] == [None, None, "store.not_found", "parameter.invalid"]
    assert "00000000-0000" in rows[2]["error"]
    assert answer.json["parameters"]["failed"] == 2


def test_collections_labels_and_folders(service: Service, stored: list[dict[str, Any]], toy_data: Path):
    service.post("/index", {"uri": stored[0]["uri"]}, collection="seconds", window_size=1, stride=1)
    default, seconds = service.post("/collections").json["data"]
    assert (default["name"], default["dimension"], default["files"]) == ("default", 512, 6)
    assert (seconds["window_s"], seconds["stride_s"], seconds["windows"]) == (1.0, 1.0, 10)

    labels = service.post("/labels").json["data"]
    assert [(row["label"], row["files"]) for row in labels] == [("siren", 4), ("rain", 2)]
    folders = service.post("/folders").json["data"]
    assert [(row["folder"], row["files"]) for row in folders] == [
        (str(toy_data / "rain"), 2),
        (str(toy_data / "siren"), 4),
    ]
    assert len(service.post("/labels", collection="seconds").json["data"]) == 1


@pytest.mark.parametrize("path", ["/recordings", "/collections", "/labels", "/folders"])
def test_an_empty_index_has_nothing_to_list(service: Service, path: str):
    answer = service.post(path)
    assert (answer.status, answer.json["data"]) == (200, [])
