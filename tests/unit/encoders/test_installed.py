"""Model files are added, fetched as wheels, and removed."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.encoders import installed
from soundalike.encoders.catalogue import facts_of
from soundalike.encoders.choice import chosen, chosen_name, load_encoder
from soundalike.encoders.installed import (
    add_model,
    download_model,
    find_model,
    installed_names,
    remove_model,
)
from soundalike.encoders.manifest import read_manifest, shipped_manifests
from soundalike.encoders.model_checks import check_model, example_vector
from soundalike.encoders.model_file import ModelFile
from soundalike.encoders.rates import decoding_rate_hz
from soundalike.encoders.recipes import aisfx, resemblyzer
from soundalike.errors import DownloadFailed, ParameterError, WeightsCorrupt, WeightsMissing
from tests.fixtures.models import Make


@pytest.fixture
def speaker_tensors(rng: np.random.Generator) -> dict[str, Any]:
    """Make up the tensors of the smaller of the two networks."""
    shapes = {"linear.weight": (256, 256), "linear.bias": (256,)}
    for layer, width in enumerate((40, 256, 256)):
        shapes[f"lstm.weight_ih_l{layer}"] = (1024, width)
        shapes[f"lstm.weight_hh_l{layer}"] = (1024, 256)
        shapes[f"lstm.bias_ih_l{layer}"] = shapes[f"lstm.bias_hh_l{layer}"] = (1024,)
    return {
        f"model_state.{name}": (rng.standard_normal(shape) / 12).astype(np.float32)
        for name, shape in shapes.items()
    }


@pytest.fixture
def index(tmp_path: Path, speaker_tensors: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a wheel of a made-up checkpoint, and let pip find that and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    manifest = shipped_manifests()["resemblyzer"]
    package = manifest.source.package
    assert package is not None
    wheel = folder / f"{package.name}-{package.version}-py3-none-any.whl"
    info = f"{package.name}-{package.version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(package.member, b"a checkpoint")
        file.writestr(package.licence_member, "Apache License")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package.name}\nVersion: 0.1.4\n"
        )
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    changed = package.model_copy(update={"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()})
    source = manifest.source.model_copy(update={"package": changed})
    own = manifest.model_copy(update={"source": source})
    monkeypatch.setattr(installed, "shipped_manifests", lambda: {"resemblyzer": own})
    monkeypatch.setattr("soundalike.encoders.torch_file.read_tensors", lambda _: speaker_tensors)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_model_from_a_wheel(index: Path, tmp_path: Path):
    weights = tmp_path / "weights"

    found = download_model("resemblyzer", weights)

    assert sorted(path.name for path in found.path.parent.iterdir()) == [
        *("LICENCE.txt", "manifest.yml", "model.onnx")
    ]
    assert (found.path.parent / "LICENCE.txt").read_text() == "Apache License"
    assert [path.name for path in weights.iterdir()] == installed_names(weights) == ["resemblyzer"]
    encoder = load_encoder("resemblyzer", weights)
    assert isinstance(encoder, ModelFile)
    assert chosen("resemblyzer", weights) == (encoder.name, encoder.fingerprint)
    # Once more, over what is there.
    assert download_model("resemblyzer", weights) == found
    remove_model("resemblyzer", weights)
    assert list(weights.iterdir()) == []


def test_a_wheel_that_is_not_there(index: Path, tmp_path: Path):
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(DownloadFailed, match=r"pip cannot fetch Resemblyzer 0\.1\.4"):
        download_model("resemblyzer", tmp_path / "weights")
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_wheel_with_another_content(index: Path, tmp_path: Path):
    (wheel,) = index.iterdir()
    with zipfile.ZipFile(wheel, "a") as file:
        file.writestr("more.txt", "more")
    with pytest.raises(DownloadFailed, match=r"(?i)hash"):
        download_model("resemblyzer", tmp_path / "weights")


def test_what_cannot_be_downloaded(tmp_path: Path):
    with pytest.raises(ParameterError, match="'vggish' cannot be downloaded; choose one of"):
        download_model("vggish", tmp_path)


def test_a_model_of_ones_own(make_model: Make, tmp_path: Path):
    weights = tmp_path / "weights"
    path, manifest = make_model()

    add_model(path, manifest, weights)

    assert load_encoder("tiny", weights).name == chosen_name("tiny", weights) == "tiny"
    assert load_encoder("logmel-modulation+tiny", weights).name == "logmel-modulation+tiny"
    both = load_encoder("logmel-modulation:1+tiny:3", weights)
    assert chosen("logmel-modulation:2+tiny:6", weights) == (both.name, both.fingerprint)
    assert chosen_name("logmel-modulation:2+tiny:6", weights) == both.name
    assert load_encoder(both.name, weights).fingerprint == both.fingerprint
    with pytest.raises(ParameterError, match="is here already"):
        add_model(path, manifest, weights)
    (weights / "tiny" / "manifest.yml").write_text(manifest.read_text().replace("tiny", "other"))
    with pytest.raises(ParameterError, match="is the manifest of 'other'"):
        find_model("tiny", weights)


@pytest.mark.parametrize("name", ["vggish", "auto", "aisfx", "logmel-modulation"])
def test_a_name_that_is_taken(name: str, make_model: Make, tmp_path: Path):
    with pytest.raises(ParameterError, match="is taken"):
        add_model(*make_model(name=name), tmp_path / "weights")


def test_a_broken_model_is_not_added(make_model: Make, tmp_path: Path):
    path, manifest = make_model()
    path.write_bytes(b"broken")
    with pytest.raises(WeightsCorrupt):
        add_model(path, manifest, tmp_path / "weights")
    assert installed_names(tmp_path / "weights") == []


def test_a_fetched_model_has_the_facts_of_this_version(tmp_path: Path):
    shipped = shipped_manifests()["aisfx"]
    assert shipped.level is not None
    place = tmp_path / "aisfx"
    place.mkdir()
    (place / "model.onnx").write_bytes(b"as fetched")
    earlier = shipped.model_copy(update={"level": None})
    (place / "manifest.yml").write_text(earlier.model_dump_json(exclude_defaults=True), encoding="utf-8")
    assert find_model("aisfx", tmp_path).manifest == shipped
    other = earlier.model_copy(
        update={"source": shipped.source.model_copy(update={"page": "elsewhere"})}
    )
    (place / "manifest.yml").write_text(other.model_dump_json(exclude_defaults=True), encoding="utf-8")
    assert find_model("aisfx", tmp_path).manifest == other


def test_rates(make_model: Make, tmp_path: Path):
    add_model(*make_model(), tmp_path)
    rates = {
        model: decoding_rate_hz(model, tmp_path)
        for model in ("auto", "vggish", "aisfx", "tiny", "logmel-modulation:2+aisfx", "auto+tiny")
    }
    assert rates == {
        **{"auto": 16_000, "vggish": 16_000, "aisfx": 44_100, "tiny": 16_000},
        **{"logmel-modulation:2+aisfx": 44_100, "auto+tiny": 16_000},
    }
    with pytest.raises(WeightsMissing, match="manifest of the model 'panns'"):
        decoding_rate_hz("panns", tmp_path)
    # An installed model of a name that comes with a later version keeps its own facts.
    (tmp_path / "tiny").rename(tmp_path / "panns-cnn14")
    text = (tmp_path / "panns-cnn14" / "manifest.yml").read_text().replace("tiny", "panns-cnn14")
    assert decoding_rate_hz("panns-cnn14", tmp_path / "nowhere") == 32_000
    (tmp_path / "panns-cnn14" / "manifest.yml").write_text(text)
    assert decoding_rate_hz("panns-cnn14", tmp_path) == 16_000
    assert facts_of("panns-cnn14", tmp_path).title == "A matrix"
    assert facts_of("panns-cnn14", tmp_path / "nowhere").title.startswith("PANNs")


def test_the_speaker_network_is_a_recurrent_one(
    speaker_tensors: dict[str, Any], tmp_path: Path, rng: np.random.Generator
):
    import onnx

    onnx.save(resemblyzer.build(speaker_tensors), str(tmp_path / "model.onnx"))
    encoder = ModelFile(tmp_path / "model.onnx", shipped_manifests()["resemblyzer"], precision="float32")
    mel = rng.random((2, 160, 40), dtype=np.float32)

    found = encoder.embed_patches(mel)

    np.testing.assert_allclose(found, _recurrent(mel, speaker_tensors), atol=1e-5)


def _recurrent(mel: Any, tensors: dict[str, Any]) -> Any:
    """Return what PyTorch's documentation says of LSTM, step by step."""

    def of(name: str) -> Any:
        return tensors[f"model_state.{name}"].astype(np.float64)

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    flow = mel.astype(np.float64)
    for layer in range(3):
        hidden = cell = np.zeros((len(mel), 256))
        states = []
        for step in range(160):
            gates = flow[:, step] @ of(f"lstm.weight_ih_l{layer}").T + of(f"lstm.bias_ih_l{layer}")
            gates += hidden @ of(f"lstm.weight_hh_l{layer}").T + of(f"lstm.bias_hh_l{layer}")
            enter, forget, new, out = np.split(gates, 4, axis=1)
            cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
            hidden = sigmoid(out) * np.tanh(cell)
            states.append(hidden)
        flow = np.stack(states, axis=1)
    raw = np.maximum(hidden @ of("linear.weight").T + of("linear.bias"), 0)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def test_the_network_of_sound_effects_is_a_convolutional_one(tmp_path: Path, rng: np.random.Generator):
    import onnx

    tensors = {}
    for block, (before, after) in enumerate([(1, 64), (64, 128), (128, 256), (256, 512)], 1):
        stem = f"0.embedding_net.conv_block{block}."
        for layer, width in ((1, before), (2, after)):
            kernel = rng.standard_normal((after, width, 3, 3)) * np.sqrt(2 / (9 * width))
            tensors[f"{stem}conv{layer}.weight"] = kernel.astype(np.float32)
            for part in ("weight", "bias", "running_mean", "running_var"):
                low = 0.5 if part in ("weight", "running_var") else -0.2
                tensors[f"{stem}bn{layer}.{part}"] = rng.uniform(low, low + 1, after).astype(np.float32)
    onnx.save(aisfx.build(tensors), str(tmp_path / "model.onnx"))
    encoder = ModelFile(tmp_path / "model.onnx", shipped_manifests()["aisfx"], precision="float32")
    mel = rng.random((1, 100, 96), dtype=np.float32)

    found = encoder.embed_patches(mel)

    expected = _convolutional(mel, tensors)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * float(np.abs(expected).max()))
    del tensors["0.embedding_net.conv_block3.bn2.bias"]
    with pytest.raises(WeightsCorrupt, match=r"no tensor '0\.embedding_net\.conv_block3\.bn2\.bias'"):
        aisfx.build(tensors)


