"""Every kind of query has the same answer in Python, on the command line, over HTTP and over gRPC."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from docarray import DocList
from jina import Client

from executors.documents import Clip, Counted, Found
from soundalike.cli.main import main
from soundalike.config import Settings
from soundalike.encoders import load_encoder
from soundalike.excerpt import Excerpt
from soundalike.pipeline import Pipeline
from soundalike.queries import Query
from soundalike.store import Store, open_store
from soundalike.types import Match
from soundalike.windows import WindowPlan

if TYPE_CHECKING:
    from tests.fixtures.service import Service

UNKNOWN = "00000000-0000-0000-0000-000000000000"
KINDS = ("file", "upload", "recording", "window", "slice of a file", "slice of an upload")
KINDS += ("slice of a recording", "moment of a file", "vector")


@pytest.fixture
def stored(service: Service, toy_data: Path) -> list[dict[str, Any]]:
    """Index all sirens and all rain."""
    paths = [*sorted((toy_data / "siren").iterdir()), *sorted((toy_data / "rain").iterdir())]
    rows: list[dict[str, Any]] = service.post("/index", *({"uri": str(path)} for path in paths)).json[
        "data"
    ]
    assert not [row for row in rows if row["error"]]
    return sorted(rows, key=lambda row: str(row["uri"]), reverse=True)


@pytest.fixture
def store(service_database: str) -> Iterator[Store]:
    found = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": service_database}))
    yield found
    found.close()


@pytest.fixture
def ask(
    service: Service,
    store: Store,
    service_database: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., list[Any]]:
    """Ask in all ways that know this kind of query; return each way's matches, all alike in form."""
    pipeline = Pipeline(store, load_encoder("logmel-modulation", Path()), WindowPlan())
    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")

    def in_python(clip: dict[str, Any], parameters: dict[str, Any]) -> list[Any]:
        upload = clip.get("audio_base64")
        source = base64.b64decode(upload) if upload else clip.get("uri")
        excerpt = Excerpt(clip.get("start_s"), clip.get("end_s"), clip.get("at_s"))
        query = Query(source, clip.get("recording_id"), clip.get("vector"), excerpt)
        return [_of_core(match) for match in pipeline.search(query, **parameters).matches]

    def on_the_command_line(clip: dict[str, Any], parameters: dict[str, Any]) -> list[Any]:
        arguments = ["search", "--json", "--database-url", service_database]
        if "vector" in clip:
            (tmp_path / "vector.json").write_text(json.dumps(clip["vector"]))
            arguments += ["--vector", str(tmp_path / "vector.json")]
        options = {"recording_id": "--recording-id", "start_s": "--start", "end_s": "--end"}
        options |= {"at_s": "--at", "uri": None}
        for name, option in options.items():
            if name in clip:
                arguments += [option, str(clip[name])] if option else [clip[name]]
        for name in parameters.get("collections", []):
            arguments += ["--collection", name]
        arguments += ["--exclude-self"] if parameters.get("exclude_self") else []
        arguments += ["--group-by", parameters.get("group_by", "recording")]
        capsys.readouterr()
        assert main(arguments) == 0
        return [_comparable(json.loads(line)) for line in capsys.readouterr().out.splitlines()]

    def over_http(clip: dict[str, Any], parameters: dict[str, Any]) -> list[Any]:
        (found,) = service.post("/search", clip, **parameters).json["data"]
        assert found["error"] is None, found
        return [_comparable(match) for match in found["matches"]]

    def over_grpc(clip: dict[str, Any], parameters: dict[str, Any]) -> list[Any]:
        (found,) = client.post(
            "/search", Clip(**clip), return_type=DocList[Found], parameters=parameters
        )
        assert found.error is None
        return [_comparable(match.model_dump()) for match in found.matches]

    def every(clip: dict[str, Any], **parameters: Any) -> list[Any]:
        answers = [over_http(clip, parameters)]
        for way in (in_python, over_grpc, on_the_command_line):
            if way is not on_the_command_line or "audio_base64" not in clip:
                answers.append(way(clip, parameters))
        assert answers[0]
        for other in answers[1:]:
            assert other == answers[0]
        return answers[0]

    return every


