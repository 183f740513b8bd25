"""Every occurrence of a sound, over HTTP and gRPC."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip
from executors.messages.events import EventsFound, ListenClip, ListenedDoc, to_found
from soundalike.scores.words import word_for
from tests.fixtures.planted import CALL_S, CALLS_S, Nights, noise, varied

if TYPE_CHECKING:
    from tests.fixtures.service import Service

ABOVE_OTHERS = 0.6


@pytest.fixture
def stored(service: Service, nights: Nights) -> list[dict[str, Any]]:
    """Store both nights; return their rows."""
    paths = {nights.night: "2025-05-01T22:00:00+00:00", nights.quiet: "2025-05-01T21:00:00+00:00"}
    clips = [{"uri": str(path), "recorded_at": at} for path, at in paths.items()]
    rows: list[dict[str, Any]] = service.post("/index", *clips).json["data"]
    assert not [row for row in rows if row["error"]]
    return rows


@pytest.fixture
def ask(service: Service, stored: list[dict[str, Any]], nights: Nights) -> Callable[..., dict[str, Any]]:
    """Ask for the events of the call, or of another query."""

    def send(**given: Any) -> dict[str, Any]:
        query = {} if given.keys() & {"recording_id", "vector"} else {"uri": str(nights.call)}
        address = f"{service.url}/api/events"
        answer = requests.post(address, json={"min_score": ABOVE_OTHERS, **query, **given}, timeout=60)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return send


def test_planted_events_are_found_at_their_begin_and_end(
    ask: Callable[..., dict[str, Any]], nights: Nights
):
    found = ask()
    events = found["events"]
    assert [event["start_s"] for event in events] == pytest.approx(list(CALLS_S), abs=0.1)
    assert [event["end_s"] for event in events] == pytest.approx(
        [at + CALL_S for at in CALLS_S], abs=0.1
    )
    assert {event["uri"] for event in events} == {str(nights.night)}
    assert (found["is_complete"], found["heard_again_s"]) == (True, 120.0)
    assert (found["uri"], found["duration_s"]) == (str(nights.call), pytest.approx(3.2))


def test_the_command_line_has_the_same_events(
    service: Service,
    stored: list[dict[str, Any]],
    nights: Nights,
    service_database: str,
    on_the_command_line: Callable[..., tuple[int, list[Any], str]],
    plain_http: Callable[..., requests.Response],
    encoded: Callable[[Path], str],
):
    query = {"uri": str(nights.call)}
    wanted: list[dict[str, Any]] = [
        {},
        {"reread_s": 0},
        {"order": "score", "limit": 3, "time_zone": "Europe/Berlin"},
        {"recording": stored[1]["recording_id"], "min_score": -0.5},
        {"max_per_recording": 2, "min_duration_s": 1, "gap_s": 0.5, "since": "2025-05-01T22:00"},
    ]
    for parameters in wanted:
        status, here, said = on_the_command_line(
            "events", query, parameters, ["--database-url", service_database]
        )
        assert status == 0, said
        there = on_the_command_line("events", query, parameters, ["--server", service.url])
        assert (there[0], there[1]) == (0, here), parameters
        for clip in (query, {"audio_base64": encoded(nights.call)}):
            answer = plain_http("/api/events", clip, parameters).json()
            rows = [{key: row[key] for key in row if key != "query"} for row in here]
            assert answer["events"] == rows, (parameters, list(clip))
        assert here or parameters.get("recording")


def test_an_upload_is_looked_for(service: Service, stored: list[dict[str, Any]], nights: Nights):
    with nights.call.open("rb") as file:
        answer = requests.post(
            f"{service.url}/api/events/upload",
            data={"min_score": ABOVE_OTHERS},
            files={"file": ("heron.wav", file)},
            timeout=60,
        )
    found = answer.json()
    assert found["uri"] == f"upload:{found['recording_id']}"
    assert [event["start_s"] for event in found["events"]] == pytest.approx(list(CALLS_S), abs=0.1)


def test_a_part_of_a_stored_recording_is_looked_for(
    ask: Callable[..., dict[str, Any]], stored: list[dict[str, Any]]
):
    begin = CALLS_S[1]
    part = {"recording_id": stored[0]["recording_id"], "start_s": begin, "end_s": begin + CALL_S}
    found = ask(**part)
    assert [event["start_s"] for event in found["events"]] == pytest.approx(list(CALLS_S), abs=0.1)
    itself = found["events"][1]
    assert itself["query_start_s"] == pytest.approx(begin, abs=0.1)
    assert ask(**part, exclude_self=True)["events"] == []


def test_only_one_recording_is_looked_through(
    ask: Callable[..., dict[str, Any]], stored: list[dict[str, Any]]
):
    night, quiet = (row["recording_id"] for row in stored)
    assert len(ask(recording=night)["events"]) == len(CALLS_S)
    assert ask(recording=night)["heard_again_s"] == 60.0
    assert ask(recording=quiet)["events"] == []


def test_a_limit_says_that_there_are_more(ask: Callable[..., dict[str, Any]]):
    every = ask()["events"]
    found = ask(limit=2)
    assert (found["events"], found["is_complete"]) == (every[:2], False)
    assert ask(limit=len(every))["is_complete"] is True
    best = ask(limit=1, order="score")["events"]
    assert best == [max(every, key=lambda event: float(event["score"]))]


def test_stored_vectors_alone_tell_whole_seconds(ask: Callable[..., dict[str, Any]]):
    found = ask(reread_s=0, min_score=0.3)
    assert found["heard_again_s"] == 0
    assert found["events"]
    assert all(float(event["start_s"]).is_integer() for event in found["events"])


def test_a_changed_file_is_not_read(
    ask: Callable[..., dict[str, Any]], nights: Nights, write_wav: Callable[..., Path]
):
    by_vectors = ask(reread_s=0)["events"]
    write_wav(nights.night, noise(60.0, 9))
    found = ask()
    assert found["heard_again_s"] == 60.0
    assert found["events"] == by_vectors


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"min_score": 2}, 422, "parameter.invalid"),
        ({"order": "loudness"}, 422, "parameter.invalid"),
        ({"limit": 0}, 422, "parameter.invalid"),
        ({"gap_s": -1}, 422, "parameter.invalid"),
        ({"reread_s": 1e9}, 422, "parameter.invalid"),
        ({"top_k": 3}, 422, "parameter.unknown"),
        ({"recording": "no-id"}, 422, "parameter.invalid"),
        ({"collection": "nothing"}, 409, "store.index_empty"),
        ({"start_s": 5, "end_s": 4}, 422, "parameter.invalid"),
        ({"uri": "/no/such.wav"}, 404, "audio.not_found"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_a_problem(
    service: Service,
    stored: list[dict[str, Any]],
    nights: Nights,
    wrong: dict[str, Any],
    status: int,
    code: str,
):
    request = {"uri": str(nights.call), **wrong}
    answer = requests.post(f"{service.url}/api/events", json=request, timeout=60)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_jina_finds_candidates_and_listens_to_them(
    service: Service, stored: list[dict[str, Any]], nights: Nights
):
    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
    (found,) = client.post(
        "/events",
        Clip(uri=str(nights.call)),
        return_type=DocList[EventsFound],
        parameters={"reread_s": 60},
    )
    (over_http,) = service.post("/events", {"uri": str(nights.call)}, reread_s=60).json["data"]
    assert [doc["uri"] for doc in over_http["recordings"]] == [doc.uri for doc in found.recordings]
    night = next(doc for doc in found.recordings if doc.uri == str(nights.night))
    assert np.asarray(night.stretches).shape[1] == 2

    part = ListenClip(uri=night.uri, file=night.file, start_s=0.0, end_s=60.0)
    gone = ListenClip(uri=night.uri, file="id:another", start_s=0.0, end_s=60.0)
    parameters = {"query_uri": str(nights.call), "min_score": ABOVE_OTHERS}
    heard, changed = client.post(
        "/listen",
        DocList[ListenClip]([part, gone]),
        return_type=DocList[ListenedDoc],
        parameters=parameters,
    )
    assert sorted(one.start_s for one in to_found(heard.parts)) == pytest.approx(list(CALLS_S), abs=0.1)
    assert (changed.parts, changed.error_code) == (None, "audio.not_found")
    row, _ = service.post("/listen", part.model_dump(), gone.model_dump(), **parameters).json["data"]
    assert np.asarray(row["parts"]).reshape(-1, 5) == pytest.approx(np.asarray(heard.parts))


def test_jina_finds_events_by_vectors_alone(
    ask: Callable[..., dict[str, Any]], service: Service, nights: Nights
):
    parameters = {"reread_s": 0, "min_score": 0.3}
    (found,) = service.post("/events", {"uri": str(nights.call)}, **parameters).json["data"]
    parts = [part for doc in found["recordings"] for part in np.reshape(doc["parts"], (-1, 5)).tolist()]
    events = ask(**parameters)["events"]
    assert sorted(part[0] for part in parts) == sorted(event["start_s"] for event in events)


def test_events_have_false_alarm_rates(
    service: Service,
    service_database: str,
    on_the_command_line: Callable[..., tuple[int, list[Any], str]],
    tmp_path: Path,
    write_wav: Callable[..., Path],
):
    """Unrelated recordings are compared once, by vectors and in sound; all doors know the result."""
    paths = [write_wav(tmp_path / f"{number}.wav", varied(number)) for number in range(24)]
    service.post("/index", *({"uri": str(path), "label": path.stem} for path in paths))
    query = {"uri": str(paths[0]), "min_score": 0.0, "order": "score"}

    def send(**given: Any) -> dict[str, Any]:
        answer = requests.post(f"{service.url}/api/events", json={**query, **given}, timeout=60)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    found = send()
    best = found["events"][0]
    assert (best["uri"], best["is_reread"], found["good_match"]) == (str(paths[0]), True, None)
    assert best["false_alarm_rate"] < 0.02
    assert best["strength"] == word_for(best["false_alarm_rate"]) != "chance"
    assert best["false_alarms_per_hour"] > 0
    limit = best["false_alarm_rate"]
    rare = send(max_false_alarms=limit)
    assert rare["good_match"] is True
    assert all(event["false_alarm_rate"] <= limit for event in rare["events"])
    none = send(max_false_alarms=1e-9)
    assert (none["good_match"], none["events"]) == (False, [])
    by_vectors = send(reread_s=0)["events"][0]
    assert by_vectors["is_reread"] is False
    assert by_vectors["false_alarm_rate"] < 0.02

    status = requests.get(f"{service.url}/api/status", timeout=60).json()
    assert status["unrelated_events"].keys() == {"stored", "reread"}
    for parameters in ({"min_score": 0}, {"min_score": 0, "max_false_alarms": limit, "reread_s": 0}):
        clip = {"uri": query["uri"]}
        here = on_the_command_line("events", clip, parameters, ["--database-url", service_database])
        there = on_the_command_line("events", clip, parameters, ["--server", service.url])
        assert (there[0], there[1]) == (here[0], here[1])
        assert here[1]
    assert send()["events"] == found["events"]

    (doc,) = service.post("/events", {"uri": query["uri"]}, min_score=0.0).json["data"]
    rates = [row[0] for one in doc["recordings"] for row in np.reshape(one["false_alarms"], (-1, 2))]
    wanted = [event["false_alarm_rate"] for event in send(reread_s=0)["events"]]
    assert sorted(rates) == sorted(wanted)
    answer = requests.post(
        f"{service.url}/api/events", json={**query, "max_false_alarms": 2}, timeout=60
    )
    assert answer.status_code == 422
    assert "max_false_alarms" in answer.text
