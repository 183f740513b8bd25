"""A search by a text, through every door; and the models of a service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import pytest
import requests
import yaml
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip, Found
from soundalike import client
from soundalike.audio.windows import WindowPlan
from soundalike.cli.main import main
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.installed import add_model
from soundalike.search.queries import Query
from soundalike.search.searcher import Searcher
from soundalike.store import open_store
from tests.fixtures.models import FACTS, SAMPLES, TEXT_FACTS, WAVEFORM, make_text_files, network

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = [pytest.mark.flow, pytest.mark.db]
TEXT = "dog barking far away"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install a model with a network for texts; return the folder of the weights."""
    folder = tmp_path_factory.mktemp("models")
    onnx.save(network((SAMPLES,)), str(folder / "tiny.onnx"))
    facts = {**FACTS, "input": WAVEFORM, "text": TEXT_FACTS, "attribution": "Ann Example"}
    (folder / "tiny.yml").write_text(yaml.safe_dump(facts))
    add_model(
        folder / "tiny.onnx",
        folder / "tiny.yml",
        folder / "weights",
        **make_text_files(folder / "files"),
    )
    return folder / "weights"


@pytest.fixture(scope="module")
def environ(
    weights: Path, clean_process_environ: dict[str, str], database_server: Any, server_folder: Any
) -> Iterator[dict[str, str]]:
    with server_folder() as folder, database_server.database() as url:
        yield {
            **clean_process_environ,
            "SOUNDALIKE_DATA_DIR": str(folder / "data"),
            "SOUNDALIKE_DATABASE_URL": url,
            "SOUNDALIKE_ROOTS": "/",
            "SOUNDALIKE_WEIGHTS_DIR": str(weights),
            "SOUNDALIKE_MODEL": "tiny",
            "SOUNDALIKE_PRECISION": "float32",
        }


@pytest.fixture(scope="module")
def hearing(
    start_launcher: Callable[..., Service], environ: dict[str, str], toy_data: Path
) -> Iterator[Service]:
    """Start a service whose encoder takes texts, with some recordings."""
    found = start_launcher(environ)
    paths = sorted((toy_data / "siren").iterdir()) + sorted((toy_data / "rain").iterdir())
    answer = found.post("/index", *({"uri": str(path)} for path in paths))
    assert [row["outcome"] for row in answer.json["data"]] == ["added"] * len(paths)
    yield found
    found.program.kill()


def plain(matches: Any) -> list[tuple[str, float]]:
    return [(row["uri"], round(row["score"], 5)) for row in matches]


@pytest.fixture(scope="module")
def expected(hearing: Service, environ: dict[str, str]) -> list[tuple[str, float]]:
    """Return what Python finds."""
    settings = Settings.from_env(environ)
    store = open_store(settings)
    encoder = load_encoder("tiny", settings.weights_dir, precision="float32")
    answer = Searcher(store, encoder, WindowPlan()).search(Query(text=TEXT), top_k=4)
    store.close()
    found = [(match.recording.uri, round(match.score, 5)) for match in answer.matches]
    assert len(found) == 4
    return found


@pytest.mark.parametrize("body", ["json", "form"])
def test_over_http(body: str, hearing: Service, expected: Any):
    fields = {"text": TEXT, "top_k": 4}
    sent: dict[str, Any] = {"json": fields} if body == "json" else {"data": fields}
    answer = requests.post(f"{hearing.url}/api/search", timeout=60, **sent)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert plain(found["matches"]) == expected
    assert (found["uri"], found["recording_id"], found["encoder"]) == (None, None, "tiny")
    assert found["matches"][0]["query_start_s"] is None


def test_in_jinas_documents(hearing: Service, expected: Any):
    (over_http,) = hearing.post("/search", {"text": TEXT}, top_k=4).json["data"]
    client = Client(host="127.0.0.1", port=hearing.grpc_port, protocol="grpc")
    (over_grpc,) = client.post(
        "/search", DocList[Clip]([Clip(text=TEXT)]), parameters={"top_k": 4}, return_type=DocList[Found]
    )
    assert plain(over_http["matches"]) == expected
    assert plain([match.model_dump() for match in over_grpc.matches]) == expected


