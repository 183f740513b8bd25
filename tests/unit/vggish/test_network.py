"""The VGGish network against an independent forward pass, and checkpoints that are none of its own.

TensorFlow is loaded once, with a checkpoint of made-up weights in the published format.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.encoders import runtime
from soundalike.encoders.vggish import conversion
from soundalike.encoders.vggish.conversion import file_sha256
from soundalike.encoders.vggish.layout import variable_shapes
from soundalike.encoders.vggish.network import VGGishNetwork
from soundalike.encoders.vggish.reference import check_checkpoint
from soundalike.errors import ParameterError, WeightsCorrupt
from soundalike.types import FloatArray

Forward = Callable[[FloatArray], FloatArray]


def test_sha256_of_a_file_and_of_a_checkpoint_prefix(tmp_path: Path):
    (tmp_path / "a.ckpt").write_bytes(b"one")
    assert file_sha256(tmp_path / "a.ckpt") == hashlib.sha256(b"one").hexdigest()
    (tmp_path / "b.index").write_bytes(b"two")
    (tmp_path / "b.data-00000-of-00001").write_bytes(b"one")
    assert file_sha256(tmp_path / "b") == hashlib.sha256(b"onetwo").hexdigest()


@pytest.fixture(scope="module")
def network(v1_checkpoint: Path) -> VGGishNetwork:
    """Load the reference: the tf-slim graph."""
    return VGGishNetwork(v1_checkpoint, precision="float32")


@pytest.fixture(scope="module")
def fast_network(v1_checkpoint: Path) -> VGGishNetwork:
    """Load the network in bfloat16; processors without such instructions compute the same, slowly."""
    return VGGishNetwork(v1_checkpoint, precision="bfloat16")


@pytest.fixture
def patches(rng: np.random.Generator) -> FloatArray:
    """Two patches in the range of log-mel values."""
    return rng.uniform(-4.6, 3.0, (2, 96, 64)).astype(np.float32)


@pytest.mark.model
def test_equals_an_independent_forward_pass(
    network: VGGishNetwork, patches: FloatArray, forward: Forward
):
    embeddings = network.embed_patches(patches)
    assert embeddings.shape == (2, 128)
    assert embeddings.dtype == np.float32
    expected = forward(patches)
    np.testing.assert_allclose(embeddings, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.model
def test_bfloat16_points_the_same_way(
    fast_network: VGGishNetwork, patches: FloatArray, forward: Forward
):
    embeddings = fast_network.embed_patches(patches)
    assert embeddings.shape == (2, 128)
    assert embeddings.dtype == np.float32
    expected = forward(patches)
    lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((embeddings * expected).sum(axis=1) / lengths).min() > 0.999


@pytest.mark.model
@pytest.mark.parametrize("precision", ["network", "fast_network"])
class TestBothPrecisions:
    """What holds in float32 and in bfloat16."""

    @pytest.fixture
    def either(self, precision: str, request: pytest.FixtureRequest) -> VGGishNetwork:
        """Return one of the two networks."""
        loaded: VGGishNetwork = request.getfixturevalue(precision)
        return loaded

    def test_there_is_no_activation_at_the_end(self, either: VGGishNetwork, patches: FloatArray):
        """A ReLU would leave no negative number, and a cosine between 0 and 1."""
        embeddings = either.embed_patches(patches)
        assert (embeddings < 0).any(axis=1).all()
        assert (embeddings > 0).any(axis=1).all()

    def test_a_patch_is_embedded_alike_in_any_batch(
        self, either: VGGishNetwork, rng: np.random.Generator
    ):
        """Nothing flows between the patches of a batch."""
        patches = rng.uniform(-4.6, 3.0, (5, 96, 64)).astype(np.float32)
        together = either.embed_patches(patches)
        alone = np.concatenate([either.embed_patches(patches[n : n + 1]) for n in range(5)])
        size = np.abs(together).max()
        np.testing.assert_allclose(together, alone, atol=0.02 * size)
        assert np.abs(together[0] - together[1]).max() > 0.1 * size

    def test_says_what_it_is(self, either: VGGishNetwork, precision: str, v1_checkpoint: Path):
        """The weights, not the precision, make an index."""
        assert either.name == "vggish"
        assert either.precision == ("float32" if precision == "network" else "bfloat16")
        assert either.fingerprint == hashlib.sha256(v1_checkpoint.read_bytes()).hexdigest()


@pytest.mark.model
def test_auto_takes_what_the_processor_supports(v1_checkpoint: Path):
    expected = "bfloat16" if runtime.has_bfloat16() else "float32"
    assert VGGishNetwork(v1_checkpoint).precision == expected


def test_unknown_precision(tmp_path: Path):
    with pytest.raises(ParameterError, match="choose one of auto, float32, bfloat16"):
        VGGishNetwork(tmp_path / "any.ckpt", precision="float16")


@pytest.mark.parametrize(
    ("cpuinfo", "supported"),
    [
        ("model name\t: A\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n", True),
        ("flags\t\t: fpu avx512f amx_bf16\n", True),
        ("Features\t: fp asimd bf16 sve\n", True),
        ("flags\t\t: fpu avx2 fma avx512_bf16x\n", False),
        ("model name\t: The bf16 avx512_bf16\nflags\t\t: fpu\n", False),
        ("", False),
    ],
)
def test_bfloat16_is_told_by_the_processors_flags(
    cpuinfo: str, supported: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runtime, "_CPU_FLAGS", tmp_path / "cpuinfo")
    assert not runtime.has_bfloat16()  # there is no such file, as outside of Linux
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert runtime.has_bfloat16() is supported


def small_checkpoint(path: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """Write a single-file checkpoint of zeros."""
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf import saver_pb2

    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape in shapes.items():
            tf.get_variable(name, shape, initializer=tf.zeros_initializer(), use_resource=False)
        session.run(tf.global_variables_initializer())
        saver: Any = tf.train.Saver(write_version=saver_pb2.SaverDef.V1)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)
    return path


@pytest.fixture
def _converting_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert in this process, which has TensorFlow already; a process of its own takes seconds."""
    monkeypatch.setattr(conversion, "_convert_apart", conversion.convert)


