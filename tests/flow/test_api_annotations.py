"""Labels inside recordings over HTTP, and searches by them: the same as on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from soundalike.annotations.reading import read_annotations
from soundalike.cli.main import main

if TYPE_CHECKING:
    from tests.fixtures.service import Service

AUDACITY = b"0.5\t2.5\tsiren call\n\\\t500\t1500\n7\t7\tpoint\nx\t1\tbad\n100\t101\tlate\n"


@pytest.fixture
def filled(service: Service, toy_data: Path) -> Service:
    """Give the service with two sirens and a rain, and without annotations."""
    names = ("siren/siren_1.mp3", "siren/siren_2.m4a", "rain/rain_1.mp3")
    service.post("/index", *({"uri": str(toy_data / name)} for name in names))
    for label in _get(service, "/labels").json()["labels"]:
        requests.delete(f"{service.url}/api/annotations", params={"label": label["label"]}, timeout=60)
    return service


def _get(service: Service, path: str = "", **parameters: Any) -> requests.Response:
    return requests.get(f"{service.url}/api/annotations{path}", params=parameters, timeout=60)


def _upload(
    service: Service, content: bytes = AUDACITY, name: str = "siren_1.txt", **fields: Any
) -> requests.Response:
    address = f"{service.url}/api/annotations"
    return requests.post(address, data=fields, files={"labels": (name, content)}, timeout=60)


def test_a_label_file_belongs_to_the_recording_of_its_name(filled: Service, toy_data: Path):
    answer = _upload(filled)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["added"], found["unchanged"]) == (2, 0)
    assert [row["line"] for row in found["bad_rows"]] == [4, 5]
    assert "'x' is not a number" in found["bad_rows"][0]["error"]
    again = _upload(filled).json()
    assert (again["added"], again["unchanged"]) == (0, 2)
    rows = _get(filled).json()["annotations"]
    assert [(row["label"], row["start_s"], row["end_s"], row["low_hz"]) for row in rows] == [
        ("siren call", 0.5, 2.5, 500.0),
        ("point", 7.0, 7.0, None),
    ]
    assert {row["uri"] for row in rows} == {str(toy_data / "siren" / "siren_1.mp3")}
    assert {row["source"] for row in rows} == {"siren_1.txt"}
    assert rows[0].keys() == {
        *("recording_id", "uri", "start_s", "end_s", "label", "low_hz", "high_hz", "source"),
        *("created_at", "duration_s"),
    }
    assert _get(filled, limit=1, offset=1).json()["annotations"] == rows[1:]
    assert _get(filled, label="point").json()["annotations"] == rows[1:]
    assert _get(filled, source="other.txt").json()["annotations"] == []
    assert _get(filled, "/labels").json()["labels"] == [
        {"label": "point", "annotations": 1},
        {"label": "siren call", "annotations": 1},
    ]


def test_tables_name_their_recordings(filled: Service, toy_data: Path):
    path = toy_data / "rain" / "rain_1.mp3"
    table = f"uri,start_s,end_s,label\n{path},1,2,drop\nsiren_2.m4a,1,2,call\nnone.wav,1,2,x\n"
    found = _upload(filled, table.encode(), "table.csv").json()
    assert (found["added"], [row["line"] for row in found["bad_rows"]]) == (2, [4])
    labels = {row["uri"]: row["label"] for row in _get(filled).json()["annotations"]}
    assert labels == {str(path): "drop", str(toy_data / "siren" / "siren_2.m4a"): "call"}


def test_a_recording_may_be_named(filled: Service, toy_data: Path):
    path = toy_data / "rain" / "rain_1.mp3"
    assert _upload(filled, b"1\t2\tdrop\n", "x.txt", recording_id=str(path)).json()["added"] == 1
    answer = _upload(filled, b"1\t2\tdrop\n", "x.txt", recording_id="/none.wav")
    assert (answer.status_code, answer.json()["code"]) == (404, "store.not_found")
    bad = _upload(filled, b"1\t2\tdrop\n", "x.txt").json()
    assert (bad["added"], bad["bad_rows"][0]["line"]) == (0, 1)


def test_annotations_are_deleted_by_choice_and_never_all_at_once(filled: Service):
    _upload(filled)
    address = f"{filled.url}/api/annotations"
    answer = requests.delete(address, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")
    assert requests.delete(address, params={"labl": "point"}, timeout=60).status_code == 422
    assert requests.delete(address, params={"label": "point"}, timeout=60).json() == {"removed": 1}
    assert [row["label"] for row in _get(filled).json()["annotations"]] == ["siren call"]


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"\x00\x01", "a.txt", "parameter.metadata"),
        (b"\xff\xfe\xfa", "a.txt", "parameter.metadata"),
        (b"a,b\n1,2\n", "a.csv", "parameter.metadata"),
        (b"1\t2\t" + b"x" * 70_000, "a.txt", "parameter.metadata"),
    ],
)
def test_hostile_files_are_refused_by_their_names(filled: Service, content: bytes, name: str, code: str):
    answer = _upload(filled, content, name)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert f"'{name}'" in answer.json()["detail"]
    assert "passing" not in answer.json()["detail"]


def test_a_search_by_label_finds_the_annotated_and_the_similar(filled: Service, toy_data: Path):
    _upload(filled)
    address = f"{filled.url}/api/search"
    answer = requests.post(address, json={"like_label": "siren call", "top_k": 2}, timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["uri"], found["recording_id"]) == ("label:siren call", None)
    first, second = found["matches"]
    assert first["uri"] == str(toy_data / "siren" / "siren_1.mp3")
    assert first["score"] == pytest.approx(1.0, abs=1e-3)
    assert (first["query_start_s"], first["query_end_s"]) == (None, None)
    assert second["label"] == "siren"
    (typed,) = filled.post("/search", {"like_label": "siren call"}, top_k=2).json["data"]
    scores = [(match["uri"], match["score"]) for match in typed["matches"]]
    assert scores == [(match["uri"], match["score"]) for match in found["matches"]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"like_label": "none"}, 404, "store.not_found"),
        ({"like_label": "none", "at_s": 1.0}, 422, "parameter.invalid"),
        ({"like_label": "none", "uri": "x.wav"}, 422, "parameter.invalid"),
    ],
)
def test_wrong_searches_by_label_are_refused(
    filled: Service, body: dict[str, Any], status: int, code: str
):
    answer = requests.post(f"{filled.url}/api/search", json=body, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_command_works_on_a_service(
    filled: Service, toy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Label files are sent; the same options choose what is listed, exported and removed."""
    path = tmp_path / "siren_1_labels.txt"
    path.write_bytes(AUDACITY)

    def run(*words: str) -> tuple[int, list[Any]]:
        capsys.readouterr()
        status = main(["annotations", *words, "--server", filled.url, "--json"])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    status, (result,) = run("import", str(path))
    assert (status, result["added"], len(result["bad_rows"])) == (3, 2, 2)
    status, rows = run("import", str(tmp_path / "none.txt"))
    assert (status, rows[0]["error_code"]) == (3, "audio.not_found")
    recording = str(toy_data / "siren" / "siren_1.mp3")
    for choice in (["--recording", recording], ["--source", str(path)], ["--label", "point"]):
        status, rows = run("list", *choice)
        assert status == 0
        assert {row["uri"] for row in rows} == {recording}
        assert rows[-1]["label"] == "point"
    assert run("list", "--recording", "/none.wav")[0] == 5
    assert {row["label"] for row in run("labels")[1]} == {"siren call", "point"}
    out = tmp_path / "out.selections.txt"
    assert run("export", str(out))[0] == 0
    assert [one.label for one in read_annotations(out)] == ["siren call", "point"]
    assert run("export", str(tmp_path / "out.zip"))[0] == 2
    assert run("remove", "--label", "point") == (0, [{"removed": 1}])
