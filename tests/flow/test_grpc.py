"""The Flow over gRPC, with Jina's client and typed documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docarray import DocList
from jina import Client
from jina.excepts import BadServer

from executors.messages.documents import Clip, Deletion, Found, Indexed, Status

if TYPE_CHECKING:
    from tests.fixtures.service import Service


@pytest.fixture
def client(service: Service) -> Client:
    return Client(host="127.0.0.1", port=service.grpc_port, protocol="grpc")


def _clips(paths: list[Path]) -> DocList[Clip]:
    return DocList[Clip](Clip(uri=str(path)) for path in paths)


def test_typed_documents_go_in_and_come_out_in_order(
    client: Client, small_files: Callable[[int], list[Path]]
):
    clips = _clips(small_files(24))
    stored = client.post(
        "/index", clips, return_type=DocList[Indexed], results_in_order=True, request_size=5
    )
    found = client.post(
        *("/search", clips),
        parameters={"top_k": 2},
        return_type=DocList[Found],
        results_in_order=True,
        request_size=5,
    )

    assert [doc.id for doc in stored] == [doc.id for doc in found] == [clip.id for clip in clips]
    assert {doc.outcome for doc in stored} == {"added"}
    assert [doc.matches[0].uri for doc in found] == [clip.uri for clip in clips]
    assert {len(doc.matches) for doc in found} == {2}
    assert all(doc.matches[0].score > doc.matches[1].score for doc in found)


def test_bad_documents_come_back_marked(client: Client, small_files: Callable[[int], list[Path]]):
    (path,) = small_files(1)
    stored = client.post(
        "/index",
        _clips([Path("/missing.wav"), path]),
        return_type=DocList[Indexed],
        results_in_order=True,
    )

    assert [doc.error_code for doc in stored] == ["audio.not_found", None]
    assert [doc.outcome for doc in stored] == ["failed", "added"]


def test_status_and_delete_answer_too(client: Client, small_files: Callable[[int], list[Path]]):
    paths = small_files(3)
    client.post("/index", _clips(paths), return_type=DocList[Indexed])
    (status,) = client.post("/status", return_type=DocList[Status])
    (deleted,) = client.post(
        "/delete", DocList[Deletion]([Deletion(uri=str(paths[0].parent))]), return_type=DocList[Deletion]
    )

    assert (status.recordings, status.windows) == (3, 3)
    assert deleted.deleted == 3


def test_an_error_of_the_whole_request_carries_its_code(
    client: Client, small_files: Callable[[int], list[Path]]
):
    clips = _clips(small_files(1))
    with pytest.raises(BadServer) as refusal:
        client.post("/search", clips, return_type=DocList[Found], parameters={"top_k": 0})

    description = refusal.value.args[0].status.description
    assert description.startswith("parameter.invalid: top_k is 0")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "parameters",
    [{"min_score": float("nan")}, {"tags": {"deep": [{"a": float("-inf")}]}}, {"top_k": float("inf")}],
)
def test_parameters_that_are_not_finite_are_refused(
    client: Client, service: Service, parameters: Any, stream: bool
):
    said = service.program.said
    clips = _clips([Path("/nowhere.wav")])
    with pytest.raises(BadServer) as refusal:
        client.post("/search", clips, return_type=DocList[Found], parameters=parameters, stream=stream)

    description = refusal.value.args[0].status.description
    assert description.startswith(f"parameter.invalid: parameters.{next(iter(parameters))}")
    assert service.program.said == said


@pytest.mark.parametrize(
    ("inputs", "parameters"),
    [
        ({"uri": "/nowhere.wav"}, {"top_k": "many"}),
        ({"vector": [0.1, 0.2]}, {"collection": "tpyo"}),
        ({"recording_id": "f68f64a7-959e-dbd5-c956-4fe5a2ba2c00"}, {"top_k": 0}),
    ],
)
def test_what_a_caller_does_wrong_is_one_line_in_the_log(
    client: Client, service: Service, inputs: Any, parameters: Any
):
    begin = len(service.program.said)
    with pytest.raises(BadServer):
        client.post(
            *("/search", DocList[Clip]([Clip(**inputs)])),
            return_type=DocList[Found],
            parameters=parameters,
        )

    said = service.program.said[begin:]
    assert len(said.splitlines()) == 1, said


def test_a_vector_that_is_not_finite_comes_back_marked(client: Client, toy_data: Path):
    client.post("/index", _clips([toy_data / "siren" / "siren_1.mp3"]), return_type=DocList[Indexed])
    (status,) = client.post("/status", return_type=DocList[Status])
    vector = [float("nan"), *[0.1] * (status.dimension - 1)]
    found = client.post("/search", DocList[Clip]([Clip(vector=vector)]), return_type=DocList[Found])

    assert found[0].error_code == "parameter.invalid"


@pytest.mark.parametrize("inputs", [None, DocList[Clip]()])
def test_no_documents_are_no_error(client: Client, inputs: Any):
    assert len(client.post("/index", inputs, return_type=DocList[Indexed]) or []) == 0