def _of_core(match: Match) -> dict[str, Any]:
    fields = ("rank", "score", "start_s", "end_s", "query_start_s", "query_end_s", "n_hits")
    values = {name: getattr(match, name) for name in (*fields, "collection")}
    recording = match.recording
    told = {"uri": recording.uri, "label": recording.label, "recording_id": recording.recording_id}
    return _comparable({**values, **told, "tags": recording.tags, "duration_s": recording.duration_s})


def _comparable(match: dict[str, Any]) -> dict[str, Any]:
    fields = ("rank", "uri", "start_s", "end_s", "query_start_s", "query_end_s", "n_hits", "label")
    fields += ("tags", "duration_s", "recording_id", "collection")
    # The command line shows six decimals.
    return {**{name: match[name] for name in fields}, "score": round(match["score"], 6)}


def _clip(kind: str, stored: list[dict[str, Any]], store: Store) -> dict[str, Any]:
    first = stored[0]
    sound = Path(first["uri"]).read_bytes()
    known = {"recording_id": first["recording_id"]}
    content = store.content(first["recording_id"])
    assert content is not None
    return {
        "file": {"uri": first["uri"]},
        "upload": {"audio_base64": base64.b64encode(sound).decode()},
        "recording": known,
        "window": {**known, "at_s": 6.0},
        "slice of a file": {"uri": first["uri"], "start_s": 2.0, "end_s": 8.0},
        "slice of an upload": {
            "audio_base64": base64.b64encode(sound).decode(),
            **{"start_s": 2.0, "end_s": 8.0},
        },
        "slice of a recording": {**known, "start_s": 2.0, "end_s": 8.0},
        "moment of a file": {"uri": first["uri"], "at_s": 6.0},
        "vector": {"vector": content.embeddings[2].astype(float).tolist()},
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_has_the_same_answer(
    ask: Callable[..., list[Any]], stored: list[dict[str, Any]], store: Store, kind: str
):
    best, *_ = ask(_clip(kind, stored, store))

    assert best["recording_id"] == stored[0]["recording_id"]
    assert best["score"] == pytest.approx(1, abs=5e-3)
    places = {
        "window": (4, 8),
        "moment of a file": (4, 8),
        "vector": (0, 0),
    }
    if kind in places:
        assert (best["query_start_s"], best["query_end_s"]) == places[kind]
        assert (best["start_s"], best["end_s"]) == (4, 8)
    elif "slice" in kind:
        # In seconds of the whole recording.
        assert 2 <= best["query_start_s"] < best["query_end_s"] <= 8
        assert best["query_start_s"] == best["start_s"]


def test_the_own_recording_is_left_out(ask: Callable[..., list[Any]], stored: list[dict[str, Any]]):
    key = stored[0]["recording_id"]
    for clip in ({"recording_id": key}, {"recording_id": key, "at_s": 1}, {"uri": stored[0]["uri"]}):
        matches = ask(clip, exclude_self=True)
        assert len(matches) == len(stored) - 1
        assert key not in {match["recording_id"] for match in matches}


def test_the_best_match_of_each_label(ask: Callable[..., list[Any]], stored: list[dict[str, Any]]):
    matches = ask({"recording_id": stored[0]["recording_id"]}, group_by="label")

    assert [match["label"] for match in matches] == ["siren", "rain"]
    assert [match["rank"] for match in matches] == [1, 2]


def test_several_collections_are_searched_together(
    service: Service, ask: Callable[..., list[Any]], stored: list[dict[str, Any]]
):
    service.post("/index", {"uri": stored[0]["uri"]}, collection="other")
    matches = ask({"uri": stored[1]["uri"]}, collections=["default", "other"])

    assert len(matches) == len(stored) + 1
    twice = [match for match in matches if match["recording_id"] == stored[0]["recording_id"]]
    assert sorted(match["collection"] for match in twice) == ["default", "other"]
    # What is stored in one collection can be looked for in another.
    gone = ask({"recording_id": stored[0]["recording_id"]}, collections=["other", "default"])
    assert [match["collection"] for match in gone[:2]] == ["default", "other"]


def test_collections_of_different_kinds_are_refused(service: Service, stored: list[dict[str, Any]]):
    service.post("/index", {"uri": stored[0]["uri"]}, collection="seconds", window_size=1, stride=1)
    answer = service.post("/search", {"uri": stored[0]["uri"]}, collections=["default", "seconds"])

    assert (answer.status, answer.json["code"]) == (409, "store.model_mismatch")
    assert "'default'" in answer.json["detail"]
    assert "'seconds'" in answer.json["detail"]
    missing = service.post("/search", {"uri": stored[0]["uri"]}, collections=["default", "none"])
    assert (missing.status, missing.json["code"]) == (409, "store.index_empty")


@pytest.mark.parametrize(
    ("clip", "code", "said"),
    [
        ({"recording_id": UNKNOWN}, "store.not_found", UNKNOWN),
        ({"recording_id": "siren"}, "parameter.invalid", "'siren'"),
        ({"vector": [1.0, 2.0]}, "store.dimension_mismatch", "(512,)"),
        ({"vector": [0.0] * 512}, "parameter.invalid", "zeros"),
        ({"vector": [1.0] * 512, "at_s": 4}, "parameter.invalid", "at_s"),
        ({"vector": [1.0] * 512, "recording_id": UNKNOWN}, "parameter.invalid", "give one"),
        ({"uri": "SOUND", "start_s": 99}, "parameter.invalid", "ends at 10 s"),
        ({"uri": "SOUND", "start_s": 4, "end_s": 3}, "parameter.invalid", "end_s is 3"),
        ({"recording_id": "SOUND", "at_s": 99}, "parameter.invalid", "ends at 10 s"),
        ({"uri": "SOUND", "recording_id": UNKNOWN}, "parameter.invalid", "give one"),
    ],
    ids=str,
)
def test_a_query_that_cannot_be_asked_fails_alone(
    service: Service, stored: list[dict[str, Any]], clip: dict[str, Any], code: str, said: str
):
    sound = {"uri": stored[0]["uri"], "recording_id": stored[0]["recording_id"]}
    clip = {key: sound[key] if value == "SOUND" else value for key, value in clip.items()}
    for endpoint, parameters in (("/search", {}), ("/timeline", {"min_score": 0.5})):
        answer = service.post(endpoint, clip, {"uri": stored[1]["uri"]}, **parameters)
        assert answer.status == 200, answer.text
        bad, good = answer.json["data"]
        assert (bad["error_code"], good["error_code"]) == (code, None)
        assert said in bad["error"]


def test_what_is_stored_of_silence_is_nothing_to_look_for(
    service: Service, write_wav: Callable[..., Path], tmp_path: Path
):
    samples = np.zeros(12 * 16_000, np.float32)
    samples[: 4 * 16_000] = 0.1 * np.sin(np.arange(4 * 16_000))
    path = write_wav(tmp_path / "half" / "silent.wav", samples)
    (row,) = service.post("/index", {"uri": str(path)}).json["data"]
    key = {"recording_id": row["recording_id"]}

    loud, silent = service.post("/search", {**key, "at_s": 2}, {**key, "at_s": 10}).json["data"]
    assert (loud["error"], silent["error_code"]) == (None, "audio.silent_query")


def test_only_whole_sounds_are_indexed(service: Service, stored: list[dict[str, Any]]):
    sound = {"uri": stored[0]["uri"]}
    clips = [{"recording_id": UNKNOWN}, {"vector": [1.0]}, {**sound, "start_s": 2}, {**sound, "at_s": 2}]
    answer = service.post("/index", *clips)
    assert [row["error_code"] for row in answer.json["data"]] == ["parameter.invalid"] * 4


def test_a_timeline_of_what_is_stored(service: Service, stored: list[dict[str, Any]]):
    client = Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")
    clips = DocList[Clip](
        [
            Clip(uri=stored[0]["uri"], at_s=6.0),
            Clip(recording_id=stored[0]["recording_id"], at_s=6.0),
        ]
    )
    by_file, by_id = client.post(
        "/timeline",
        clips,
        return_type=DocList[Counted],
        parameters={"min_score": 0.5},
        results_in_order=True,
    )
    assert by_file.buckets
    assert [(row.start, row.count) for row in by_id.buckets] == [
        (row.start, row.count) for row in by_file.buckets
    ]
    assert (by_id.undated, by_id.uri) == (by_file.undated, by_file.uri)
