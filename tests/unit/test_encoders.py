"""Which encoder is used, with and without weights."""

from pathlib import Path

import pytest

from soundalike.encoders import choice
from soundalike.encoders.base import Encoder
from soundalike.encoders.choice import chosen_name, load_encoder
from soundalike.encoders.vggish import conversion
from soundalike.encoders.weights import CHECKPOINT, WeightsFile, file_md5
from soundalike.errors import ConfigError, WeightsCorrupt, WeightsMissing


@pytest.fixture
def corrupt_dir(tmp_path: Path) -> Path:
    """Make a folder whose checkpoint is not the published one."""
    (tmp_path / CHECKPOINT.name).write_text("<html>an error page</html>")
    return tmp_path


@pytest.mark.parametrize("model", ["auto", "logmel-modulation"])
def test_without_weights(model: str, tmp_path: Path):
    assert load_encoder(model, tmp_path).name == chosen_name(model, tmp_path) == "logmel-modulation"


@pytest.mark.parametrize("model", ["auto", "logmel-modulation"])
def test_with_a_folder_that_is_not_there(model: str, tmp_path: Path):
    assert load_encoder(model, tmp_path / "nothing").name == "logmel-modulation"


def test_vggish_without_weights(tmp_path: Path):
    for load in (load_encoder, chosen_name):
        with pytest.raises(WeightsMissing, match=r"vggish_model\.ckpt is not in .* models download"):
            load("vggish", tmp_path)


@pytest.mark.parametrize("model", ["auto", "logmel-modulation"])
def test_with_corrupt_weights(model: str, corrupt_dir: Path):
    assert (
        load_encoder(model, corrupt_dir).name == chosen_name(model, corrupt_dir) == "logmel-modulation"
    )


def test_vggish_with_corrupt_weights(corrupt_dir: Path):
    for load in (load_encoder, chosen_name):
        with pytest.raises(WeightsCorrupt, match=r"has MD5 .* the published file has d1c7011e"):
            load("vggish", corrupt_dir)


def test_unknown_model(tmp_path: Path):
    with pytest.raises(ConfigError, match="choose one of auto, vggish, logmel-modulation"):
        load_encoder("yamnet", tmp_path)


@pytest.mark.parametrize("model", ["auto", "vggish"])
def test_own_checkpoint_that_is_missing(model: str, tmp_path: Path):
    with pytest.raises(WeightsMissing, match="there is no checkpoint at"):
        load_encoder(model, tmp_path, tmp_path / "mine.ckpt")


def test_own_checkpoint_is_not_used_by_the_weight_free_encoder(tmp_path: Path):
    assert (
        load_encoder("logmel-modulation", tmp_path, tmp_path / "mine.ckpt").name == "logmel-modulation"
    )
    assert chosen_name("logmel-modulation", tmp_path, tmp_path / "mine.ckpt") == "logmel-modulation"


@pytest.mark.parametrize("model", ["auto", "vggish"])
def test_own_checkpoint_that_is_none(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(checkpoint: Path, _: Path) -> None:
        raise WeightsCorrupt(f"{checkpoint} is not a TensorFlow checkpoint")

    # What TensorFlow says of it is tested with the network.
    monkeypatch.setattr(conversion, "_convert_apart", refuse)
    (tmp_path / "mine.ckpt").write_text("no checkpoint")
    with pytest.raises(WeightsCorrupt, match="is not a TensorFlow checkpoint"):
        load_encoder(model, tmp_path, tmp_path / "mine.ckpt")


def assert_vggish(encoder: Encoder) -> None:
    """Check that it is the real network."""
    from soundalike.encoders.vggish.network import VGGishNetwork

    assert isinstance(encoder, VGGishNetwork)
    assert encoder.name == "vggish"


@pytest.mark.model
def test_own_checkpoint(v1_checkpoint: Path, tmp_path: Path):
    assert chosen_name("auto", tmp_path, v1_checkpoint) == "vggish"
    assert_vggish(load_encoder("auto", tmp_path, v1_checkpoint))


@pytest.mark.model
def test_with_weights(v1_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # The made-up checkpoint takes the published one's place; only its checksum is another.
    stand_in = WeightsFile(CHECKPOINT.name, CHECKPOINT.url, file_md5(v1_checkpoint))
    monkeypatch.setattr(choice, "CHECKPOINT", stand_in)
    (tmp_path / CHECKPOINT.name).symlink_to(v1_checkpoint)
    # Where the made-up checkpoint was converted, which takes seconds.
    converted = v1_checkpoint.with_name("converted")
    converted.mkdir(exist_ok=True)
    (tmp_path / converted.name).symlink_to(converted)
    assert [chosen_name(model, tmp_path) for model in ("auto", "vggish")] == ["vggish"] * 2
    assert_vggish(load_encoder("auto", tmp_path))
    assert load_encoder("logmel-modulation", tmp_path).name == "logmel-modulation"