def _convolutional(mel: Any, tensors: dict[str, Any]) -> Any:
    """Return the network's output, convolution and normalisation one after the other."""
    flow = mel[0][np.newaxis].astype(np.float64)
    for block in range(1, 5):
        stem = f"0.embedding_net.conv_block{block}."
        for layer in (1, 2):
            padded = np.pad(flow, ((0, 0), (1, 1), (1, 1)))
            around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
            flow = np.einsum(
                "oiyx,ihwyx->ohw", tensors[f"{stem}conv{layer}.weight"], around, optimize=True
            )
            scale, shift, mean, variance = (
                tensors[f"{stem}bn{layer}.{part}"][:, None, None].astype(np.float64)
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            flow = np.maximum((flow - mean) / np.sqrt(variance + 1e-5) * scale + shift, 0)
        if block < 4:
            channels, height, width = flow.shape
            flow = flow[:, : height // 2 * 2, : width // 2 * 2]
            flow = flow.reshape(channels, height // 2, 2, width // 2, 2).max(axis=(2, 4))
    return flow.mean(axis=2).max(axis=1)[np.newaxis]


def test_a_model_is_held_to_its_manifests_numbers(make_model: Make, tmp_path: Path):
    path, manifest = make_model()
    facts = read_manifest(manifest)
    vector = example_vector(ModelFile(path, facts, precision="float32"), "noise")
    check = {
        "signal": "noise",
        "first": [float(x) for x in vector[:3]],
        "mean": float(vector.mean()),
        "deviation": float(vector.std()),
    }
    wrong = {**check, "first": [float(vector[0]) + 0.2 * float(vector.std())]}
    for checks, ok in (([check], [True] * 5), ([wrong], [False, True, True]), ([], [])):
        add_model(*make_model(checks=checks), tmp_path)
        found = check_model(find_model("tiny", tmp_path))
        assert [one.ok for one in found] == ok
        remove_model("tiny", tmp_path)
