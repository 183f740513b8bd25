"""Speakers over HTTP and gRPC; the service of the tests uses the weight-free encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests

from soundalike.cli.main import main
from tests.fixtures.service import uploaded_files
from tests.fixtures.voices import voice

if TYPE_CHECKING:
    from tests.fixtures.service import Service


@pytest.fixture
def voices(tmp_path: Path, write_wav: Callable[..., Path]) -> dict[str, Path]:
    """Write two recordings of a low voice and one of a high voice."""
    pitches_hz = {"low 1": 110.0, "low 2": 110.0, "high": 230.0}
    return {
        name: write_wav(tmp_path / f"{name}.wav", voice(hz, seed), subtype="PCM_16")
        for seed, (name, hz) in enumerate(pitches_hz.items())
    }


@pytest.fixture
def ask(service: Service) -> Callable[..., requests.Response]:
    """Send a request below /api/speakers; a path becomes an upload."""

    def send(method: str, path: str = "", file: Path | None = None, **given: Any) -> requests.Response:
        files = None if file is None else {"file": (file.name, file.read_bytes())}
        address = f"{service.url}/api/speakers{path}"
        return requests.request(method, address, files=files, timeout=60, **given)

    return send


def test_uploads_are_enrolled_identified_played_and_removed(
    ask: Callable[..., requests.Response],
    voices: dict[str, Path],
    service_environ: dict[str, str],
):
    folder = Path(service_environ["SOUNDALIKE_DATA_DIR"]) / "uploads"
    before = set(uploaded_files(folder))
    assert ask("GET").json() == {"speakers": []}
    for name, outcome in (("low 1", "added"), ("low 2", "added"), ("low 1", "unchanged")):
        enrolled = ask("POST", "/Ann%20Example/upload", voices[name])
        assert enrolled.status_code == 200, enrolled.text
        assert (enrolled.json()["speaker"], enrolled.json()["outcome"]) == ("Ann Example", outcome)
    assert ask("POST", "/Bo", json={"uri": str(voices["high"])}).json()["outcome"] == "added"
    kept = set(uploaded_files(folder)) - before
    assert len(kept) == 2

    listed = ask("GET").json()["speakers"]
    assert [(one["name"], one["utterances"]) for one in listed] == [("Ann Example", 2), ("Bo", 1)]
    found = ask("POST", "/identify/upload", voices["low 1"], data={"threshold": "0.9"}).json()
    assert (found["speaker"], found["uri"]) == ("Ann Example", "low 1.wav")
    assert [set(one) for one in found["candidates"]] == [{"speaker", "score"}] * 2
    by_path = ask("POST", "/identify", json={"uri": str(voices["low 1"]), "threshold": 0.9}).json()
    assert by_path == {**found, "uri": str(voices["low 1"])}
    refused = ask("POST", "/Bo/verify/upload", voices["low 1"], data={"threshold": "0.999"}).json()
    assert (refused["speaker"], refused["accepted"]) == ("Bo", False)
    assert set(uploaded_files(folder)) - before == kept

    first, second = ask("GET", "/Ann%20Example").json()["utterances"]
    played = ask("GET", f"/Ann%20Example/utterances/{first['recording_id']}/audio")
    assert played.content == voices["low 1"].read_bytes()
    part = {"Range": "bytes=0-3"}
    assert ask("GET", f"/Bo/utterances/{first['recording_id']}/audio").status_code == 404
    played = ask("GET", f"/Ann%20Example/utterances/{first['recording_id']}/audio", headers=part)
    assert (played.status_code, played.content) == (206, b"RIFF")

    removed = ask("DELETE", f"/Ann%20Example/utterances/{second['recording_id']}")
    assert removed.json() == {"speaker": "Ann Example", "removed": 1}
    assert set(uploaded_files(folder)) - before == {Path(first["uri"])}
    assert ask("DELETE", "/Ann%20Example").json() == {"speaker": "Ann Example", "removed": 1}
    assert set(uploaded_files(folder)) == before
    assert ask("DELETE", "/Bo").json()["removed"] == 1
    assert voices["high"].exists()
    assert ask("GET").json() == {"speakers": []}


def test_an_upload_stays_while_a_collection_or_a_speaker_needs_it(
    service: Service,
    ask: Callable[..., requests.Response],
    voices: dict[str, Path],
    service_environ: dict[str, str],
    wait_until: Callable[..., Any],
):
    files = {"files": ("voice.wav", voices["low 1"].read_bytes())}
    job = requests.post(f"{service.url}/api/recordings", files=files, timeout=60).json()
    address = f"{service.url}/api/jobs/{job['id']}"
    wait_until(lambda: requests.get(address, timeout=60).json()["finished_at"], "it is done")
    assert ask("POST", "/Ann/upload", voices["low 1"]).json()["outcome"] == "added"
    (stored,) = ask("GET", "/Ann").json()["utterances"]
    path = Path(stored["uri"])

    recording = f"{service.url}/api/recordings/{stored['recording_id']}"
    assert requests.delete(recording, timeout=60).json() == {"deleted": 1}
    assert path.exists()
    assert ask("DELETE", "/Ann").status_code == 200
    assert not path.exists()


def test_failures_are_problems_and_leave_nothing_behind(
    ask: Callable[..., requests.Response],
    voices: dict[str, Path],
    tmp_path: Path,
    write_wav: Callable[..., Path],
    service_environ: dict[str, str],
):
    folder = Path(service_environ["SOUNDALIKE_DATA_DIR"]) / "uploads"
    before = set(uploaded_files(folder))
    silent = write_wav(tmp_path / "silent.wav", np.zeros(48_000), subtype="PCM_16")
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    known = ask("POST", "/Ann/upload", voices["low 1"])
    assert known.status_code == 200

    def code(answer: requests.Response) -> tuple[int, str]:
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"]

    short = ask("POST", "/Ann/upload", silent)
    assert code(short) == (422, "audio.too_little_speech")
    assert short.json()["detail"].startswith("'silent.wav' has 0.0 s of speech in 3.0 s")
    assert code(ask("POST", "/identify/upload", text)) == (415, "audio.unreadable")
    assert code(ask("POST", "/identify", json={})) == (422, "parameter.invalid")
    assert code(ask("POST", "/identify", json={"uri": "/gone.wav"})) == (404, "audio.not_found")
    assert code(ask("POST", "/Bo/verify/upload", voices["low 1"])) == (404, "store.speaker_not_found")
    assert code(ask("GET", "/Bo")) == (404, "store.speaker_not_found")
    assert code(ask("DELETE", "/Bo")) == (404, "store.speaker_not_found")
    assert code(ask("POST", "/identify/upload")) == (415, "http.415")
    low = {"max_false_accepts": "0.00001"}
    strict = ask("POST", "/identify/upload", voices["low 1"], data=low)
    assert code(strict) == (422, "parameter.invalid")
    assert "the lowest rate that was measured" in strict.json()["detail"]
    both = {"uri": str(voices["low 1"]), "threshold": 0.5, "max_false_accepts": 0.1}
    assert code(ask("POST", "/identify", json=both)) == (422, "parameter.invalid")
    typo = {"uri": str(voices["low 1"]), "treshold": 0.5}
    assert code(ask("POST", "/identify", json=typo)) == (422, "parameter.unknown")
    assert code(ask("POST", f"/{'x' * 101}/upload", voices["low 1"])) == (422, "parameter.invalid")
    assert len(set(uploaded_files(folder)) - before) == 1
    assert ask("DELETE", "/Ann").status_code == 200
    assert set(uploaded_files(folder)) == before


def test_nothing_enrolled_is_said(ask: Callable[..., requests.Response], voices: dict[str, Path]):
    answer = ask("POST", "/identify/upload", voices["low 1"])
    assert (answer.status_code, answer.json()["code"]) == (404, "store.speaker_not_found")
    assert answer.json()["detail"].startswith("no speakers are enrolled")


def test_documents_go_the_same_way(service: Service, voices: dict[str, Path], tmp_path: Path):
    good, gone = {"uri": str(voices["low 1"])}, {"uri": str(tmp_path / "gone.wav")}
    enrolled = service.post("/enrol", good, gone, speaker="Ann").json["data"]
    assert [one["outcome"] for one in enrolled] == ["added", "failed"]
    assert enrolled[1]["error_code"] == "audio.not_found"
    (found,) = service.post("/identify", good, threshold=0.9).json["data"]
    assert (found["speaker"], found["candidates"][0]["speaker"]) == ("Ann", "Ann")
    first, second = service.post("/verify", good, gone, speaker="Ann", threshold=0.9).json["data"]
    assert (first["accepted"], second["error_code"]) == (True, "audio.not_found")
    (listed,) = service.post("/speakers").json["data"]
    assert (listed["name"], listed["utterances"], listed["encoder"]) == ("Ann", 1, "logmel-modulation")
    (utterance,) = service.post("/utterances", speaker="Ann").json["data"]
    assert utterance["uri"] == str(voices["low 1"])
    wrong = service.post("/utterances")
    assert (wrong.status, wrong.json["code"]) == (422, "parameter.invalid")
    missing = service.post("/remove_speaker", speaker="Bo")
    assert (missing.status, missing.json["code"]) == (404, "store.speaker_not_found")
    (removed,) = service.post("/remove_speaker", speaker="Ann").json["data"]
    assert removed["removed"] == 1


def test_searches_and_speakers_do_not_touch_each_other(service: Service, voices: dict[str, Path]):
    clip = {"uri": str(voices["low 1"])}
    service.post("/index", clip)
    service.post("/enrol", clip, speaker="Ann")
    (answer,) = service.post("/search", clip).json["data"]
    assert len(answer["matches"]) == 1
    requests.delete(f"{service.url}/api/collections/default", timeout=60)
    assert len(service.post("/speakers").json["data"]) == 1


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, service_database: str
) -> Callable[..., tuple[int, list[Any], str]]:
    """Run a command with --json; return its status, rows and notes."""
    monkeypatch.setenv("SOUNDALIKE_SPEAKER_MODEL", "logmel-modulation")

    def run(*words: Any) -> tuple[int, list[Any], str]:
        capsys.readouterr()
        status = main(["speakers", *map(str, words), "--json"])
        written = capsys.readouterr()
        return status, [json.loads(line) for line in written.out.splitlines()], written.err

    return run


def test_the_command_line_gives_the_same_on_the_service_and_on_its_machine(
    service: Service,
    service_database: str,
    command: Callable[..., tuple[int, list[Any], str]],
    voices: dict[str, Path],
    tmp_path: Path,
):
    there, here = ("--server", service.url), ("--database-url", service_database)
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    status, rows, said = command("enrol", "Ann Example", voices["low 1"], text, *there)
    assert (status, [row["outcome"] for row in rows]) == (3, ["added", "failed"])
    assert f"{str(text)!r}" in said
    assert command("enrol", "Bo", voices["high"], *here)[0] == 0

    for words in (
        ("identify", voices["low 2"], "--threshold", 0.8),
        ("identify", voices["low 2"], "--max-false-accepts", 0.05),
        ("identify", voices["low 2"], "--threshold", 1.0),
        ("verify", voices["low 2"], "Bo"),
        ("verify", voices["high"], "Bo", "--max-false-accepts", 0.1),
        ("list",),
        ("list", "Bo"),
        ("list", "Nemo"),
        ("verify", voices["low 2"], "Nemo"),
        ("identify", text),
        ("identify", voices["low 2"], "--max-false-accepts", 1e-9),
    ):
        ours, theirs = command(*words, *here), command(*words, *there)
        assert theirs[0] == ours[0], words
        assert theirs[1] == ours[1], words

    (own,) = command("list", "Ann Example", *there)[1]
    removed = ("remove", "Ann Example", own["recording_id"])
    assert command(*removed, *there)[0] == 0
    assert command("remove", "Bo", "--yes", *there)[1] == [{"speaker": "Bo", "removed": 1}]
    assert command("remove", "Bo", "--yes", *there)[0] == 5
    assert command("list", *there)[1] == []
    for wrong in (
        ("evaluate", tmp_path),
        ("list", "--model", "vggish"),
        ("list", "--precision", "auto"),
    ):
        assert command(*wrong, *there)[0] == 2, wrong
