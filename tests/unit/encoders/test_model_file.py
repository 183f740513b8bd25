"""Encoders from ONNX files and their manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from soundalike.audio.spectrogram import Compression, LogMel
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import index_spec
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.encoders.manifest import (
    LevelFacts,
    LogMelInput,
    Manifest,
    WaveformInput,
    read_manifest,
    shipped_manifests,
)
from soundalike.encoders.model_file import ModelFile, fingerprint
from soundalike.errors import ParameterError, WeightsCorrupt
from soundalike.types import Window
from tests.fixtures.models import (
    DIMENSION,
    FACTS,
    FRAMES,
    LOG_MEL,
    MELS,
    SAMPLES,
    WAVEFORM,
    Make,
    matrix,
    network,
)

PLAN = WindowPlan(4.0, 2.0)


def load(paths: tuple[Path, Path], **options: Any) -> ModelFile:
    return ModelFile(paths[0], read_manifest(paths[1]), **options)


@pytest.fixture
def samples(rng: np.random.Generator) -> Any:
    return (0.1 * rng.standard_normal((3, SAMPLES))).astype(np.float32)


@pytest.mark.parametrize(
    ("axes", "shape", "turned"),
    [
        ("time_mel", (FRAMES, MELS), False),
        ("mel_time", (MELS, FRAMES), True),
        ("channel_time_mel", (1, FRAMES, MELS), False),
        ("channel_mel_time", (1, MELS, FRAMES), True),
    ],
)
def test_each_order_of_axes(axes: str, shape: Any, turned: bool, make_model: Make, samples: Any):
    encoder = load(make_model(shape, input={**LOG_MEL, "axes": axes}), precision="float32")
    examples = samples[:, : encoder.layout.n_samples]

    given = encoder.front_end(examples)

    assert given.shape == (3, *shape)
    facts = Manifest.model_validate(FACTS).input
    plain = facts.spectrogram()(examples)  # type: ignore[union-attr]
    expected = plain.swapaxes(1, 2) if turned else plain
    np.testing.assert_array_equal(given.reshape(expected.shape), expected)
    product = expected.reshape(3, -1) @ matrix(FRAMES * MELS)
    np.testing.assert_allclose(encoder.embed_patches(given), product, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("axes", "shape"), [("time", (SAMPLES,)), ("channel_time", (1, SAMPLES))])
def test_samples_as_they_are(axes: str, shape: Any, make_model: Make, samples: Any):
    facts = {**WAVEFORM, "axes": axes, "input_gain": 2.0}
    encoder = load(make_model(shape, input=facts), precision="float32")

    given = encoder.front_end(samples)

    np.testing.assert_allclose(given.reshape(3, -1), 2 * samples)
    assert encoder.embed_patches(given).shape == (3, DIMENSION)


def test_a_window_is_the_mean_of_its_examples_less_the_centre(make_model: Make, samples: Any):
    centre = [1.0, -2.0, 3.0, 0.0, 0.5, 1.5]
    encoder = load(make_model((SAMPLES,), input=WAVEFORM, centre=centre, hop_s=1.0), precision="float32")
    sound = np.tile(samples.ravel(), 2)[: 6 * SAMPLES]
    recording = CutRecording(sound, [Window(0, 0.0, 4.0), Window(1, 2.0, 6.0)])

    (found,) = embed_windows([recording], encoder, PLAN)

    examples = sound.reshape(6, SAMPLES) @ matrix(SAMPLES)
    for row, begin in zip(found, (0, 2), strict=True):
        expected = examples[begin : begin + 4].mean(axis=0) - centre
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-4)
    assert index_spec(encoder, PLAN).dimension == DIMENSION


LEVEL: dict[str, Any] = {"measure": "peak", "target_dbfs": 0.0, "max_gain_db": 40.0}


def embedded(paths: tuple[Path, Path], sound: Any) -> Any:
    recording = CutRecording(sound, [Window(0, 0.0, 4.0), Window(1, 2.0, 6.0)])
    return embed_windows([recording], load(paths, precision="float32"), PLAN)[0]


@pytest.mark.parametrize("measure", ["peak", "rms"])
def test_a_gain_changes_nothing(measure: str, make_model: Make, rng: np.random.Generator):
    paths = make_model(level={"measure": measure, "target_dbfs": -20.0})
    sound = (0.2 * rng.standard_normal(6 * SAMPLES)).astype(np.float32)
    for gain_db in (-6, -50):
        quieter = (sound * 10 ** (gain_db / 20)).astype(np.float32)
        np.testing.assert_allclose(embedded(paths, quieter), embedded(paths, sound), atol=1e-3)


def test_each_window_has_its_own_gain(make_model: Make, samples: Any):
    sound = np.tile(samples.ravel(), 2)[: 6 * SAMPLES]
    sound[5 * SAMPLES :] *= 7
    facts = {"input": {**WAVEFORM, "samples": 2 * SAMPLES}, "hop_s": 1.0}
    paths = make_model((2 * SAMPLES,), **facts, level=LEVEL, pooling="concatenate")
    found = embedded(paths, sound)
    for row, begin in zip(found, (0, 2), strict=True):
        window = sound[begin * SAMPLES :][: 4 * SAMPLES]
        window = window / np.abs(window).max()
        examples = [window[n * SAMPLES :][: 2 * SAMPLES] @ matrix(2 * SAMPLES) for n in range(3)]
        expected = np.concatenate(examples)
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "peak", "gain"),
    [
        ({}, 0.1, 10.0),
        ({}, 1e-4, 100.0),  # 40 dB and no more
        ({}, 0.0, 100.0),
        ({"target_dbfs": -20.0}, 1.0, 0.1),
        ({"target_dbfs": -20.0, "only_raise": True}, 1.0, 1.0),
        ({"target_dbfs": -20.0, "only_raise": True}, 0.01, 10.0),
        ({"measure": "rms"}, 0.1, 10.0),
    ],
)
def test_gain_of_a_window(change: dict[str, Any], peak: float, gain: float):
    facts = LevelFacts.model_validate({**LEVEL, **change})
    assert facts.gain(np.array([peak, -peak], np.float32)) == pytest.approx(gain, rel=1e-5)


def test_models_without_a_level_keep_their_identity():
    digest = "5e8eb500f7bcee9c291db2113926a56dd3d66d723cb240562307dbfefbb95ad2"
    assert Manifest.model_validate(FACTS).digest() == digest
    assert Manifest.model_validate({**FACTS, "level": LEVEL}).digest() != digest


def test_the_level_is_told(make_model: Make):
    assert load(make_model((SAMPLES,), input=WAVEFORM)).level == "as recorded"
    told = load(make_model((SAMPLES,), input=WAVEFORM, level=LEVEL)).level
    assert told == "each window brought to 0 dBFS (peak), by at most 40 dB"


def test_concatenated_examples(make_model: Make):
    encoder = load(make_model((SAMPLES,), input=WAVEFORM, pooling="concatenate", hop_s=1.0))
    assert index_spec(encoder, PLAN).dimension == 4 * DIMENSION


def test_each_fact_that_decides_on_vectors_is_part_of_the_identity(make_model: Make):
    path, manifest = make_model()
    first = fingerprint(path, read_manifest(manifest))
    changes: list[dict[str, Any]] = [
        {"input": {**LOG_MEL, "periodic": False}},
        {"hop_s": 0.25},
        {"pooling": "concatenate"},
        {"centre": [0.0] * DIMENSION},
    ]
    for change in changes:
        assert fingerprint(path, Manifest.model_validate({**FACTS, **change})) != first, change
    assert fingerprint(path, Manifest.model_validate({**FACTS, "title": "Another title"})) == first
    path.write_bytes(path.read_bytes() + b"\n")
    assert fingerprint(path, read_manifest(manifest)) != first


def test_another_distance_of_examples_is_another_index(make_model: Make):
    encoder = load(make_model((SAMPLES,), input=WAVEFORM, hop_s=0.5))
    prints = {hop: index_spec(encoder, PLAN, hop).fingerprint for hop in (None, 0.5, 1.0)}
    assert prints[None] == prints[0.5] == encoder.fingerprint
    assert prints[1.0] == f"{encoder.fingerprint}+hop1"


def test_windows_shorter_than_an_example_are_refused(make_model: Make):
    encoder = load(make_model((SAMPLES,), input=WAVEFORM))
    with pytest.raises(ParameterError, match=r"window_size is 0\.98 s; .* at least 1\.0 s"):
        index_spec(encoder, WindowPlan(0.98, 1.0))


def test_a_file_that_is_none(make_model: Make):
    path, manifest = make_model()
    facts = read_manifest(manifest)
    for content in (b"", b"no model", b"\x80\x04\x95pickle", b"\0" * (1 << 20), path.read_bytes()[:-40]):
        path.write_bytes(content)
        with pytest.raises(WeightsCorrupt, match=r"tiny\.onnx"):
            ModelFile(path, facts)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input": {**LOG_MEL, "tensor": "x"}}, "has no input 'x'; it has: given"),
        ({"output": {"tensor": "y", "dimension": 6}}, "has no output 'y'; it has: wanted"),
        ({"output": {"tensor": "wanted", "dimension": 7}}, r"gives \(2, 6\) .* says \(2, 7\)"),
        ({"input": {**LOG_MEL, "frames": 21}}, "cannot be used as an ONNX network"),
    ],
)
def test_a_manifest_of_another_file(change: dict[str, Any], said: str, make_model: Make):
    with pytest.raises(WeightsCorrupt, match=said):
        load(make_model(**change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hop": 1}, "hop: Extra inputs"),
        ({"hop_s": 0}, "hop_s: Input should be greater than 0"),
        ({"name": "A b"}, "name: String should match"),
        ({"input": {**LOG_MEL, "scale": "bark"}}, "scale: Input should be 'htk' or 'slaney'"),
        ({"input": {**LOG_MEL, "max_hz": 9000}}, "half the sample rate"),
        ({"input": {"kind": "picture"}}, "input"),
        ({"centre": [1.0]}, "centre has 1 numbers and the output 6"),
    ],
)
def test_a_wrong_fact_is_named(change: dict[str, Any], said: str, make_model: Make):
    _, manifest = make_model(**change)
    with pytest.raises(ParameterError, match=said):
        read_manifest(manifest)


@pytest.mark.parametrize(
    ("place", "least", "most", "step"),
    [
        ("input.sample_rate_hz", 1000, 384_000, 1),
        ("input.frame_length", 1, None, 1),
        ("input.fft_length", 1, None, 1),
        ("input.hop_length", 1, None, 1),
        ("input.n_mels", 1, None, 1),
        ("input.frames", 1, None, 1),
        ("input.min_hz", 0.0, None, 0.1),
        ("input.pre_emphasis", 0.0, 0.99, 0.01),
        ("input.max_hz", 0.1, None, 0.1),
        ("input.deviation", 0.1, None, 0.1),
        ("input.compression.gain", 0.1, None, 0.1),
        ("input.compression.offset", 0.0, None, 0.1),
        ("input.compression.floor", 0.0, None, 0.1),
        ("input.compression.reference", 0.1, None, 0.1),
        ("input.compression.top_db", 0.1, None, 0.1),
        ("source.size_bytes", 1, None, 1),
        ("output.dimension", 1, 16_000, 1),
        ("hop_s", 0.1, None, 0.1),
    ],
)
def test_limits_of_facts(place: str, least: float, most: float | None, step: float):
    def changed(value: float) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(json.dumps(FACTS))
        *folders, name = place.split(".")
        inner = facts
        for folder in folders:
            inner = inner[folder]
        inner[name] = value
        return facts

    taken = [least] if most is None else [least, most]
    for value in taken:
        Manifest.model_validate(changed(value))
    for value in [round(least - step, 2), *([] if most is None else [round(most + step, 2)])]:
        with pytest.raises(ValidationError, match=place.rpartition(".")[2]):
            Manifest.model_validate(changed(value))


def test_facts_that_are_left_out_change_nothing():
    left_out = {name: value for name, value in LOG_MEL.items() if name != "compression"}
    compression = {"kind": "ln"}
    found = Manifest.model_validate({**FACTS, "input": {**left_out, "compression": compression}})
    assert isinstance(found.input, LogMelInput)
    given = {key: value for key, value in left_out.items() if key in LogMel.__dataclass_fields__}
    assert found.input.spectrogram() == LogMel(**given, compression=Compression("ln"))
    assert (found.centre, found.checks, found.source.size_bytes) == (None, [], None)
    waveform = Manifest.model_validate({**FACTS, "input": WAVEFORM}).input
    assert isinstance(waveform, WaveformInput)
    assert (waveform.input_gain, waveform.axes) == (1.0, "time")
    with pytest.raises(ValidationError, match="frozen"):
        found.title = "Another title"  # type: ignore[misc]


def test_a_missing_fact_is_named(make_model: Make):
    _, manifest = make_model()
    for fact in FACTS:
        manifest.write_text(yaml.safe_dump({key: value for key, value in FACTS.items() if key != fact}))
        with pytest.raises(ParameterError, match=f"{fact}: Field required"):
            read_manifest(manifest)


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "!!python/object/apply:os.system [true]"])
def test_what_is_no_manifest(text: str, tmp_path: Path):
    path = tmp_path / "m.yml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=r"m\.yml"):
        read_manifest(path)


def test_the_shipped_manifests():
    found = shipped_manifests()
    assert {"aisfx", "resemblyzer"} <= found.keys()
    for manifest in found.values():
        assert manifest.layout.n_samples > 0
        # As a file beside a downloaded model.
        again = Manifest.model_validate(json.loads(manifest.model_dump_json(exclude_defaults=True)))
        assert again == manifest


def save(model: Any, path: Path) -> None:
    import onnx

    onnx.save(model, str(path))


def add_output(model: Any, name: str, shape: tuple[Any, ...], node: Any) -> Any:
    """Give a network a second output."""
    from onnx import TensorProto, helper

    model.graph.node.append(node)
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
    return model


def test_one_of_several_outputs(make_model: Make, samples: Any):
    from onnx import helper

    path, manifest = make_model((SAMPLES,), input=WAVEFORM)
    two = add_output(
        network((SAMPLES,)),
        "classes",
        ("n", DIMENSION),
        helper.make_node("Neg", ["wanted"], ["classes"]),
    )
    save(two, path)
    first = ModelFile(path, read_manifest(manifest), precision="float32").embed_patches(samples)
    np.testing.assert_allclose(first, samples @ matrix(SAMPLES), rtol=1e-3, atol=1e-3)
    _, manifest = make_model(
        (SAMPLES,), "other", input=WAVEFORM, output={"tensor": "classes", "dimension": DIMENSION}
    )
    second = ModelFile(path, read_manifest(manifest), precision="float32").embed_patches(samples)
    np.testing.assert_array_equal(second, -first)
    _, manifest = make_model((SAMPLES,), "none", input=WAVEFORM, output={"dimension": DIMENSION})
    with pytest.raises(
        WeightsCorrupt, match="several of the outputs, so name one; it has: classes, wanted"
    ):
        ModelFile(path, read_manifest(manifest))


def test_the_only_input_and_output_need_no_names(make_model: Make, samples: Any):
    facts = {key: value for key, value in WAVEFORM.items() if key != "tensor"}
    encoder = load(
        make_model((SAMPLES,), input=facts, output={"dimension": DIMENSION}), precision="float32"
    )
    np.testing.assert_allclose(
        encoder.embed_patches(samples), samples @ matrix(SAMPLES), rtol=1e-3, atol=1e-3
    )


def test_a_second_input_is_not_left_empty(make_model: Make):
    from onnx import TensorProto, helper

    path, manifest = make_model((SAMPLES,), input=WAVEFORM)
    model = network((SAMPLES,))
    model.graph.node[1].output[0] = "product"
    model.graph.node.append(helper.make_node("Mul", ["product", "factor"], ["wanted"]))
    model.graph.input.append(helper.make_tensor_value_info("factor", TensorProto.FLOAT, ["n", 1]))
    save(model, path)
    with pytest.raises(WeightsCorrupt, match="has more inputs than the manifest says: factor"):
        ModelFile(path, read_manifest(manifest))


@pytest.mark.parametrize("frames", ["mean", "max"])
def test_a_network_that_gives_a_vector_for_each_frame(frames: str, make_model: Make, samples: Any):
    output = {"tensor": "wanted", "dimension": DIMENSION, "frames": frames}
    path, manifest = make_model((SAMPLES,), input=WAVEFORM, output=output)
    save(framed(["n", SAMPLES], [0, 4, SAMPLES // 4]), path)

    found = ModelFile(path, read_manifest(manifest), precision="float32").embed_patches(samples)

    each = samples.reshape(3, 4, SAMPLES // 4) @ matrix(SAMPLES // 4)
    expected = each.mean(axis=1) if frames == "mean" else each.max(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    _, manifest = make_model((SAMPLES,), "none", input=WAVEFORM)
    with pytest.raises(WeightsCorrupt, match=r"gives \(2, 4, 6\) for 2 examples"):
        ModelFile(path, read_manifest(manifest))


@pytest.mark.parametrize("frames", ["none", "mean"])
def test_a_network_that_takes_one_example_at_a_time(frames: str, make_model: Make, samples: Any):
    """As those of TensorFlow Hub: samples in, a vector for each frame out, and no axis of examples."""
    facts = {**WAVEFORM, "axes": "samples"}
    output = {"tensor": "wanted", "dimension": DIMENSION, "frames": frames}
    n_frames = 1 if frames == "none" else 4
    path, manifest = make_model((SAMPLES,), input=facts, output=output)
    save(framed([SAMPLES], [n_frames, SAMPLES // n_frames]), path)
    encoder = ModelFile(path, read_manifest(manifest), precision="float32")

    found = encoder.embed_patches(encoder.front_end(samples))

    each = samples.reshape(3, n_frames, SAMPLES // n_frames) @ matrix(SAMPLES // n_frames)
    np.testing.assert_allclose(found, each.mean(axis=1), rtol=1e-3, atol=1e-3)
    assert encoder.embed_patches(samples[:0]).shape == (0, DIMENSION)


def framed(given: list[Any], shape: list[int]) -> Any:
    """Return a network that multiplies each frame of an example with a matrix."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Reshape", ["given", "shape"], ["frames"]),
        helper.make_node("MatMul", ["frames", "matrix"], ["wanted"]),
    ]
    constants = [
        numpy_helper.from_array(matrix(shape[-1]), "matrix"),
        numpy_helper.from_array(np.array(shape, np.int64), "shape"),
    ]
    graph = helper.make_graph(
        nodes,
        "framed",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("wanted", TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_standardised_and_centred_bands(make_model: Make, samples: Any):
    """Of each band its mean over the example first, then constants of the training data."""
    mean, deviation = [float(n) for n in range(MELS)], [1.0 + n for n in range(MELS)]
    facts = {**LOG_MEL, "centre_bands": True, "mean": mean, "deviation": deviation}
    encoder = load(make_model(input=facts), precision="float32")
    plain = load(make_model(name="plain"), precision="float32")
    examples = samples[:, : encoder.layout.n_samples]

    found = encoder.front_end(examples)

    log_mel = plain.front_end(examples)
    expected = (log_mel - log_mel.mean(axis=1, keepdims=True) - np.array(mean)) / np.array(deviation)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    for wrong in ({"mean": [1.0, 2.0]}, {"deviation": [1.0] * 7}, {"deviation": [1.0] * 7 + [0.0]}):
        with pytest.raises(ParameterError, match=r"m\.yml|plain\.yml|tiny\.yml|numbers|above 0"):
            read_manifest(make_model(input={**LOG_MEL, **wrong})[1])


def test_later_facts_leave_the_identity_of_earlier_models_alone():
    # Digests of the release before `output.frames`; indexes were made with them.
    found = shipped_manifests()
    # Its level came later, on purpose, and is part of the identity.
    as_recorded = found["aisfx"].model_copy(update={"level": None})
    assert as_recorded.digest().startswith("b76ecb91")
    assert found["aisfx"].digest() != as_recorded.digest()
    assert found["resemblyzer"].digest().startswith("097ce4e7")
    changed = found["resemblyzer"].model_dump()
    changed["output"]["frames"] = "mean"
    assert Manifest.model_validate(changed).digest() != found["resemblyzer"].digest()
