"""``soundalike models`` for model files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from soundalike.cli import model_files, models
from soundalike.cli.main import main
from tests.fixtures.models import FACTS, Make, network

Capture = pytest.CaptureFixture[str]
NEEDING_FILES = (
    *("birdnet-2.4", "clap-htsat-unfused", "panns-cnn14"),
    *("perch-v2", "wespeaker-resnet34", "yamnet"),
)


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
        **dict.fromkeys(NEEDING_FILES, "file needed"),
        "tiny": "installed",
    }
    assert main(["models", "show", "tiny", "--json"]) == 0
    (shown,) = rows(capsys)
    assert (shown["title"], shown["example_s"], shown["status"]) == (
        "A matrix of mine",
        0.215,
        "unverified",
    )
    assert shown["level"] == "as recorded"
    assert main(["models", "show", "logmel-modulation", "aisfx", "--json"]) == 0
    assert [row["level"] for row in rows(capsys)] == [
        "relative to the loudest frame of each second",
        "each window brought to -12 dBFS (peak), by at most 60 dB",
    ]
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
        (["show", "panns-cnn14", "--text", "t.onnx"], "--text belongs to add; the action is show"),
        (["list", "--tokenizer", "t.json"], "--tokenizer belongs to add"),
        (["add", "no.onnx", "--manifest", "panns-cnn14"], "no.onnx is not a file"),
        (["show", "panns"], "the model 'panns' is not in"),
        (["verify", "aisfx"], "the model 'aisfx' is not in"),
    ],
)
def test_wrong_usage_gets_a_line(argv: list[str], said: str, weights: Path, capsys: Capture):
    assert main(["models", *argv]) in (2, 4)
    err = capsys.readouterr().err
    assert said in err.splitlines()[-1]


def test_a_known_model_says_where_its_file_comes_from(weights: Path, capsys: Capture):
    for name in NEEDING_FILES:
        assert main(["models", "show", name, "--json"]) == 0
        (shown,) = rows(capsys)
        assert shown["source"]["how"]
        assert (shown["status"], shown["state"]) == ("unverified", "file needed")
    assert main(["models", "show", "clap-htsat-unfused"]) == 0
    out, err = capsys.readouterr()
    assert "page: https://huggingface.co/laion/clap-htsat-unfused" in out
    assert "--manifest clap-htsat-unfused --text TEXT.onnx --tokenizer tokenizer.json" in err
    assert "not checked against its weights" in err


def test_the_file_of_a_known_model_is_added_by_its_name(
    weights: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    # A folder of that name is no manifest.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yamnet").mkdir()
    onnx.save(network((96, 64), dimension=1024), "any.onnx")
    assert main(["models", "add", "any.onnx", "--manifest", "yamnet"]) == 0
    assert "use it with --model yamnet" in capsys.readouterr().err
    # Its sources are beside the facts.
    assert "params.py" in (weights / "yamnet" / "manifest.yml").read_text()
    assert main(["models", "list", "--json"]) == 0
    (found,) = [row for row in rows(capsys) if row["name"] == "yamnet"]
    assert (found["state"], found["status"], found["takes_text"]) == ("installed", "unverified", False)
    assert main(["models", "add", "any.onnx", "--manifest", "panns-cnn14"]) == 4
    assert "any.onnx" in capsys.readouterr().err


def test_the_schema_of_manifests(weights: Path, capsys: Capture):
    assert main(["models", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(FACTS) <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("typed", "named"),
    [("\n", []), ("aisfx\n", ["aisfx"]), ("vggish resemblyzer\n", ["vggish", "resemblyzer"])],
)
def test_a_terminal_is_asked_what_to_download(
    typed: str, named: list[str], weights: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    fetched: list[str] = []
    monkeypatch.setattr(models, "_is_asked", lambda: True)
    monkeypatch.setattr(models, "_download_all", lambda source, settings: fetched.append("vggish"))
    monkeypatch.setattr(model_files, "_download", lambda name, folder: fetched.append(name) or 0)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    main(["models", "download"])

    assert fetched == (named or ["vggish"])
    err = capsys.readouterr().err
    assert "voices of speakers" in err
    assert "panns" not in err
    # Who names a source is not asked.
    fetched.clear()
    main(["models", "download", "--from", "/nowhere"])
    assert fetched == ["vggish"]


def test_a_table(weights: Path, capsys: Capture):
    assert main(["models", "list"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["model", "good", "for", "licence"]
    assert "soundalike models download aisfx" in err
