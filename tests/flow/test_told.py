"""What no search finds, what an earlier decoder has decoded, and short queries: told at every door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip, Counted, Found, Indexed, Status
from soundalike.cli.main import main
from soundalike.store.base import Entry

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.service import Service

SILENT = "silent: all 4 windows are silent, and no search can find them"
SHORT = (
    "the query has 1.0 s, a window 4 s: matches of short queries are unreliable; give a longer one, or "
    "index with --window-size 1"
)


@pytest.fixture
def client(service: Service) -> Client:
    return Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")


@pytest.fixture
def sounds(tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator) -> Path:
    """Write quiet.wav, loud.wav, noise.wav of 10 s, and short.wav of one second beside them."""
    wave = 0.1 * rng.standard_normal(160_000)
    write_wav(tmp_path / "sounds" / "quiet.wav", 0 * wave)
    write_wav(tmp_path / "sounds" / "loud.wav", np.sign(wave), subtype="FLOAT")
    write_wav(tmp_path / "sounds" / "noise.wav", wave)
    write_wav(tmp_path / "short.wav", wave[:16_000])
    return tmp_path / "sounds"


def test_what_no_search_finds_is_told_by_the_flow(service: Service, client: Client, sounds: Path):
    (told,) = service.post("/index", {"uri": str(sounds / "quiet.wav")}).json["data"]
    assert (told["warnings"], told["n_windows"], told["n_searchable"]) == ([SILENT], 4, 0)
    (typed,) = client.post("/index", Clip(uri=str(sounds / "loud.wav")), return_type=DocList[Indexed])
    assert (typed.n_windows, typed.n_searchable) == (4, 0)
    assert typed.warnings[0].startswith("clipped: all 4 windows")
    (heard,) = service.post("/index", {"uri": str(sounds / "noise.wav")}).json["data"]
    assert (heard["warnings"], heard["n_searchable"]) == ([], 4)

    (status,) = service.post("/status").json["data"]
    assert (status["unsearchable"], status["earlier_decoder"]) == (2, 0)
    plain = requests.get(f"{service.url}/api/status", timeout=60).json()
    assert (plain["unsearchable"], plain["earlier_decoder"]) == (2, 0)


def test_jobs_tell_it_and_count(service: Service, sounds: Path, finish: Callable[..., dict[str, Any]]):
    folder = {"folder": str(sounds)}
    job = finish(requests.post(f"{service.url}/api/jobs", json=folder, timeout=60))
    assert (job["added"], job["failed"], job["unsearchable"]) == (3, 0, 2)
    details = {Path(warning["uri"]).name: warning["detail"] for warning in job["warnings"]}
    assert details.keys() == {"quiet.wav", "loud.wav"}
    assert details["quiet.wav"] == SILENT

    files = [("files", (path.name, path.read_bytes())) for path in sorted(sounds.iterdir())]
    job = finish(requests.post(f"{service.url}/api/recordings", files=files, timeout=60))
    assert {warning["uri"] for warning in job["warnings"]} == {"quiet.wav", "loud.wav"}
    address = f"{service.url}/api/jobs/{job['id']}/files"
    told = requests.get(address, timeout=60).json()["files"]
    assert {row["uri"]: row["n_searchable"] for row in told} == {
        **{"loud.wav": 0, "noise.wav": 4, "quiet.wav": 0},
    }


@pytest.mark.parametrize("on_server", [False, True])
def test_the_command_line_tells_it_of_a_service(
    service: Service, sounds: Path, capsys: pytest.CaptureFixture[str], on_server: bool
):
    options = ["--on-server"] if on_server else []
    assert main(["index", str(sounds), "--server", service.url, "--json", *options]) == 0
    said = capsys.readouterr().err.splitlines()

    assert f"warning: {sounds / 'quiet.wav'}: {SILENT}" in said
    assert "2 hold nothing that a search can find" in said
    assert json.loads(said[-1])["summary"]["unsearchable"] == 2
    assert main(["status", "--server", service.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unsearchable"] == 2


def test_a_short_query_is_told_so(
    service: Service, client: Client, sounds: Path, capsys: pytest.CaptureFixture[str]
):
    service.post("/index", {"uri": str(sounds / "noise.wav")})
    short, enough = sounds.parent / "short.wav", sounds / "noise.wav"
    for path, expected in ((short, [SHORT]), (enough, [])):
        clip, counting = {"uri": str(path)}, {"min_score": 0.5}
        (found,) = service.post("/search", clip).json["data"]
        (counted,) = service.post("/timeline", clip, **counting).json["data"]
        (typed,) = client.post("/search", Clip(**clip), return_type=DocList[Found])
        (dated,) = client.post(
            "/timeline", Clip(**clip), return_type=DocList[Counted], parameters=counting
        )
        assert [found["warnings"], counted["warnings"]] == [expected] * 2
        assert [typed.warnings, dated.warnings] == [expected] * 2
        for route in ("search", "timeline"):
            file = {"file": (path.name, path.read_bytes())}
            data = counting if route == "timeline" else {}
            address = f"{service.url}/api/{route}"
            sent = requests.post(address, data=data, files=file, timeout=60).json()
            named = requests.post(address, json={**clip, **data}, timeout=60).json()
            assert [sent["warnings"], named["warnings"]] == [expected] * 2
            options = ["--min-score", "0.5"] if route == "timeline" else []
            capsys.readouterr()
            assert main([route, str(path), "--server", service.url, *options]) == 0
            said = capsys.readouterr().err.splitlines()
            assert [line for line in said if "short" in line] == [
                f"warning: {text}" for text in expected
            ]


def test_what_an_earlier_decoder_has_decoded_is_told_and_made_anew(
    service: Service,
    client: Client,
    sounds: Path,
    service_store: Store,
    capsys: pytest.CaptureFixture[str],
):
    clip = {"uri": str(sounds / "noise.wav")}
    service.post("/index", clip)
    spec = service_store.collections()["default"]
    (content,) = service_store.contents()
    service_store.delete(clip["uri"])
    vectors = content.embeddings[:2].astype(np.float32)
    earlier = Entry(content.files[0], content.windows[:2], vectors, decoder_version=1)
    service_store.add_many([earlier], spec)

    (typed,) = client.post("/status", Status(), return_type=DocList[Status])
    assert (typed.earlier_decoder, typed.windows) == (1, 2)
    assert requests.get(f"{service.url}/api/status", timeout=60).json()["earlier_decoder"] == 1
    arguments = ["index", str(sounds.parent / "short.wav"), "--server", service.url]
    assert main(arguments) == 0
    assert "on the service's machine, soundalike reindex decodes" in capsys.readouterr().err

    # Who sends it again has it decoded again.
    (told,) = service.post("/index", clip).json["data"]
    assert told["outcome"] == "updated"
    status = service_store.status()
    assert (status.earlier_decoder, status.recordings, status.windows) == (0, 2, 5)
