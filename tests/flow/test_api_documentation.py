"""Every command of docs/http-api.md runs in order and does what the text says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests

if TYPE_CHECKING:
    from tests.fixtures.service import Service

TEXT = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text(encoding="utf-8")
TITLES = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
ROW = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)
#: What PaddleSpeech's demo serves.
THERE = {
    *("/audio/load", "/progress", "/audio/search", "/audio/search/local", "/audio/count", "/audio/drop"),
    *("/data", "/vpr/enroll", "/vpr/enroll/local", "/vpr/recog", "/vpr/recog/local", "/vpr/list"),
    *("/vpr/data", "/vpr/count", "/vpr/del", "/vpr/drop"),
}

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def _commands(title: str) -> list[str]:
    """Return the commands of a chapter."""
    chapter = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = "".join(re.findall(r"```console\n(.*?)```", chapter, re.DOTALL))
    return [command.strip() for command in re.split(r"^\$ ", blocks, flags=re.MULTILINE) if command]


@pytest.fixture
def folder(tmp_path: Path, toy_data: Path) -> Path:
    """Lay out the files of the examples."""
    for source, target in (
        ("siren/siren_1.mp3", "recordings/siren/siren_1.mp3"),
        ("rain/rain_1.mp3", "recordings/rain/rain_1.mp3"),
        ("siren/siren_1.mp3", "siren.mp3"),
        ("rain/rain_2.mp3", "rain.mp3"),
        ("guitar/guitar_1.mp3", "anna.mp3"),
    ):
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(toy_data / source, tmp_path / target)
    np.save(tmp_path / "vectors.npy", np.eye(2, 8, dtype=np.float32))
    (tmp_path / "rows.csv").write_text("recording,start,end\nheron.wav,0,3\nbittern.wav,0,3\n")
    return tmp_path


@pytest.fixture
def run(service: Service, folder: Path, wait_until: Callable[..., Any]) -> Callable[[str], str]:
    """Run a command of the text in the folder, and wait for the job that it may have begun."""

    def run(command: str) -> str:
        here = command.replace("http://127.0.0.1:45678", service.url)
        here = here.replace('"folder": "recordings"', f'"folder": "{folder / "recordings"}"')
        here = here.replace('"uri": "siren.mp3"', f'"uri": "{folder / "siren.mp3"}"')
        done = subprocess.run(
            ["bash", "-c", here.replace("curl ", "curl --fail-with-body --silent ", 1)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (here, done.stdout, done.stderr)

        def idle() -> bool:
            jobs = requests.get(f"{service.url}/api/jobs", timeout=60).json()["jobs"]
            return all(job["finished_at"] for job in jobs)

        wait_until(idle, "no job runs")
        return done.stdout

    return run


def test_every_chapter_works_in_order(run: Callable[[str], str], folder: Path):
    said = {title: [run(command) for command in _commands(title)] for title in TITLES}

    (load,) = said["Index a folder"]
    assert load.startswith("HTTP/1.1 202 Accepted")
    assert re.search(r"^location: /api/jobs/\w+\r?$", load, re.MULTILINE)
    (watched,) = said["Watch a job"]
    job = json.loads(watched)["jobs"][0]
    assert (job["state"], job["done"], job["added"]) == ("done", 2, 2)
    (search,) = said["Search with an upload"]
    assert [match["label"] for match in json.loads(search)["matches"]] == ["siren", "weather"]
    local, stored, part = (
        json.loads(answer)["matches"]
        for answer in said["Search with a file of the server, a stored recording, or a part of one"]
    )
    assert local[0]["score"] == pytest.approx(1.0, abs=1e-3)
    assert all(match["recording_id"] != local[0]["recording_id"] for match in stored)
    assert (part[0]["start_s"], part[0]["end_s"]) == (2.0, 6.0)
    (vectors,) = said["Upload vectors of another program"]
    outcomes = [found["outcome"] for found in json.loads(vectors)["recordings"]]
    assert outcomes == ["added", "added"]
    listed, one, *_ = (json.loads(answer) for answer in said["List, count and look up"])
    assert one["recording_id"] in {found["recording_id"] for found in listed["recordings"]}
    assert (folder / "part.wav").read_bytes().startswith(b"RIFF")
    assert (folder / "siren_1.mp3").read_bytes() == (folder / "siren.mp3").read_bytes()
    assert (folder / "siren_1.png").read_bytes().startswith(b"\x89PNG")
    assert [list(json.loads(answer)) for answer in said["Delete"]] == [["deleted"], ["dropped"]]


def test_speakers_are_enrolled_recognised_listed_and_deleted(run: Callable[[str], str]):
    answers = [json.loads(run(command)) for command in _commands("Speakers")]
    upload, local, found, verified, names, recordings, removed = answers

    assert [upload["outcome"], local["outcome"]] == ["added", "added"]
    assert found["candidates"][0]["speaker"] == "Anna"
    assert (verified["speaker"], verified["false_accept_rate"]) == ("Anna", 0.05)
    assert verified["accepted"] is (verified["score"] >= verified["threshold"])
    assert [(one["name"], one["utterances"]) for one in names["speakers"]] == [("Anna", 2)]
    assert len(recordings["utterances"]) == 2
    assert removed == {"speaker": "Anna", "removed": 2}


def test_everything_of_paddlespeech_has_an_equivalent_that_is_served(service: Service):
    table = TEXT.split("## Coming from PaddleSpeech's audio search")[1]
    rows = [row for row in ROW.findall(table) if row[0].startswith("`")]
    assert {re.search(r"/[\w/]+", there)[0] for there, _ in rows} == THERE  # type: ignore[index]
    paths = service.request("/openapi.json").json["paths"]
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in TITLES}
    for _, here in rows:
        assert set(re.findall(r"\(#([\w-]+)\)", here)) <= anchors
        for path in re.findall(r"(/api/[\w/]+)", here):
            plain = re.sub(r"/(ID|NAME)\b", "/{}", path)
            assert plain in {re.sub(r"\{[^}]*\}", "{}", known) for known in paths}, path
