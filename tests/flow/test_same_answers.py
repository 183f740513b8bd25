"""Whatever a request asks for, it has the same matches and events through every door."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soundalike.scores.fitting import MIN_RECORDINGS

if TYPE_CHECKING:
    from tests.fixtures.service import Service

LABELS = ["church_bell", "rain", "siren"]
#: Values that change the answer of most queries, so that a door that drops one is found out.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "top_k": st.integers(1, 5),
    "min_score": st.sampled_from([0.2, 0.9]),
    "max_false_alarms": st.sampled_from([0.01, 0.3]),
    "group_by": st.just("label"),
    "exclude_self": st.just(True),
    "labels": st.lists(st.sampled_from(LABELS), unique=True, min_size=1, max_size=2),
    "tags": st.sampled_from([{"site": "pond"}, {"site": "pond", "day": 2}]),
    "where": st.lists(st.sampled_from(["depth.m >= 1", "day != 1", "day in 1,3"]), min_size=1),
    "since": st.sampled_from(["2025-05-01T05:00", "2025-05-02"]),
    "until": st.sampled_from(["2025-05-03", "2025-05-03T04:00+02:00"]),
    "time_of_day": st.sampled_from(["01:30-02:30", "22:00-03:30"]),
    "time_zone": st.sampled_from(["Europe/Berlin", "-03:00"]),
}
_OF_SEARCHES = {"top_k", "max_false_alarms", "group_by"}
#: Few at once, so that something is left to be found; all others are the defaults of each door.
PARAMETERS = st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)
_KEYS = ("uri", "recording_id") * 5
_PARTS = ("", "", ":1-5", ":2-6") * 3
KINDS = st.sampled_from(["file", "upload", "recording", "moment", "slice"])


@pytest.fixture
def stored(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    """Index three recordings of each of three labels, with tags and of three days, among others."""
    clips = [
        {
            "uri": str(path),
            "tags": {"site": "pond" if day < 3 else "lake", "depth": {"m": day / 2}, "day": day},
            "recorded_at": f"2025-05-0{day}T0{day}:00:00+00:00",
        }
        for label in LABELS
        for day, path in enumerate(sorted((toy_data / label).iterdir())[:3], start=1)
    ]
    # Enough that false-alarm rates are known.
    others = [
        {"uri": str(path)}
        for label in ("bird_song", "dog_bark", "engine", "guitar")
        for path in sorted((toy_data / label).iterdir())
    ]
    rows: list[dict[str, Any]] = service.post("/index", *clips, *others).json["data"]
    assert not [row for row in rows if row["error"]]
    assert len(rows) >= MIN_RECORDINGS
    return rows[: len(clips)]


def _clip(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    known = {"recording_id": row["recording_id"]}
    return {
        "file": {"uri": row["uri"]},
        "upload": {"audio_base64": base64.b64encode(Path(row["uri"]).read_bytes()).decode()},
        "recording": known,
        "moment": {**known, "at_s": 3.0},
        "slice": {"uri": row["uri"], "start_s": 1.0, "end_s": 6.0},
    }[kind]


def test_every_door_gives_the_same_matches(ask: Callable[..., list[Any]], stored: list[dict[str, Any]]):
    n_found = []
    # By path, by id, and parts of recordings.
    named = [str(row[key]) + part for row, key, part in zip(stored, _KEYS, _PARTS, strict=False)]
    examples = st.lists(st.sampled_from(named), unique=True, max_size=2)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        kind=KINDS,
        row=st.sampled_from(stored),
        parameters=PARAMETERS,
        is_below=st.booleans(),
        marks=st.fixed_dictionaries({"like": examples, "unlike": examples}),
    )
    def same(
        kind: str,
        row: dict[str, Any],
        parameters: dict[str, Any],
        is_below: bool,
        marks: dict[str, list[str]],
    ) -> None:
        if is_below:
            parameters = {**parameters, "uri_prefix": f"{Path(row['uri']).parent}/"}
        parameters |= {name: some for name, some in marks.items() if some}
        n_found.append(len(ask(_clip(kind, row), may_be_empty=True, **parameters)))

    same()
    assert any(n_found)


#: Of events; the others are those that narrow a search.
EVENT_VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{name: value for name, value in VALUES.items() if name not in _OF_SEARCHES},
    "order": st.just("score"),
    "limit": st.integers(1, 5),
    "max_per_recording": st.just(1),
    "gap_s": st.sampled_from([0, 4]),
    "min_duration_s": st.just(1.5),
    "reread_s": st.sampled_from([0, 30]),
}
EVENT_PARAMETERS = st.lists(st.sampled_from(sorted(EVENT_VALUES)), unique=True, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: EVENT_VALUES[name] for name in names})
)


def test_every_door_gives_the_same_events(
    service: Service,
    stored: list[dict[str, Any]],
    service_database: str,
    on_the_command_line: Callable[..., tuple[int, list[Any], str]],
    plain_http: Callable[..., requests.Response],
):
    n_found = []
    doors = (["--database-url", service_database], ["--server", service.url])

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(kind=KINDS, row=st.sampled_from(stored), parameters=EVENT_PARAMETERS)
    def same(kind: str, row: dict[str, Any], parameters: dict[str, Any]) -> None:
        clip = _clip(kind, row)
        answers = [on_the_command_line("events", clip, parameters, door) for door in doors]
        assert [status for status, _, _ in answers] == [0, 0], answers
        here, there = (rows for _, rows, _ in answers)
        assert there == here
        answer = plain_http("/api/events", clip, parameters)
        assert answer.status_code == 200, answer.text
        without_name = [{name: row[name] for name in row if name != "query"} for row in here]
        assert answer.json()["events"] == without_name
        n_found.append(len(here))

    same()
    assert any(n_found)
