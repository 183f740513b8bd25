"""Plain HTTP: what is stored, page by page, and how it goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from tests.fixtures.service import Service

EXECUTORS = ("segmenter", "encoder", "indexer", "ranker")
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def filled(service: Service, toy_data: Path) -> Service:
    """Give the service with two sirens and a rain."""
    names = ("siren/siren_1.mp3", "siren/siren_2.m4a", "rain/rain_1.mp3")
    service.post("/index", *({"uri": str(toy_data / name)} for name in names))
    return service


def _get(service: Service, path: str, **parameters: Any) -> requests.Response:
    return requests.get(service.url + path, params=parameters, timeout=60)


def test_pages_follow_each_other(filled: Service):
    paths: list[str] = []
    after = ""
    for _ in range(3):
        page = _get(filled, "/api/recordings", limit=1, after=after).json()
        paths += [recording["uri"] for recording in page["recordings"]]
        after = page["next"]
    assert len(set(paths)) == 3
    assert paths == sorted(paths)
    assert _get(filled, "/api/recordings", limit=1, after=after).json() == {
        **{"recordings": [], "next": None},
        **{"partial": False, "missing_shards": []},
    }
    assert _get(filled, "/api/recordings").json()["next"] is None


def test_recordings_are_narrowed(filled: Service, toy_data: Path):
    rain = _get(filled, "/api/recordings", label="rain").json()["recordings"]
    assert [Path(found["uri"]).name for found in rain] == ["rain_1.mp3"]
    under = _get(filled, "/api/recordings", under=toy_data / "siren").json()["recordings"]
    assert {found["label"] for found in under} == {"siren"}
    assert _get(filled, "/api/recordings", where="x>1").json()["recordings"] == []
    assert _get(filled, "/api/recordings", limit=0).status_code == 422


def test_one_recording(filled: Service):
    (listed,) = _get(filled, "/api/recordings", label="rain").json()["recordings"]
    found = _get(filled, f"/api/recordings/{listed['recording_id']}").json()
    assert found == listed
    assert found["duration_s"] == 10.0
    assert found["n_windows"] == 4


@pytest.mark.parametrize("part", ["", "/audio", "/waveform", "/spectrogram.png"])
def test_a_recording_that_is_not_there(service: Service, part: str):
    answer = _get(service, f"/api/recordings/{NOBODY}{part}")
    assert (answer.status_code, answer.json()["code"]) == (404, "store.not_found")
    assert _get(service, f"/api/recordings/none{part}").status_code == 422


def test_labels_and_folders(filled: Service, toy_data: Path):
    assert _get(filled, "/api/labels").json()["labels"] == [
        {"label": "siren", "files": 2},
        {"label": "rain", "files": 1},
    ]
    folders = {
        found["folder"]: found["files"] for found in _get(filled, "/api/folders").json()["folders"]
    }
    assert folders == {str(toy_data / "rain"): 1, str(toy_data / "siren"): 2}


def test_collections_and_status(filled: Service):
    (collection,) = _get(filled, "/api/collections").json()["collections"]
    assert (collection["name"], collection["files"], collection["window_s"]) == ("default", 3, 4.0)
    status = _get(filled, "/api/status").json()
    (typed,) = filled.post("/status").json["data"]
    assert all(status[name] == value for name, value in typed.items() if name != "id")
    assert {"api_key", "roots", "limits", "version"} <= status.keys()


def test_a_recording_is_deleted(filled: Service, toy_data: Path):
    (rain,) = _get(filled, "/api/recordings", label="rain").json()["recordings"]
    address = f"{filled.url}/api/recordings/{rain['recording_id']}"
    assert requests.delete(address, timeout=60).json() == {"deleted": 1}
    assert requests.delete(address, timeout=60).status_code == 404
    assert len(_get(filled, "/api/recordings").json()["recordings"]) == 2
    assert (toy_data / "rain" / "rain_1.mp3").is_file()


@pytest.mark.parametrize("path", ["labels/siren", "recordings/{}", "collections/default"])
def test_a_misspelt_collection_deletes_nothing(filled: Service, path: str):
    (rain,) = _get(filled, "/api/recordings", label="rain").json()["recordings"]
    address = f"{filled.url}/api/{path.format(rain['recording_id'])}?colection=other"
    answer = requests.delete(address, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.unknown")
    assert "'colection' is not a known parameter" in answer.json()["detail"]
    assert len(_get(filled, "/api/recordings").json()["recordings"]) == 3
    assert _get(filled, "/api/recordings", folder="/elsewhere").status_code == 422


def test_a_label_is_deleted(filled: Service):
    address = f"{filled.url}/api/labels/siren"
    assert requests.delete(address, timeout=60).json() == {"deleted": 2}
    assert [found["label"] for found in _get(filled, "/api/labels").json()["labels"]] == ["rain"]
    answer = requests.delete(address, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (404, "store.not_found")


def test_a_collection_is_deleted(filled: Service):
    address = f"{filled.url}/api/collections/default"
    assert requests.delete(address, timeout=60).json() == {"dropped": "default"}
    answer = requests.delete(address, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (404, "store.not_found")
    assert _get(filled, "/api/collections").json()["collections"] == []


def test_health_names_every_executor(service: Service):
    assert _get(service, "/health").json() == {
        "status": "ok",
        "executors": dict.fromkeys(EXECUTORS, "ok"),
    }


def test_figures_count_by_route_and_never_by_path(service: Service):
    _get(service, f"/api/recordings/{NOBODY}")
    _get(service, "/some/path/of/a/stranger")
    text = _get(service, "/metrics").text
    route = 'method="GET",route="/api/recordings/{recording_id}",status="404"'
    assert f"soundalike_http_requests_total{{{route}}}" in text
    assert "stranger" not in text
    assert NOBODY not in text
    for name in ("http_request_duration_seconds_bucket", "documents_total", "jobs"):
        assert f"soundalike_{name}{{" in text


@pytest.mark.parametrize("path", ["recordings", "labels", "folders", "status"])
def test_a_collection_that_is_not_there_is_no_empty_library(service: Service, toy_data: Path, path: str):
    address = f"/api/{path}"
    assert _get(service, address).status_code == 200
    found = _get(service, f"{address}?collection=tpyo")
    searched = requests.post(
        f"{service.url}/api/search", json={"vector": [1.0], "collection": "tpyo"}, timeout=60
    )
    assert searched.json()["code"] == "store.index_empty"
    assert found.json() == searched.json()
    service.post("/index", {"uri": str(toy_data / "siren" / "siren_1.mp3")}, collection="other")
    # Before anything was indexed into it, the default one is empty.
    assert _get(service, address).status_code == 200
    assert _get(service, f"{address}?collection=other").status_code == 200
    # One that has become empty is still there.
    service.post("/delete", {"uri": str(toy_data)}, collection="other")
    assert _get(service, f"{address}?collection=other").status_code == 200
    assert _get(service, f"{address}?collection=tpyo").status_code == 409


def test_the_address_that_jina_names_leads_to_the_documentation(service: Service):
    assert f"127.0.0.1:{service.port}/redoc" in service.program.said
    answer = _get(service, "/redoc")
    assert (answer.status_code, answer.url) == (200, f"{service.url}/docs")


def test_jinas_route_that_tells_too_much_is_gone(service: Service):
    answer = _get(service, "/status")
    assert answer.status_code in (404, 405)
    assert "SOUNDALIKE" not in answer.text


def test_the_page_is_asked_for_again_each_time(service: Service):
    answer = _get(service, "/")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    again = requests.get(
        service.url + "/", headers={"If-None-Match": answer.headers["etag"]}, timeout=60
    )
    assert again.status_code == 304
    assert requests.head(service.url + "/", timeout=60).status_code == 200
    for path in ("/static/../gateway.py", "/static/%2e%2e/gateway.py", "/static/none.js"):
        assert _get(service, path).status_code == 404
