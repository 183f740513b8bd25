"""Right and wrong examples over HTTP and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from soundalike.cli.main import main

if TYPE_CHECKING:
    from tests.fixtures.service import Service


@pytest.fixture
def stored(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    """Index recordings of three labels."""
    paths = [path for label in ("siren", "rain", "bird_song") for path in (toy_data / label).iterdir()]
    rows: list[dict[str, Any]] = service.post(
        "/index", *[{"uri": str(path)} for path in sorted(paths)]
    ).json["data"]
    assert not [row for row in rows if row["error"]]
    return rows


def post(service: Service, **body: Any) -> requests.Response:
    return requests.post(f"{service.url}/api/search", json={"top_k": 5, **body}, timeout=60)


def test_the_first_example_is_the_query_where_there_is_none(
    service: Service, stored: list[dict[str, Any]]
):
    first, second, third = ({"recording_id": row["recording_id"]} for row in stored[:3])
    part = {**second, "start_s": 1.0, "end_s": 5.0}
    expected = post(service, **first, like=[part], unlike=[third]).json()
    found = post(service, like=[first, part], unlike=[third]).json()
    assert found == expected
    assert len(found["matches"]) == 5
    assert found["matches"] != post(service, **first).json()["matches"]
    # The texts of the command line, in JSON and in a form.
    texts = {"like": [first["recording_id"], f"{second['recording_id']}:1-5"]}
    texts["unlike"] = [third["recording_id"]]
    assert post(service, **texts).json() == expected
    form = requests.post(
        f"{service.url}/api/search", files={"top_k": (None, "5")}, data=texts, timeout=60
    )
    assert form.json() == expected


@pytest.mark.parametrize(
    ("example", "status", "code"),
    [
        ({"uri": "/none.wav"}, 404, "store.not_found"),
        ({}, 422, "parameter.invalid"),
        ({"uri": "/a.wav", "recording_id": "b"}, 422, "parameter.invalid"),
        ({"uri": "/a.wav", "start_s": 1.0}, 422, "parameter.invalid"),
        ({"uri": "/a.wav", "start_s": 3.0, "end_s": 2.0}, 422, "parameter.invalid"),
        ({"uri": "/a.wav", "from": 3.0}, 422, "parameter.unknown"),
        ("", 422, "parameter.invalid"),
        (7, 422, "parameter.invalid"),
    ],
)
def test_bad_examples_are_refused(
    service: Service, stored: list[dict[str, Any]], example: Any, status: int, code: str
):
    query = {"recording_id": stored[0]["recording_id"]}
    for name in ("like", "unlike"):
        found = post(service, **query, **{name: [example]})
        assert (found.status_code, found.json()["code"]) == (status, code), found.text


def test_the_command_line_takes_examples_alone(
    service: Service,
    service_database: str,
    stored: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
):
    first, second, third = stored[:3]
    arguments = ["--like", f"{first['uri']}:1-5", "--like", second["recording_id"]]
    arguments += ["--unlike", third["uri"], "--json", "--top-k", "4"]
    rows = []
    for where in (["--database-url", service_database], ["--server", service.url]):
        capsys.readouterr()
        assert main(["search", *arguments, *where]) == 0
        rows.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert rows[0] == rows[1]
    assert len(rows[0]) == 4
    # Only the examples are known: a wrong one alone is no query.
    assert main(["search", "--unlike", third["uri"], "--database-url", service_database]) == 2
    assert "there is nothing to look for" in capsys.readouterr().err
