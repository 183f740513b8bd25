"""Networks run here, and nobody is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from soundalike.encoders import runtime
from soundalike.encoders.runtime import open_session
from soundalike.errors import ModelError, ParameterError, WeightsCorrupt
from tests.fixtures.models import matrix, network

PROGRAM = """
import socket, sys, time
from pathlib import Path
def refuse(*arguments):
    print("asked for", arguments)
    raise OSError
socket.getaddrinfo = socket.create_connection = refuse
import numpy
from soundalike.encoders.compiled import Keeping
from soundalike.encoders.runtime import open_session
keeping = Keeping(Path(sys.argv[2]), lambda: (numpy.ones((1, 4), "float32"),))
open_session(Path(sys.argv[1]), "given", "wanted", keeping=keeping)
time.sleep(0.5)
print(sorted(name for name in sys.modules if "telemetry" in name and name.startswith("openvino_")))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(network((4,)), str(path))
    return path


def test_nothing_is_reported_to_the_makers_of_the_runtime(model: Path, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, model, tmp_path / "compiled"],
        env={"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert any((tmp_path / "compiled").iterdir())
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_a_product(precision: str, model: Path, rng: np.random.Generator):
    session = open_session(model, "given", "wanted", precision=precision)
    given = rng.standard_normal((3, 4)).astype(np.float32)

    found = session(given)

    assert session.precision in ("float32", "bfloat16")
    assert precision != "float32" or session.precision == "float32"
    np.testing.assert_allclose(found, given @ matrix(4), atol=0.05 if precision != "float32" else 1e-5)
    # The next call leaves earlier results alone.
    session(np.zeros((3, 4), np.float32))
    np.testing.assert_allclose(found, given @ matrix(4), atol=0.05)


def test_without_a_runtime(model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelError, match="openvino or onnxruntime"):
        open_session(model, "given", "wanted")


def test_what_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ParameterError, match="choose one of auto, float32, bfloat16"):
        open_session(model, "given", "wanted", precision="int8")
    monkeypatch.setattr(runtime, "MOST_BYTES", 100)
    with pytest.raises(WeightsCorrupt, match="more than any network"):
        open_session(model, "given", "wanted")