@pytest.mark.parametrize("where", ["here", "server"])
def test_on_the_command_line(
    where: str,
    hearing: Service,
    environ: dict[str, str],
    expected: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for name, value in environ.items():
        if name.startswith("SOUNDALIKE_"):
            monkeypatch.setenv(name, value)
    there = ["--server", hearing.url] if where == "server" else []
    assert main(["search", "--text", TEXT, "-k", "4", "--json", *there]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert plain(rows) == expected
    assert {row["query"] for row in rows} == {TEXT}
    assert main(["timeline", "--text", TEXT, "--min-score", "-1", "--by", "month", *there]) == 0
    assert "occurrence" in (text := capsys.readouterr().err) or "left out" in text


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ({"text": "  "}, "the text is empty"),
        ({"text": "x" * 1001}, "has 1001 characters"),
        ({"text": "dog", "start_s": 1.0}, "a text has no time axis"),
        ({"text": "dog", "uri": "/a.wav"}, "give one of"),
    ],
)
def test_wrong_texts_get_a_sentence(clip: dict[str, Any], said: str, hearing: Service):
    answer = requests.post(f"{hearing.url}/api/search", json=clip, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")
    assert said in answer.json()["detail"]
    (found,) = hearing.post("/search", clip).json["data"]
    assert found["error_code"] == "parameter.invalid"
    assert said in found["error"]


def test_a_text_cannot_be_indexed(hearing: Service):
    (found,) = hearing.post("/index", {"text": TEXT}).json["data"]
    assert found["error_code"] == "parameter.invalid"
    assert "for queries" in found["error"]


def test_an_encoder_that_knows_sounds_only_says_so(service: Service, toy_data: Path):
    service.post("/index", {"uri": str(toy_data / "siren" / "siren_1.mp3")})
    answer = requests.post(f"{service.url}/api/search", json={"text": TEXT}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")
    assert "logmel-modulation knows sounds only" in answer.json()["detail"]


def test_the_models_of_a_service(hearing: Service, service: Service):
    found = requests.get(f"{hearing.url}/api/models", timeout=60).json()
    assert found["encoder"] == {
        "name": "tiny",
        "description": "A matrix, in float32, unverified",
        "licence": "MIT",
        "attribution": "Ann Example",
        "takes_text": True,
    }
    states = {row["name"]: (row["state"], row["takes_text"]) for row in found["models"]}
    assert states["tiny"] == ("installed", True)
    assert states["panns-cnn14"] == ("file needed", False)
    assert states["aisfx"] == ("not here", False)
    assert client.Service(client.Connection(hearing.url)).models() == (found["encoder"], found["models"])
    other = requests.get(f"{service.url}/api/models", timeout=60).json()["encoder"]
    assert (other["name"], other["takes_text"]) == ("logmel-modulation", False)


@pytest.mark.browser
def test_the_page_takes_a_text(hearing: Service, browser_page: Any, expected: Any):
    from playwright.sync_api import expect

    page = browser_page
    page.goto(f"{hearing.url}/")
    expect(page.locator("#search-button")).to_be_disabled()
    page.get_by_label("Or describe a sound").fill(TEXT)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#query")).to_contain_text(TEXT)
    expect(page.locator(".match").first).to_contain_text(Path(expected[0][0]).name)
    page.reload()
    expect(page.locator("#query")).to_contain_text(TEXT)
    page.get_by_role("button", name="Choose another query").click()
    expect(page.get_by_label("Or describe a sound")).to_be_visible()
    page.get_by_role("link", name="Library").first.click()
    expect(page.locator("#encoder")).to_contain_text("Licence: MIT. Ann Example")
    page.get_by_role("region", name="Encoder").get_by_text("Models", exact=True).click()
    expect(page.locator("#models")).to_contain_text("panns-cnn14 file needed, unverified")
    assert browser_page.complaints == []


@pytest.mark.browser
def test_the_page_of_an_encoder_that_knows_sounds_only(service: Service, browser_page: Any):
    from playwright.sync_api import expect

    browser_page.goto(f"{service.url}/")
    expect(browser_page.locator("#drop")).to_be_visible()
    expect(browser_page.locator("#results")).to_contain_text("library")
    expect(browser_page.locator("#text-field")).to_be_hidden()