@pytest.mark.model
def test_foreign_checkpoint_is_told_by_what_it_lacks(tmp_path: Path):
    path = small_checkpoint(tmp_path / "other.ckpt", {"resnet/conv1/weights": (3, 3)})
    for check in (check_checkpoint, VGGishNetwork):
        with pytest.raises(WeightsCorrupt, match=r"lacks the variable vggish/conv1/weights; it is not"):
            check(path)


@pytest.mark.model
@pytest.mark.usefixtures("_converting_here")
def test_checkpoint_that_lacks_its_last_variable(tmp_path: Path):
    # The two last layers' shapes do not matter: what is missing is found first.
    shapes = {**variable_shapes(), "vggish/fc1/fc1_1/weights": (2, 2)}
    del shapes["vggish/conv4/conv4_2/biases"]
    path = small_checkpoint(tmp_path / "part.ckpt", shapes)
    with pytest.raises(WeightsCorrupt, match="lacks the variable vggish/conv4/conv4_2/biases"):
        VGGishNetwork(path)


@pytest.mark.model
@pytest.mark.usefixtures("_converting_here")
def test_variable_of_another_shape_is_named(tmp_path: Path):
    path = small_checkpoint(tmp_path / "wide.ckpt", {"vggish/conv1/weights": (3, 3, 1, 32)})
    with pytest.raises(
        WeightsCorrupt, match=r"conv1/weights has shape \(3, 3, 1, 32\), expected \(3, 3, 1, 64\)"
    ):
        VGGishNetwork(path)


@pytest.mark.model
@pytest.mark.usefixtures("_converting_here")
@pytest.mark.parametrize("content", [b"", b"<html>404</html>\n" * 100, bytes(100_000)])
def test_what_is_no_checkpoint(content: bytes, tmp_path: Path):
    path = tmp_path / "vggish_model.ckpt"
    path.write_bytes(content)
    with pytest.raises(
        WeightsCorrupt, match=r"vggish_model\.ckpt is not a TensorFlow checkpoint"
    ) as caught:
        VGGishNetwork(path)
    assert "soundalike models download" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.model
@pytest.mark.usefixtures("_converting_here")
def test_damaged_and_truncated_checkpoints(v1_checkpoint: Path, tmp_path: Path):
    path = tmp_path / "copy.ckpt"
    shutil.copyfile(v1_checkpoint, path)
    with path.open("r+b") as file:
        file.seek(144_000_000)
        file.write(bytes(1_000))
    with pytest.raises(WeightsCorrupt, match="is damaged"):
        VGGishNetwork(path)
    for missing in (1, 100_000_000):
        os.truncate(path, path.stat().st_size - missing)
        with pytest.raises(WeightsCorrupt, match="is not a TensorFlow checkpoint"):
            VGGishNetwork(path)
    path.unlink()
