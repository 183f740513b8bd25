"""Which encoder to use: VGGish where its weights are, else the weight-free one."""

from __future__ import annotations

import logging
from pathlib import Path

from soundalike.config import MODELS
from soundalike.encoders.base import Encoder
from soundalike.encoders.modulation import Modulation
from soundalike.encoders.weights import CHECKPOINT, GET_WEIGHTS, verified_path
from soundalike.errors import ConfigError, WeightsCorrupt, WeightsMissing

_log = logging.getLogger(__name__)


def load_encoder(
    model: str, weights_dir: Path, checkpoint: Path | None = None, *, precision: str = "auto"
) -> Encoder:
    """Load an encoder.

    Parameters
    ----------
    model : str
        ``vggish``, ``logmel-modulation``, or ``auto``: VGGish where its weights are present and
        verified, else ``logmel-modulation``.
    weights_dir : Path
        Folder of the published weights.
    checkpoint : Path, optional
        A checkpoint of the same network to use in their place. It is checked for the network's
        variables, not for the published checksum.
    precision : str
        What VGGish computes in; see `soundalike.encoders.vggish.network.VGGishNetwork`.

    Raises
    ------
    ConfigError
        `model` is none of the three.
    ParameterError
        VGGish is loaded, and `precision` is none of its three.
    WeightsMissing
        VGGish was asked for and its weights are not there.
    WeightsCorrupt
        The weights are not the published ones, or no checkpoint of this network.
    """
    if model not in MODELS:
        raise ConfigError(f"model is {model!r}; choose one of {', '.join(MODELS)}")
    if model == "logmel-modulation":
        return Modulation()
    path = checkpoint or _published(model, weights_dir)
    if path is None:
        return Modulation()
    _check_is_there(path)
    # TensorFlow takes seconds to import; only this branch needs it.
    from soundalike.encoders.vggish.network import VGGishNetwork

    return VGGishNetwork(path, precision)


def vggish_checkpoint(weights_dir: Path, checkpoint: Path | None = None) -> Path:
    """Return the checkpoint that VGGish is loaded from: `checkpoint`, else the published one.

    Raises
    ------
    WeightsMissing
        It is not there.
    WeightsCorrupt
        What is in the weights folder is not the published file.
    """
    path = checkpoint or _published("vggish", weights_dir)
    assert path is not None, "a missing file is an error for this model"
    _check_is_there(path)
    return path


def _check_is_there(path: Path) -> None:
    _check_there(path)


def _check_there(path: Path) -> None:
    if not path.is_file() and not path.with_name(f"{path.name}.index").is_file():
        raise WeightsMissing(f"no checkpoint is at {path}; fetch it with: {GET_WEIGHTS}")


def _published(model: str, weights_dir: Path) -> Path | None:
    try:
        path = verified_path(CHECKPOINT, weights_dir)
    except WeightsCorrupt as exc:
        if model == "auto":
            _log.warning("%s; until then the encoder is %s", exc, Modulation.name)
            return None
        raise
    if path is None and model == "vggish":
        raise WeightsMissing(f"{CHECKPOINT.name} is not in {weights_dir}; fetch it with: {GET_WEIGHTS}")
    return path


def chosen_name(model: str, weights_dir: Path, checkpoint: Path | None = None) -> str:
    """Return the name of the encoder that `load_encoder` would load, without loading it."""
    if model == "logmel-modulation":
        return Modulation.name
    return "vggish" if checkpoint or _published(model, weights_dir) else Modulation.name


def chosen(model: str, weights_dir: Path, checkpoint: Path | None = None) -> tuple[str, str]:
    """Return name and fingerprint of the encoder that `load_encoder` would load, without loading it.

    Raises
    ------
    WeightsMissing, WeightsCorrupt
        As `load_encoder` does, but for what shows only when a checkpoint is opened.
    """
    path = None if model == Modulation.name else checkpoint or _published(model, weights_dir)
    if path is None:
        return Modulation.name, Modulation().fingerprint
    _check_there(path)
    # The network's module is not needed by those who have no weights.
    from soundalike.encoders.vggish.network import file_sha256

    return "vggish", file_sha256(path)
