"""Files that are no ONNX network, or no whole one, get a sentence at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from soundalike.encoders.installed import add_model, installed_names
from soundalike.encoders.manifest import read_manifest
from soundalike.encoders.model_file import ModelFile
from soundalike.encoders.onnx_header import check_onnx
from soundalike.errors import WeightsCorrupt
from tests.fixtures.models import SAMPLES, WAVEFORM, Make, matrix, network

WHOLE = network((4,)).SerializeToString()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_network(tmp_path: Path):
    check_onnx(write(tmp_path / "m.onnx", WHOLE))


@pytest.mark.parametrize("n_bytes", [1, 2, 5, 20, 100, len(WHOLE) // 2, len(WHOLE) - 1])
def test_a_network_that_is_cut_off(n_bytes: int, tmp_path: Path):
    with pytest.raises(WeightsCorrupt, match=r"m\.onnx"):
        check_onnx(write(tmp_path / "m.onnx", WHOLE[:n_bytes]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        b"\xff" * 5000,
        b"<?xml version='1.0'?><net/>",
        b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x94.",
        b"PK\x03\x04" + bytes(100),
        b"version https://git-lfs.github.com/spec/v1\n",
        b"<!doctype html>",
        WHOLE + b"\0",
        # A field as long as no file can be, and a set of operators that is none.
        b"\x3a" + b"\xff" * 9 + b"\x01",
        b"\x42\x04\xff\xff\xff\xff" + WHOLE,
        b"\x42\x03\x0a\x01\xff" + WHOLE,
    ],
)
def test_what_is_no_network(content: bytes, tmp_path: Path):
    with pytest.raises(
        WeightsCorrupt, match=r"m\.onnx cannot be used as an ONNX network \((it |'utf-8)"
    ):
        check_onnx(write(tmp_path / "m.onnx", content))


def test_two_gigabytes_of_zeros_are_refused_at_once(make_model: Make, tmp_path: Path):
    path, manifest = make_model()
    with path.open("wb") as file:
        os.truncate(file.fileno(), 2 << 30)
    began = time.perf_counter()
    with pytest.raises(WeightsCorrupt, match="of another format"):
        add_model(path, manifest, tmp_path / "weights")
    assert time.perf_counter() - began < 5
    assert installed_names(tmp_path / "weights") == []


def _opset(version: int, domain: str = "") -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.opset_import[0].version, model.opset_import[0].domain = version, domain

    return change


def _without_weights(model: Any) -> None:
    del model.graph.initializer[0]


def _with_huge_weights(model: Any) -> None:
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].dims[0] = 1 << 40


def _with_an_unknown_operator(model: Any) -> None:
    model.graph.node[0].op_type = "Explode"


def _with_weights_of_another_file(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../../../etc/passwd"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_opset(99), r"needs the operators of ONNX's set 99, and \d+ is the newest"),
        (_opset(0), "names no set of ONNX's operators"),
        (_opset(17, "com.example"), "names no set of ONNX's operators"),
        (_without_weights, "isn't found"),
        (_with_huge_weights, "cannot be used"),
        (_with_an_unknown_operator, "Explode"),
        (_with_weights_of_another_file, "cannot be used"),
    ],
)
def test_a_hostile_network(change: Callable[[Any], None], said: str, make_model: Make, tmp_path: Path):
    path, manifest = make_model((SAMPLES,), input=WAVEFORM)
    model = network((SAMPLES,))
    change(model)
    path.write_bytes(model.SerializeToString())

    with pytest.raises(WeightsCorrupt, match=said) as caught:
        add_model(path, manifest, tmp_path / "weights")

    assert (caught.value.code, caught.value.exit_status) == ("model.weights_corrupt", 4)
    assert "\n" not in caught.value.message
    assert installed_names(tmp_path / "weights") == []


def test_weights_in_a_file_beside_are_not_left_behind(make_model: Make, tmp_path: Path):
    path, manifest = make_model((SAMPLES,), input=WAVEFORM)
    onnx.save(
        network((SAMPLES,)),
        str(path),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=100,
    )
    with pytest.raises(WeightsCorrupt, match=r"keeps its weights in other files .* onnx\.save"):
        add_model(path, manifest, tmp_path / "weights")


@pytest.mark.parametrize("first", ["all dynamic", "one example"])
def test_dynamic_and_fixed_axes(first: str, make_model: Make):
    path, manifest = make_model((SAMPLES,), input=WAVEFORM)
    model = network((SAMPLES,))
    for port in (model.graph.input[0], model.graph.output[0]):
        for axis in port.type.tensor_type.shape.dim[: None if first == "all dynamic" else 1]:
            axis.Clear()
            if first == "all dynamic":
                axis.dim_param = "any"
            else:
                axis.dim_value = 1
    onnx.save(model, str(path))
    encoder = ModelFile(path, read_manifest(manifest), precision="float32")
    samples = np.random.default_rng(0).standard_normal((3, SAMPLES)).astype(np.float32)

    found = encoder.embed_patches(samples)

    np.testing.assert_allclose(found, samples @ matrix(SAMPLES), rtol=1e-3, atol=1e-2)
