"""Vectors of other programs: files are read, rows become recordings, and what is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import index_spec
from soundalike.encoders.modulation import Modulation
from soundalike.errors import IndexEmpty, MetadataError, ModelMismatch, ParameterError
from soundalike.indexing.pipeline import Pipeline
from soundalike.indexing.reindex import plan_rebuild
from soundalike.indexing.vectors import VectorRecording, read_vectors
from soundalike.indexing.vectors.indexing import external_spec, index_vectors
from soundalike.indexing.vectors.reading import VectorTable
from soundalike.indexing.vectors.recordings import Refused
from soundalike.search.find import answer_to
from soundalike.search.queries import Query, query_without_sound
from soundalike.search.requests import SearchRequest
from soundalike.store import MemoryStore
from soundalike.types import FloatArray

HEAD = "recording,start,end,label,tags,site"
LINES = ("a,5,10,owl,,pond", "a,0,5,owl,,pond", 'b,0,5,frog,"{""depth"": 2}",lake', "c,1,3,,,")


@pytest.fixture
def matrix(rng: np.random.Generator) -> FloatArray:
    """Make four vectors of six numbers."""
    return rng.standard_normal((4, 6)).astype(np.float32)


@pytest.fixture
def read(tmp_path: Path, matrix: FloatArray) -> Callable[..., VectorTable]:
    """Read `matrix` with a table of such lines."""

    def run(*lines: str, head: str = HEAD, vectors: Any = None) -> VectorTable:
        np.save(tmp_path / "v.npy", matrix if vectors is None else vectors)
        (tmp_path / "rows.csv").write_text("\n".join((head, *lines)) + "\n")
        return read_vectors(tmp_path / "v.npy", tmp_path / "rows.csv")

    return run


def stored(store: MemoryStore, table: VectorTable, collection: str = "theirs") -> list[Any]:
    spec = external_spec(store, table.recordings, table.dimension, collection=collection)
    return list(index_vectors(store, table.recordings, spec, collection=collection))


def found(store: MemoryStore, vector: FloatArray) -> list[tuple[str, float, float]]:
    request = SearchRequest(Query(vector=vector), collections=("theirs",))
    query = query_without_sound(store, request.query, request.collections)
    matches = answer_to(request, query, store).matches
    return [(match.recording.uri, match.start_s, match.end_s) for match in matches]


def test_rows_become_recordings(read: Callable[..., VectorTable], matrix: FloatArray):
    first, second, third = read(*LINES).recordings
    assert isinstance(first, VectorRecording)
    assert isinstance(second, VectorRecording)
    assert isinstance(third, VectorRecording)
    assert [(window.start_s, window.end_s) for window in first.windows] == [(0, 5), (5, 10)]
    np.testing.assert_array_equal(first.vectors, matrix[[1, 0]])
    assert (first.name, first.label, first.tags, first.duration_s) == ("a", "owl", {"site": "pond"}, 10)
    assert second.tags == {"site": "lake", "depth": 2}
    assert (third.label, third.tags) == (None, {})


def test_a_search_by_vector_finds_them(read: Callable[..., VectorTable], matrix: FloatArray):
    store = MemoryStore()
    assert [result.outcome for result in stored(store, read(*LINES))] == ["added"] * 3
    assert found(store, matrix[0])[0] == ("a", 5.0, 10.0)
    assert store.collections()["theirs"].describe() == (
        "encoder external (external), 6 dimensions, 5 s windows every 5 s"
    )


def test_vectors_that_changed_replace_those_stored(read: Callable[..., VectorTable], matrix: FloatArray):
    store = MemoryStore()
    stored(store, read(*LINES))
    assert [result.outcome for result in stored(store, read(*LINES))] == ["unchanged"] * 3
    other = matrix.copy()
    other[2] = -other[2]
    outcomes = [result.outcome for result in stored(store, read(*LINES, vectors=other))]
    assert outcomes == ["unchanged", "replaced", "unchanged"]
    assert found(store, other[2])[0] == ("b", 0.0, 5.0)


def test_a_recording_that_is_wrong_keeps_no_other_out(
    read: Callable[..., VectorTable], matrix: FloatArray
):
    broken = matrix.copy()
    broken[3, 2] = np.nan
    lines = ("a,0,5,owl,,", "a,5,10,frog,,", "b,5,2,,,", "c,0,1,,,")
    table = read(*lines, vectors=broken)
    assert [type(each) for each in table.recordings] == [Refused, Refused, Refused]
    results = stored(MemoryStore(), read(*lines[:3], "d,0,1,,,"))
    assert [result.outcome for result in results] == ["failed", "failed", "added"]
    codes = [each.error.code for each in table.recordings if isinstance(each, Refused)]
    assert codes == ["parameter.metadata", "parameter.metadata", "audio.invalid_samples"]


def test_a_table_without_seconds_says_what_is_assumed(read: Callable[..., VectorTable]):
    table = read("a", "a", "b", "b", head="fileName")
    (first, _), (warning,) = table.recordings, table.warnings
    assert isinstance(first, VectorRecording)
    assert [(window.start_s, window.end_s) for window in first.windows] == [(0, 1), (1, 2)]
    assert "one second" in warning


def test_a_vector_of_zeros_is_kept_and_said(read: Callable[..., VectorTable], matrix: FloatArray):
    matrix[3] = 0
    *_, last = stored(MemoryStore(), read(*LINES))
    assert (last.outcome, last.n_searchable, len(last.warnings)) == ("added", 0, 1)


def test_what_embed_writes_is_read(read: Callable[..., VectorTable], matrix: FloatArray):
    head = "row,uri,index,start_s,end_s,is_silent,is_clipped,encoder"
    lines = [f"{row},x.wav,{row},{row * 2},{row * 2 + 4},{str(row == 2).lower()},false,vggish"
             for row in (3, 2, 1, 0)]  # fmt: skip
    (only,) = read(*lines, head=head).recordings
    assert isinstance(only, VectorRecording)
    np.testing.assert_array_equal(only.vectors, matrix)
    assert [window.quality for window in only.windows] == ["ok", "ok", "silent", "ok"]
    assert only.tags == {}


def test_azures_table_is_read(tmp_path: Path, matrix: FloatArray):
    path = tmp_path / "v.parquet"
    columns = {"id": [1, 2, 3, 4], "fileName": list("abcd"), "audioVector": matrix.tolist()}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    table = read_vectors(path)
    store = MemoryStore()
    stored(store, table)
    assert found(store, matrix[2])[0] == ("c", 0.0, 1.0)
    assert [each.tags for each in table.recordings if isinstance(each, VectorRecording)] == [
        {"id": number} for number in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize("scale", [1e-30, 1e6, 1e37])
def test_vectors_of_any_length_are_found(
    read: Callable[..., VectorTable], matrix: FloatArray, scale: float
):
    store = MemoryStore()
    stored(store, read(*LINES, vectors=matrix * np.float32(scale)))
    assert found(store, matrix[0])[0] == ("a", 5.0, 10.0)


def test_times_in_parquet_become_text(tmp_path: Path):
    when = pyarrow.array([0], pyarrow.timestamp("s"))
    table = pyarrow.table({"file": ["a"], "vector": [[1.0, 2.0]], "when": when})
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet")
    (result,) = stored(MemoryStore(), read_vectors(tmp_path / "v.parquet"))
    assert result.outcome == "added", result.error


def test_an_empty_parquet_file_says_so(tmp_path: Path):
    kinds = pyarrow.schema({"file": pyarrow.string(), "vector": pyarrow.list_(pyarrow.float32())})
    pyarrow.parquet.write_table(kinds.empty_table(), tmp_path / "v.parquet")
    with pytest.raises(MetadataError, match="contains no vectors"):
        read_vectors(tmp_path / "v.parquet")


def test_json_lines_are_read(tmp_path: Path, matrix: FloatArray):
    path = tmp_path / "v.jsonl"
    rows = [{"uri": name, "embedding": row.tolist()} for name, row in zip("abcd", matrix, strict=True)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    table = read_vectors(path)
    assert (len(table.recordings), table.dimension) == (4, 6)


@pytest.mark.parametrize(
    ("lines", "head", "said"),
    [
        (LINES[:3], HEAD, "has 3 rows, and .* 4 vectors"),
        (LINES, "name,start,end,label,tags,site", "has no column recording"),
        (("0,a", "1,a", "1,b", "2,b"), "row,recording", "does not have the numbers 0 to 3"),
        (("0,a", "x,a", "1,b", "2,b"), "row,recording", "row is 'x'"),
        ((*LINES[:3], ",1,2,,,"), HEAD, "line 5 has no recording"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    read: Callable[..., VectorTable], lines: tuple[str, ...], head: str, said: str
):
    with pytest.raises(MetadataError, match=said):
        read(*lines, head=head)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("v.txt", b"1 2", "unknown suffix"),
        ("v.npy", b"no array", "cannot be read"),
        ("v.parquet", b"no table", "cannot be read as Parquet"),
        ("v.jsonl", b'{"uri": "a"}\n', "has no field vector"),
        ("v.jsonl", b'{"vector": [1]}\n{"vector": [1, 2]}\n', "not have the same length"),
        ("v.jsonl", b"", "contains no vectors"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: bytes, said: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MetadataError, match=said):
        read_vectors(tmp_path / name)


@pytest.mark.parametrize("shape", [(6,), (2, 2, 2), (0, 4)])
def test_an_array_of_another_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]):
    np.save(tmp_path / "v.npy", np.zeros(shape))
    with pytest.raises(MetadataError, match="give numbers of shape"):
        read_vectors(tmp_path / "v.npy")


def test_an_array_needs_a_table(tmp_path: Path, matrix: FloatArray):
    np.save(tmp_path / "v.npy", matrix)
    with pytest.raises(MetadataError, match="--rows"):
        read_vectors(tmp_path / "v.npy")


def test_a_collection_holds_the_vectors_of_one_program(
    read: Callable[..., VectorTable], matrix: FloatArray
):
    store, table = MemoryStore(), read(*LINES)
    stored(store, table)
    for wanted in ({"encoder": "perch"}, {"dimension": 7}):
        given: dict[str, Any] = {"dimension": 6, **wanted}
        with pytest.raises(ModelMismatch, match="choose another collection"):
            external_spec(store, table.recordings, collection="theirs", **given)
    with pytest.raises(ParameterError, match="the encoder is"):
        external_spec(store, [], 6, encoder="a b")


def test_sounds_and_foreign_vectors_do_not_mix(read: Callable[..., VectorTable], toy_data: Path):
    store = MemoryStore()
    stored(store, read(*LINES))
    pipeline = Pipeline(store, Modulation(), WindowPlan(5, 5), "theirs")
    with pytest.raises(ModelMismatch, match="vectors of another program"):
        pipeline.search(toy_data / "siren" / "siren_1.mp3")
    with pytest.raises(ParameterError, match="vectors of another program"):
        plan_rebuild(pipeline)
    own = Pipeline(store, Modulation(), WindowPlan(), "ours")
    store.create_collection("ours", index_spec(Modulation(), WindowPlan()))
    with pytest.raises(ModelMismatch):
        external_spec(store, [], own.spec.dimension, collection="ours")
    with pytest.raises(IndexEmpty):
        query_without_sound(store, Query(vector=[1.0] * 6), ["missing"])
