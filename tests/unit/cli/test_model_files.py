"""``soundalike models`` for model files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from soundalike.cli.main import main
from tests.fixtures.models import Make

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def weights(clean_environ: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of the weights, which is empty."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("SOUNDALIKE_WEIGHTS_DIR", str(folder))
    return folder


def rows(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_model_of_ones_own_from_adding_to_removing(
    weights: Path, make_model: Make, capsys: Capture, toy_data: Path
):
    path, manifest = make_model(title="A matrix of mine")

    assert main(["models", "add", str(path), "--manifest", str(manifest)]) == 0
    assert "use it with --model tiny" in capsys.readouterr().err
    assert main(["models", "list", "--json"]) == 0
    states = {row["name"]: row["state"] for row in rows(capsys)}
    assert states == {
        "vggish": "not here",
        "logmel-modulation": "built in",
        "aisfx": "not here",
        "resemblyzer": "not here",
        "tiny": "installed",
    }
    assert main(["models", "show", "tiny", "--json"]) == 0
    (shown,) = rows(capsys)
    assert (shown["title"], shown["example_s"], shown["status"]) == (
        "A matrix of mine",
        0.215,
        "unverified",
    )
    sound = str(toy_data / "siren" / "siren_1.mp3")
    assert main(["embed", sound, "--model", "logmel-modulation+tiny", "--format", "json"]) == 0
    assert {len(row["embedding"]) for row in rows(capsys)} == {512 + 6}
    assert main(["models", "remove", "tiny"]) == 0
    capsys.readouterr()
    assert main(["embed", sound, "--model", "tiny"]) == 2
    assert "--model is 'tiny'; choose one of auto, vggish" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["add", "m.onnx"], "give one model file and its facts"),
        (["add", "--manifest", "m.yml"], "give one model file and its facts"),
        (["list", "--manifest", "m.yml"], "--manifest belongs to add"),
        (["add", "m.onnx", "--manifest", "m.yml"], "m.onnx is not a file"),
        (["remove"], "name a model"),
        (["download", "panns"], "'panns' cannot be downloaded; choose one of aisfx, resemblyzer"),
        (["show", "panns"], "the model 'panns' is not in"),
        (["verify", "aisfx"], "the model 'aisfx' is not in"),
    ],
)
def test_wrong_usage_gets_a_line(argv: list[str], said: str, weights: Path, capsys: Capture):
    assert main(["models", *argv]) in (2, 4)
    err = capsys.readouterr().err
    assert said in err.splitlines()[-1]


def test_a_table(weights: Path, capsys: Capture):
    assert main(["models", "list"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["model", "good", "for", "licence"]
    assert "soundalike models download aisfx" in err
