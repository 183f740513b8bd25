"""Copies of recordings and motifs over HTTP: jobs with a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests

from soundalike import Library
from soundalike.audio.sandbox import shared
from soundalike.encoders.modulation import Modulation
from soundalike.events.listening import Listener
from soundalike.repeats.duplicates import find_duplicates, group_to_json
from soundalike.repeats.motifs import find_motifs, motif_to_json
from soundalike.repeats.requests import DuplicatesRequest, MotifsRequest
from soundalike.repeats.sounds import Sounds

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.service import Service

RATE_HZ = 16_000
PLACES_S = (10.0, 33.5, 61.2, 90.0)


@pytest.fixture
def folder(tmp_path: Path, write_wav: Callable[..., Path], service: Service) -> Path:
    """Index a recording with a repeated sound, its copy, an excerpt, and another recording."""
    rng = np.random.default_rng(1)
    night = 0.01 * rng.standard_normal(110 * RATE_HZ)
    time_s = np.arange(RATE_HZ) / RATE_HZ
    for at_s in PLACES_S:
        night[round(at_s * RATE_HZ) :][:RATE_HZ] += 0.1 * np.sin(2 * np.pi * 1500 * time_s * time_s)
    other = 0.01 * rng.standard_normal(30 * RATE_HZ)
    for name, samples in (("night", night), ("copy", 0.5 * night), ("other", other)):
        write_wav(tmp_path / "in" / f"{name}.wav", samples)
    clips = [{"uri": str(path)} for path in sorted((tmp_path / "in").iterdir())]
    assert not [row for row in service.post("/index", *clips).json["data"] if row["error"]]
    return tmp_path / "in"


@pytest.fixture
def found(service: Service, finish: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Start a job and return its result."""

    def ask(name: str, **given: Any) -> dict[str, Any]:
        job = finish(requests.post(f"{service.url}/api/{name}", json=given, timeout=60))
        assert (job["state"], job["kind"], job["errors"]) == ("done", name, [])
        assert job["done"] == job["total"]
        answer = requests.get(f"{service.url}/api/jobs/{job['id']}/result", timeout=60)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    return ask


def test_copies_and_motifs_are_the_same_on_every_door(
    service: Service,
    folder: Path,
    found: Callable[..., dict[str, Any]],
    on_the_command_line: Callable[..., Any],
    service_store: Store,
):
    groups = found("duplicates")["groups"]
    assert [len(group["members"]) for group in groups] == [2]
    assert {member["evidence"] for member in groups[0]["members"]} == {"content", "sound"}
    assert [member["suggestion"] for member in groups[0]["members"]] == ["keep", "remove"]
    here = find_duplicates(service_store, DuplicatesRequest(), sounds=Sounds(shared()))
    assert [group_to_json(1, here[0])] == groups
    server = ["--server", service.url]
    assert on_the_command_line("duplicates", {}, {}, server)[:2] == (0, groups)
    library = Library(service.url)
    assert [group_to_json(1, group) for group in library.duplicates()] == [_without_sizes(groups[0])]

    night = str(folder / "night.wav")
    motifs = found("motifs", under=night)["motifs"]
    assert [motif["count"] for motif in motifs] == [4]
    assert [event["start_s"] for event in motifs[0]["events"]] == pytest.approx(PLACES_S, abs=0.3)
    listener = Listener(Modulation(), shared())
    (alone,) = find_motifs(service_store, MotifsRequest(under=night), listener=listener)
    assert motif_to_json(1, alone) == motifs[0]
    assert on_the_command_line("motifs", {}, {"under": night}, server)[:2] == (0, motifs)
    assert [motif_to_json(1, motif) for motif in library.motifs(under=night)] == motifs
    (folder / "night.wav").unlink()
    assert found("motifs", under=night)["motifs"] != motifs
    assert found("duplicates", under=str(folder))["groups"][0]["members"][0]["uri"].endswith("copy.wav")


def _without_sizes(group: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a recording without its file does not know."""
    return {**group, "members": [{**member, "size_bytes": None} for member in group["members"]]}


def test_a_job_without_result_says_why(
    service: Service, folder: Path, finish: Callable[..., dict[str, Any]]
):
    for name, body in (("motifs", {"min_count": 1}), ("duplicates", {"candidates": 0})):
        answer = requests.post(f"{service.url}/api/{name}", json=body, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")
        answer = requests.post(f"{service.url}/api/{name}", json={"collection": "none"}, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (409, "store.index_empty")
        answer = requests.post(f"{service.url}/api/{name}", json={"nonsense": 1}, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter.unknown")
        wanted = {"under": str(folder / "none")}
        job = finish(requests.post(f"{service.url}/api/{name}", json=wanted, timeout=60))
        assert [error["code"] for error in job["errors"]] == ["store.not_found"]
    wanted = {"folder": str(folder)}
    # A job that goes on would index into the next test's database.
    job = finish(requests.post(f"{service.url}/api/jobs", json=wanted, timeout=60))
    answer = requests.get(f"{service.url}/api/jobs/{job['id']}/result", timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (409, "service.job_without_result")
    assert requests.get(f"{service.url}/api/jobs/none/result", timeout=60).status_code == 404


def test_an_empty_service_has_nothing_to_compare(service: Service):
    for name in ("duplicates", "motifs"):
        answer = requests.post(f"{service.url}/api/{name}", json={}, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (409, "store.index_empty")


def test_one_recording_has_no_copies(
    service: Service,
    tmp_path: Path,
    write_wav: Callable[..., Path],
    found: Callable[..., dict[str, Any]],
):
    path = write_wav(tmp_path / "one.wav", 0.1 * np.random.default_rng(1).standard_normal(RATE_HZ * 5))
    service.post("/index", {"uri": str(path)})
    assert found("duplicates") == {"groups": []}
    assert found("motifs") == {"motifs": []}
