"""Models of what is normal over HTTP and gRPC."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests

from soundalike import Library
from soundalike.cli.main import main
from soundalike.store.normal_models import WatchedFile, WatchEvent

if TYPE_CHECKING:
    from soundalike.store import PostgresStore
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


Done = tuple[int, list[Any], str]


@pytest.fixture
def both(
    service: Service, service_database: str, uploads: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Done, Done]]:
    """Run ``soundalike normal`` on this machine, and on a service of the same database."""

    def run(*words: str | Path) -> tuple[Done, Done]:
        found = []
        for place in (["--database-url", service_database], ["--server", service.url]):
            capsys.readouterr()
            status = main(["normal", *map(str, words), "--json", *place])
            written = capsys.readouterr()
            notes = [line for line in written.err.splitlines() if not line.startswith("encoder: ")]
            found.append((status, list(map(json.loads, written.out.splitlines())), "\n".join(notes)))
        return found[0], found[1]

    return run


def test_a_service_gives_the_answers_of_this_machine(
    service: Service,
    service_store: PostgresStore,
    both: Callable[..., tuple[Done, Done]],
    machine: dict[str, Path],
    tmp_path: Path,
    write_wav: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
):
    hums = [
        {"uri": str(machine[f"hum{number}"]), "label": "hum", "tags": {"site": "A", "turn": number}}
        for number in range(6)
    ]
    service.post("/index", *hums, {"uri": str(machine["hiss"]), "label": "hiss"}, collection="pumps")
    chosen = ("--collection", "pumps", "--label", "hum", "--where", "turn<5", "--under", tmp_path)
    here, there = both("learn", "pump", *chosen, "--false-alarm-rate", "0.2", "--tag", "site=A")
    assert here[0] == 0, here
    assert [(row.pop("outcome"), row.pop("new")) for row in here[1]] == [("created", 5)]
    assert [(row.pop("outcome"), row.pop("new")) for row in there[1]] == [("unchanged", 0)]
    # The answer of the service has the model's version and times as well.
    assert {name: there[1][0][name] for name in here[1][0]} == here[1][0]
    assert here[1][0]["recordings"] == 5

    few = both("learn", "pump", "--collection", "pumps", "--label", "hum", "--false-alarm-rate", "0.01")
    assert "learn at least 99" in few[0][2]
    assert few[0][2] == few[1][2]

    for words in (("list",), ("show", "pump")):
        here, there = both(*words)
        assert here == there
        assert here[0] == 0
    assert [row["accepted"] for row in here[1][0]["learned"]] == [False] * 6

    silence = write_wav(tmp_path / "silence.wav", np.zeros(5 * RATE_HZ), RATE_HZ)
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
    files = [machine["hum5"], machine["hiss"], silence, tmp_path / "broken.wav", "/no/such.wav"]
    here, there = both("score", "pump", *files)
    assert (here[0], there[0]) == (3, 3)
    assert [row.get("error_code") for row in there[1]] == [
        None,
        None,
        "audio.silent_query",
        here[1][3]["error_code"],
    ]
    for mine, other in zip(here[1], there[1], strict=True):
        assert mine.keys() == other.keys()
        assert mine["uri"] == other["uri"]
        for name in ("is_anomalous", "regions", "nearest", "error_code", "warnings"):
            assert mine.get(name) == other.get(name)
        for name in ("score", "p_value", "threshold"):
            assert mine.get(name, 0.0) == pytest.approx(other.get(name, 0.0), rel=1e-4)
    assert both("score", "pump", machine["hiss"])[1][0] == 1
    scores = Library(service.url).score_normal("pump", [machine["hum5"], machine["hiss"]])
    assert [row["verdict"] for row in scores.rows()] == ["normal", "anomalous"]
    assert scores.threshold == pytest.approx(here[1][0]["threshold"], rel=1e-4)
    listed = Library(service.url, collection="pumps").recordings(where="turn<5", under=tmp_path)
    assert [one.uri for one in listed] == [str(machine[f"hum{number}"]) for number in range(5)]

    file = WatchedFile("/in/a.wav", 3, 4)
    details = {"warnings": [], "score": 1.5, "regions": []}
    for is_anomalous in (True, False):
        at = datetime.now(UTC)
        changed = WatchedFile(file.uri, file.size_bytes, int(is_anomalous))
        service_store.put_watch_event(
            WatchEvent(str(uuid.uuid4()), "pump", changed, at, is_anomalous, details)
        )
    for more, n_events in (((), 2), (("--only-anomalous",), 1), (("--limit", "1"), 1)):
        here, there = both("events", "pump", *more)
        assert here == there
        assert len(here[1]) == n_events

    for words, code in (
        (("show", "fan"), "store.normal_model_not_found"),
        (("score", "fan", machine["hiss"]), "store.normal_model_not_found"),
        (("events", "fan"), "store.normal_model_not_found"),
        (("remove", "fan", "--yes"), "store.normal_model_not_found"),
        (("remove", "../fan", "--yes"), "parameter.invalid"),
        (("learn", "fan", "--collection", "nothing"), "store.index_empty"),
        (("learn", "fan", "--collection", "pumps", "--label", "x"), "parameter.invalid"),
    ):
        here, there = both(*words)
        assert (here[0], here[1]) == (there[0], there[1])
        assert code in here[2]
        assert code in there[2]

    monkeypatch.setenv("SOUNDALIKE_SERVER", service.url)
    for words in (
        ("watch", "pump", str(tmp_path)),
        ("learn", "pump", str(tmp_path)),
        ("score", "pump", str(machine["hiss"]), "--report", str(tmp_path / "page.html")),
        ("score", "pump", str(machine["hiss"]), "--model", "vggish"),
    ):
        assert main(["normal", *words]) == 2
    assert main(["normal", "remove", "pump", "--yes"]) == 0
    assert service_store.normal_models() == []
