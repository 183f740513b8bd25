"""Vectors of another program over HTTP and gRPC, from upload to search."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import requests
from docarray import DocList
from jina import Client

from executors.messages.documents import Indexed
from executors.messages.vector_documents import VectorsDoc
from soundalike.cli.main import main

if TYPE_CHECKING:
    from tests.fixtures.service import Service

ROWS = b"recording,start,end,label\na.wav,0,3,owl\na.wav,3,6,owl\nb.wav,0,3,frog\n"


@pytest.fixture
def matrix(rng: np.random.Generator) -> Any:
    """Make three vectors."""
    return rng.standard_normal((3, 8)).astype(np.float32)


def _post(service: Service, *, rows: bytes | None = ROWS, name: str = "v.npy", **given: Any) -> Any:
    files = {"vectors": (name, given.pop("vectors")), **({"rows": ("rows.csv", rows)} if rows else {})}
    return requests.post(f"{service.url}/api/vectors", files=files, data=given, timeout=60)


def _npy(matrix: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, matrix)
    return file.getvalue()


def test_uploaded_vectors_are_found(service: Service, matrix: Any):
    answer = _post(service, vectors=_npy(matrix), collection="birds", encoder_name="perch")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [(each["uri"], each["outcome"]) for each in body["recordings"]] == [
        ("a.wav", "added"),
        ("b.wav", "added"),
    ]
    assert (body["dimension"], body["warnings"]) == (8, [])

    query = {"vector": matrix[1].tolist(), "collection": "birds"}
    found = requests.post(f"{service.url}/api/search", json=query, timeout=60).json()
    best = found["matches"][0]
    assert (best["uri"], best["start_s"], best["label"]) == ("a.wav", 3.0, "owl")
    audio = f"{service.url}/api/recordings/{best['recording_id']}/audio"
    played = requests.get(audio, params={"collection": "birds"}, timeout=60)
    assert (played.status_code, played.json()["code"]) == (404, "audio.not_found")


def test_parquet_and_one_bad_recording(service: Service, matrix: Any):
    matrix[1, 0] = np.inf
    names = ["x", "y", "/etc/passwd"]
    file = io.BytesIO()
    columns = {"fileName": names, "audioVector": matrix.tolist()}
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    answer = _post(service, rows=None, name="v.parquet", vectors=file.getvalue(), collection="azure")
    assert answer.status_code == 200, answer.text
    codes = [(each["uri"], each["error_code"]) for each in answer.json()["recordings"]]
    assert codes == [
        ("x", None),
        ("y", "audio.invalid_samples"),
        ("/etc/passwd", "parameter.invalid"),
    ]


@pytest.mark.parametrize(
    ("name", "vectors", "rows", "said"),
    [
        ("mine.npy", b"no array", ROWS, "'mine.npy' cannot be read"),
        ("mine.txt", b"1", ROWS, "unknown suffix"),
        ("mine.npy", None, b"recording\na\n", "'rows.csv' has 1 rows, and 'mine.npy' 3 vectors"),
    ],
)
def test_files_that_cannot_be_used_are_named_as_the_client_does(
    service: Service, matrix: Any, name: str, vectors: bytes | None, rows: bytes, said: str
):
    answer = _post(service, name=name, vectors=vectors or _npy(matrix), rows=rows, collection="no")
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.metadata")
    assert said in answer.json()["detail"]


def test_jinas_own_endpoint_takes_them(service: Service, matrix: Any):
    bounds = np.array([[0.0, 3.0], [3.0, 6.0], [6.0, 9.0]])
    client = Client(port=service.grpc_port, protocol="grpc")
    docs = DocList[VectorsDoc](
        [
            VectorsDoc(uri="c.wav", vectors=matrix, bounds=bounds),
            VectorsDoc(uri="c.wav", vectors=matrix[:, :4], bounds=bounds),
            VectorsDoc(uri="c.wav", vectors=matrix, bounds=bounds[::-1].copy()),
            VectorsDoc(uri="file:///etc/passwd", vectors=matrix, bounds=bounds),
        ]
    )
    given = {"collection": "grpc", "encoder_name": "perch"}
    found = client.post("/index_vectors", docs, return_type=DocList[Indexed], parameters=given)
    assert [doc.outcome for doc in found] == ["added", "failed", "failed", "failed"]
    assert [doc.error_code for doc in found][1:] == [
        "store.dimension_mismatch",
        "parameter.invalid",
        "parameter.invalid",
    ]


def test_the_command_line_sends_them(
    service: Service, matrix: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    np.save(tmp_path / "v.npy", matrix)
    (tmp_path / "rows.csv").write_bytes(ROWS)
    np.save(tmp_path / "q.npy", matrix[2])
    where = ["--server", service.url, "--collection", "sent", "--json"]
    given = ["--vectors", str(tmp_path / "v.npy"), "--rows", str(tmp_path / "rows.csv")]
    assert main(["index", *given, *where]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["outcome"] for row in rows] == ["added", "added"]
    assert main(["search", "--vector", str(tmp_path / "q.npy"), *where]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["uri"] == "b.wav"
