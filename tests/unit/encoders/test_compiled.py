"""Networks are kept in OpenVINO's own format, and only while they give the same vectors."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from soundalike.encoders import compiled
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.compiled import Keeping, KeptNetwork
from soundalike.encoders.hashes import known_sha256, sha256_of
from soundalike.encoders.installed import add_model
from soundalike.encoders.runtime import open_session
from tests.fixtures.models import Make, matrix, network

GIVEN = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "model.onnx"
    onnx.save(network((4,)), str(path))
    return path


def vectors(model: Path, folder: Path, precision: str = "float32") -> Any:
    keeping = Keeping(folder, lambda: (GIVEN,))
    return open_session(model, "given", "wanted", precision=precision, keeping=keeping)(GIVEN)


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_dir())


@pytest.fixture
def no_making(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("it is here already")

    monkeypatch.setattr(KeptNetwork, "make", refuse)


def test_a_network_is_made_once(model: Path, tmp_path: Path, request: pytest.FixtureRequest):
    folder = tmp_path / "compiled"

    first = vectors(model, folder)

    (place,) = kept(folder)
    assert sorted(path.name for path in place.iterdir()) == ["example.npz", "network.bin", "network.xml"]
    assert sha256_of([model])[:32] in place.name
    request.getfixturevalue("no_making")
    np.testing.assert_array_equal(vectors(model, folder), first)
    np.testing.assert_allclose(first, GIVEN @ matrix(4), atol=1e-5)


def test_weights_are_halved_for_half_precision_alone(model: Path, tmp_path: Path):
    found = open_session(model, "given", "wanted").precision
    vectors(model, tmp_path / "any", "auto")
    vectors(model, tmp_path / "full", "float32")
    sizes = {name: (kept(tmp_path / name)[0] / "network.bin").stat().st_size for name in ("any", "full")}
    assert sizes["any"] < sizes["full"] if found == "bfloat16" else sizes["any"] == sizes["full"]


@pytest.mark.parametrize("damage", ["cut", "zeros", "other", "text", "no example"])
def test_a_damaged_one_is_made_again(damage: str, model: Path, tmp_path: Path, caplog: Any):
    folder = tmp_path / "compiled"
    first = vectors(model, folder)
    (place,) = kept(folder)
    weights = place / "network.bin"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-20])
    elif damage == "zeros":
        weights.write_bytes(bytes(weights.stat().st_size))
    elif damage == "other":
        weights.write_bytes(weights.read_bytes()[::-1])
    elif damage == "text":
        (place / "network.xml").write_text("no network")
    else:
        (place / "example.npz").unlink()

    np.testing.assert_array_equal(vectors(model, folder), first)

    assert "is damaged" in caplog.text
    caplog.clear()
    np.testing.assert_array_equal(vectors(model, folder), first)
    assert caplog.text == ""


def test_another_file_is_another_network(model: Path, tmp_path: Path):
    folder = tmp_path / "compiled"
    first = vectors(model, folder)
    changed = network((4,))
    changed.graph.initializer[0].raw_data = (2 * matrix(4)).tobytes()
    onnx.save(changed, str(model))

    np.testing.assert_allclose(vectors(model, folder), 2 * first, atol=1e-5)

    assert len(kept(folder)) == 2


def test_what_an_earlier_version_has_left_is_removed(model: Path, tmp_path: Path):
    folder = tmp_path / "compiled"
    vectors(model, folder)
    (place,) = kept(folder)
    sha256, kind, _ = place.name.split("-")
    place.rename(folder / f"{sha256}-{kind}-2020.1")
    (folder / f"{'0' * 32}-{kind}-2020.1").mkdir()

    vectors(model, folder)

    assert [path.name for path in kept(folder)] == sorted([place.name, f"{'0' * 32}-{kind}-2020.1"])


def test_without_a_place_the_users_cache_is_taken(model: Path, tmp_path: Path, no_making_twice: None):
    (tmp_path / "file").write_text("no folder")
    folder = tmp_path / "file" / "compiled"
    first = vectors(model, folder)
    assert len(kept(tmp_path / "cache" / "soundalike" / "compiled")) == 1
    np.testing.assert_array_equal(vectors(model, folder), first)


@pytest.fixture
def no_making_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    made, make = [], KeptNetwork.make

    def once(*arguments: Any) -> Any:
        assert not made, "it is here already"
        made.append(True)
        return make(*arguments)

    monkeypatch.setattr(KeptNetwork, "make", once)


def test_without_any_place_the_file_is_used(model: Path, tmp_path: Path, monkeypatch: Any):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = vectors(model, tmp_path / "file" / "compiled")
    np.testing.assert_allclose(found, GIVEN @ matrix(4), atol=1e-5)
    # A user without a home.
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", lambda path: (_ for _ in ()).throw(RuntimeError("no home")))
    found = vectors(model, tmp_path / "file" / "compiled")
    np.testing.assert_allclose(found, GIVEN @ matrix(4), atol=1e-5)


def test_a_form_with_other_vectors_is_not_kept(model: Path, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr(compiled, "agree", lambda *_: False)
    found = vectors(model, tmp_path / "compiled")
    np.testing.assert_allclose(found, GIVEN @ matrix(4), atol=1e-5)
    assert kept(tmp_path / "compiled") == []


def test_interrupted_writers_leave_nothing_for_long(model: Path, tmp_path: Path):
    import os

    folder = tmp_path / "compiled"
    old, new = folder / ".a-full-1-x", folder / ".b-full-1-y"
    old.mkdir(parents=True)
    new.mkdir()
    os.utime(old, (0, 0))
    vectors(model, folder)
    assert (old.exists(), new.exists()) == (False, True)


def test_the_files_of_installed_models_are_kept_beside_them(
    make_model: Make, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: Any
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path, manifest = make_model()
    add_model(path, manifest, tmp_path / "weights")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tiny.onnx", "tiny.yml", "weights"]
    load_encoder("tiny", tmp_path / "weights")
    assert len(kept(tmp_path / "weights" / "tiny" / "compiled")) == 1
    request.getfixturevalue("no_making")
    load_encoder("tiny", tmp_path / "weights")
    shutil.rmtree(tmp_path / "weights" / "tiny")


def test_a_hash_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, note = tmp_path / "file", tmp_path / "sub" / "note.json"
    file.write_bytes(b"content")
    first = known_sha256([file], [tmp_path / "file" / "no folder", note])
    assert first == sha256_of([file])
    monkeypatch.setattr("soundalike.encoders.hashes.sha256_of", lambda _: "computed again")
    assert known_sha256([file], [note]) == first
    note.write_text("{}")
    assert known_sha256([file], [note]) == "computed again"
    file.write_bytes(b"other content")
    note.write_text("[1")
    assert known_sha256([file], [note]) == "computed again"


@pytest.mark.parametrize(("dtype", "left"), [(np.float16, 0), (np.int8, 1)])
def test_halved_weights_become_plain_constants_and_whole_ones_stay(
    dtype: Any, left: int, tmp_path: Path
):
    from onnx import TensorProto

    from soundalike.encoders.graph import Graph
    from soundalike.encoders.quiet_import import import_openvino

    graph = Graph()
    weights = graph.constant("kept", np.ones((4, 6)), dtype)
    graph.add("Cast", [weights], "matrix", to=TensorProto.FLOAT)
    graph.add("MatMul", ["given", "matrix"], "wanted")
    path = tmp_path / "model.onnx"
    onnx.save(graph.model("cast", "given", (4,), "wanted", 6), str(path))
    read = import_openvino().Core().read_model(path)

    compiled._fold(read)

    assert [op.get_type_name() for op in read.get_ops()].count("Convert") == left
