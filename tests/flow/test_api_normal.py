"""Models of what is normal over HTTP and gRPC."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests

if TYPE_CHECKING:
    from tests.fixtures.service import Service

RATE_HZ = 16_000


@pytest.fixture
def machine(tmp_path: Path, write_wav: Callable[..., Path]) -> dict[str, Path]:
    """Write five hums, and a hiss, as they come from a machine."""
    rng = np.random.default_rng(0)
    at = np.arange(6 * RATE_HZ) / RATE_HZ
    found = {}
    for number in range(6):
        tone = sum(np.sin(2 * np.pi * n * (50 + rng.normal()) * at) / n for n in range(1, 20))
        samples = 0.1 * tone + 0.01 * rng.normal(size=at.size)
        found[f"hum{number}"] = write_wav(tmp_path / f"hum{number}.wav", samples, RATE_HZ)
    hiss = 0.2 * rng.normal(size=at.size)
    found["hiss"] = write_wav(tmp_path / "hiss.wav", hiss, RATE_HZ)
    return found


@pytest.fixture
def ask(service: Service) -> Callable[..., requests.Response]:
    """Send a request below /api/normal; a path becomes an upload."""

    def send(method: str, path: str = "", file: Path | None = None, **given: Any) -> requests.Response:
        files = None if file is None else {"file": (file.name, file.read_bytes())}
        address = f"{service.url}/api/normal{path}"
        return requests.request(method, address, files=files, timeout=60, **given)

    return send


def test_a_model_is_learned_used_and_removed(
    service: Service, ask: Callable[..., requests.Response], machine: dict[str, Path]
):
    assert ask("GET").json() == {"models": []}
    hums = [{"uri": str(machine[f"hum{number}"]), "label": "hum"} for number in range(5)]
    service.post("/index", *hums, {"uri": str(machine["hiss"]), "label": "hiss"}, collection="pumps")
    learned = ask("POST", "/pump", json={"collection": "pumps", "labels": ["hum"]})
    assert learned.status_code == 200, learned.text
    assert (learned.json()["recordings"], learned.json()["name"]) == (5, "pump")
    assert learned.json()["false_alarm_rate"] == pytest.approx(1 / 6, abs=1e-4)
    assert [one["name"] for one in ask("GET").json()["models"]] == ["pump"]

    usual = ask("POST", "/pump/score", json={"uri": str(machine["hum5"])}).json()
    unusual = ask("POST", "/pump/score/upload", machine["hiss"]).json()
    assert (usual["is_anomalous"], unusual["is_anomalous"]) == (False, True)
    assert unusual["uri"] == "hiss.wav"
    assert unusual["regions"][0]["end_s"] == 6.0
    nearest = unusual["nearest"]
    assert Path(nearest["uri"]).name.startswith("hum")
    picture = ask("GET", f"/pump/recordings/{nearest['recording_id']}/spectrogram.png")
    assert picture.content.startswith(b"\x89PNG")
    stored = ask(
        "POST",
        "/pump/score",
        json={"recording_id": unusual["recording_id"], "collection": "pumps"},
    ).json()
    assert stored["score"] == pytest.approx(unusual["score"], rel=1e-3)
    over_jina = service.post("/normal_score", {"uri": str(machine["hiss"])}, name="pump")
    assert over_jina.json["data"][0]["score"] == pytest.approx(unusual["score"], rel=1e-3)

    assert ask("GET", "/pump/events").json() == {"events": []}
    assert ask("DELETE", "/pump").json() == {"removed": "pump"}
    for gone in (ask("GET", "/pump"), ask("DELETE", "/pump"), ask("GET", "/pump/events")):
        assert (gone.status_code, gone.json()["code"]) == (404, "store.normal_model_not_found")


def test_what_cannot_be_learned_or_scored_is_refused(
    service: Service,
    ask: Callable[..., requests.Response],
    machine: dict[str, Path],
    tmp_path: Path,
    write_wav: Callable[..., Path],
):
    hums = [{"uri": str(machine[f"hum{number}"])} for number in range(3)]
    service.post("/index", *hums, collection="few")
    too_few = ask("POST", "/x", json={"collection": "few", "under": "/nowhere"})
    assert (too_few.status_code, too_few.json()["code"]) == (422, "parameter.invalid")
    unknown = ask("POST", "/x", json={"collection": "nothing"})
    assert (unknown.status_code, unknown.json()["code"]) == (409, "store.index_empty")
    assert ask("POST", "/few", json={"collection": "few"}).status_code == 200
    silence = write_wav(tmp_path / "silence.wav", np.zeros(5 * RATE_HZ), RATE_HZ)
    silent = ask("POST", "/few/score/upload", silence)
    assert (silent.status_code, silent.json()["code"]) == (422, "audio.silent_query")
    missing = ask("POST", "/few/score", json={"uri": "/no/such.wav"})
    assert missing.status_code in (403, 404)
    misspelt = ask("POST", "/few", json={"colection": "few"})
    assert (misspelt.status_code, misspelt.json()["code"]) == (422, "parameter.unknown")
    assert ask("DELETE", "/few").status_code == 200
