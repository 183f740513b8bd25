"""Names of parameters, fields and endpoints: the same on every door, and refused where unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from docarray import BaseDoc, DocList
from docarray.base_doc import AnyDoc
from jina import Client
from jina.excepts import BadServer

from executors.messages.documents import Clip, Deletion, Found, Indexed, Status
from executors.messages.listings import CollectionDoc, StoredDoc

if TYPE_CHECKING:
    from tests.fixtures.service import Service

#: A request to each endpoint without parameters.
REQUESTS: dict[str, list[dict[str, Any]]] = {
    "/index": [{"uri": "/nowhere.wav"}],
    "/search": [{"uri": "/nowhere.wav"}],
    "/timeline": [{"uri": "/nowhere.wav"}],
    "/delete": [{"uri": "/nowhere.wav"}],
    "/status": [],
    "/recordings": [],
    "/collections": [],
    "/drop": [{"name": "birds"}],
    "/labels": [],
    "/folders": [],
}


class Wild(BaseDoc):
    """A document of somebody else."""

    urii: str | None = None
    uri: str | None = None
    start_s: str | None = None


@pytest.fixture
def grpc(service: Service) -> Client:
    return Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")


def _refusal(client: Client, endpoint: str, docs: Any, **options: Any) -> str:
    with pytest.raises(BadServer) as found:
        client.post(endpoint, docs, return_type=DocList[AnyDoc], **options)
    return str(found.value.args[0].status.description)


@pytest.mark.parametrize("endpoint", sorted(REQUESTS))
def test_a_misspelt_parameter_is_refused(service: Service, grpc: Client, endpoint: str):
    needed = {"min_score": 0.5} if endpoint == "/timeline" else {}
    answer = service.post(endpoint, *REQUESTS[endpoint], colection="birds", **needed)
    assert (answer.status, answer.json["code"]) == (422, "parameter.unknown")
    assert answer.json["detail"].startswith("'colection' is not a known parameter")

    kind = {"/drop": CollectionDoc, "/delete": Deletion}.get(endpoint, Clip)
    docs = DocList[kind](kind(**doc) for doc in REQUESTS[endpoint])  # type: ignore[valid-type]
    for stream in (True, False):
        said = _refusal(
            grpc, endpoint, docs or None, parameters={"colection": "birds", **needed}, stream=stream
        )
        assert said == f"parameter.unknown: {answer.json['detail']}"


def test_a_misspelt_collection_deletes_nothing(
    service: Service, grpc: Client, small_files: Callable[[int], list[Path]]
):
    (path,) = small_files(1)
    service.post("/index", {"uri": str(path)})
    assert service.post("/delete", {"uri": str(path)}, colection="birds").status == 422
    assert service.post("/status").json["data"][0]["files"] == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"data": [{"urii": "x.wav"}]}, "data[0].urii"),
        ({"data": {"urii": "x.wav"}}, "data.urii"),
        ({"data": [], "parametres": {"top_k": 3}}, "parametres"),
        ({"data": [], "header": {"executor": "x"}}, "header.executor"),
    ],
)
def test_a_misspelt_field_is_refused(service: Service, body: Any, named: str):
    answer = service.request("/search", json.dumps(body).encode())
    assert (answer.status, answer.json["code"]) == (422, "parameter.unknown")
    assert f"'{named}' is not a known field" in answer.json["detail"]


def test_an_executor_cannot_be_named_beside_the_header(service: Service):
    body = {"data": [], "target_executor": "indexer"}
    answer = service.request("/search", json.dumps(body).encode())
    assert (answer.status, answer.json["code"]) == (422, "parameter.invalid")


def test_documents_over_grpc_are_read_strictly(grpc: Client):
    said = _refusal(grpc, "/search", DocList[Wild]([Wild(urii="x.wav")]))
    assert said.startswith("parameter.unknown: 'urii' is not a known field, did you mean 'uri'")


def test_a_wrong_type_over_grpc_has_a_code(grpc: Client):
    class Wrong(BaseDoc):
        uri: str = "x.wav"
        start_s: str = "soon"

    said = _refusal(grpc, "/search", DocList[Wrong]([Wrong()]))
    assert said.startswith("parameter.invalid: start_s is 'soon'")
    clip = DocList[Clip]([Clip(uri="x.wav")])
    said = _refusal(grpc, "/search", clip, parameters={"top_k": "many"})
    assert said.startswith("parameter.invalid: top_k is 'many'")
    assert _refusal(grpc, "/timeline", clip).startswith("parameter.invalid: min_score is missing")


def test_the_same_wrong_parameter_has_the_same_words_over_http(service: Service, grpc: Client):
    over_http = service.post("/search", {"uri": "x.wav"}, top_k="many").json
    clip = DocList[Clip]([Clip(uri="x.wav")])
    over_grpc = _refusal(grpc, "/search", clip, parameters={"top_k": "many"})
    assert over_grpc == f"{over_http['code']}: {over_http['detail']}"


def test_an_unknown_endpoint_over_grpc_is_refused(grpc: Client):
    said = _refusal(grpc, "/serach", DocList[Clip]([Clip(uri="x.wav")]))
    assert said.startswith("parameter.unknown: '/serach' is not a known endpoint")


def test_jinas_http_client_sends_what_is_known(service: Service, small_files: Any):
    (path,) = small_files(1)
    client = Client(host="127.0.0.1", port=service.port, protocol="http")
    clip = DocList[Clip]([Clip(uri=str(path))])
    (stored,) = client.post("/index", clip, return_type=DocList[Indexed])
    (found,) = client.post("/search", clip, parameters={"top_k": 1}, return_type=DocList[Found])
    assert (stored.outcome, len(found.matches)) == ("added", 1)
    with pytest.raises(ValueError, match=r"parameter\.unknown"):
        client.post("/search", clip, parameters={"topk": 1}, return_type=DocList[Found])


def test_aliases_are_taken_on_every_door(
    service: Service, grpc: Client, plain_http: Any, toy_data: Path
):
    folder = toy_data / "siren"
    paths = sorted(map(str, folder.iterdir()))[:2]
    service.post("/index", {"uri": paths[0], "label": "a"}, {"uri": paths[1], "label": "b"})

    def labels(answer: Any) -> set[str]:
        assert answer.status == 200, answer.text
        return {match["label"] for match in answer.json["data"][0]["matches"]}

    for name in ("label", "labels"):
        assert labels(service.post("/search", {"uri": paths[0]}, **{name: ["b"]})) == {"b"}
        found = grpc.post(
            *("/search", DocList[Clip]([Clip(uri=paths[0])])),
            parameters={name: ["b"]},
            return_type=DocList[Found],
        )
        assert {match.label for match in found[0].matches} == {"b"}
    two = service.post("/search", {"uri": paths[0]}, label=["a"], labels=["b"])
    assert (two.status, two.json["code"]) == (422, "parameter.invalid")
    assert labels(service.post("/search", {"uri": paths[0]}, under=str(folder))) == {"a", "b"}
    assert labels(service.post("/search", {"uri": paths[0]}, under="/elsewhere")) == set()
    part = service.post("/search", {"uri": paths[0], "start": 0, "end": 4}, indexer__top_k=1)
    assert labels(part) == {"a"} or labels(part) == {"a", "b"}
    plain = plain_http("/api/search", {"uri": paths[0], "start": 0, "end": 4}, {"under": str(folder)})
    assert plain.status_code == 200, plain.text
    (recording, *_) = service.request("/api/recordings?label=a").json["recordings"]
    drawn = f"/api/recordings/{recording['recording_id']}/waveform?points=4"
    whole = service.request(f"{drawn}&start=1&end=2").json
    assert service.request(f"{drawn}&start_s=1&end_s=2").json == whole
    assert service.request(f"{drawn}&start_s=1&start=2").status == 422

    def uploaded(**fields: float) -> Any:
        with Path(paths[0]).open("rb") as file:
            files = {"file": file}
            return requests.post(f"{service.url}/api/waveform", data=fields, files=files, timeout=60)

    assert uploaded(points=4, start_s=1, end=2).json() == uploaded(points=4, start=1, end_s=2).json()
    assert len(uploaded(points=4, start_s=1, end_s=2).json()["peaks"]) == 4
    assert uploaded(start_s=1, start=2).json()["code"] == "parameter.invalid"


def test_a_query_string_and_a_form_have_the_same_code(service: Service):
    answer = service.request("/api/recordings?colection=birds")
    assert (answer.status, answer.json["code"]) == (422, "parameter.unknown")
    assert "did you mean 'collection'" in answer.json["detail"]


def test_parameters_for_an_executor_that_is_not_there_are_refused(service: Service):
    answer = service.post("/search", {"uri": "x.wav"}, indxer__top_k=1)
    assert (answer.status, answer.json["code"]) == (422, "parameter.unknown")


def test_drop_works_by_parameter_and_by_document(service: Service, grpc: Client, small_files: Any):
    for path, name in zip(small_files(3), "abc", strict=True):
        service.post("/index", {"uri": str(path)}, collection=name)
    (first,) = grpc.post("/drop", parameters={"collection": "a"}, return_type=DocList[CollectionDoc])
    second = service.post("/drop", collection="b").json["data"]
    third = service.post("/drop", {"collection": "c"}).json["data"]

    assert (first.name, second[0]["name"], third[0]["name"]) == ("a", "b", "c")
    assert service.post("/collections").json["data"] == []
    assert _refusal(grpc, "/drop", None).startswith("parameter.invalid: the request does not say")


def test_requests_without_documents_are_answered_or_refused(service: Service, grpc: Client):
    assert _refusal(grpc, "/delete", None).startswith("parameter.invalid: the request has no documents")
    assert service.post("/delete").json["code"] == "parameter.invalid"
    for endpoint, kind in (("/status", Status), ("/recordings", StoredDoc)):
        listed = grpc.post(endpoint, return_type=DocList[kind])  # type: ignore[valid-type]
        assert len(listed or []) == len(service.post(endpoint).json["data"])


def test_a_first_upload_into_a_new_collection_logs_no_error(
    service: Service, small_files: Callable[[int], list[Path]], wait_until: Callable[..., Any]
):
    begin = len(service.program.said)
    (path,) = small_files(1)
    fields = {"folder": str(path.parent), "collection": "fresh"}
    job = service.request("/api/jobs", json.dumps(fields).encode()).json
    wait_until(
        lambda: service.request(f"/api/jobs/{job['id']}").json["finished_at"], "the job is done", 60
    )
    service.post("/search", {"uri": str(path)}, collection="nobodys")
    said = service.program.said[begin:]
    assert "ERROR" not in said, said
    assert "Traceback" not in said, said
