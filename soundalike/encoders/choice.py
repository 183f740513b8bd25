"""Select an encoder: VGGish if its weights are present, otherwise the weight-free one."""

from __future__ import annotations

import logging
from pathlib import Path

from soundalike.config import DOWNLOADABLE, MODELS
from soundalike.encoders.base import AS_RECORDED, Encoder, Network, shown_level
from soundalike.encoders.fusion import Fusion, fused_fingerprint, fused_name, parse_model
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
        ``vggish``, ``logmel-modulation``, the name of a model file, or ``auto``: VGGish if its weights
        are present and verified, otherwise ``logmel-modulation``. Several are joined by ``+``; see
        `soundalike.encoders.fusion.parse_model`.
    weights_dir : Path
        Folder of the published weights.
    checkpoint : Path, optional
        A checkpoint of the same network to use instead. Its variables are checked, but not its
        checksum.
    precision : str
        Number format of networks; see `soundalike.encoders.runtime.open_session`.

    Raises
    ------
    ConfigError
        `model` is invalid.
    ParameterError
        `precision` is invalid (checked for VGGish only).
    WeightsMissing
        `model` is ``vggish`` and its weights are missing.
    WeightsCorrupt
        The weights are not the published ones, or not a checkpoint of this network.
    """
    named = parse_model(model)
    if len(named) == 1:
        return _network(model, weights_dir, checkpoint, precision)
    networks = [_network(name, weights_dir, checkpoint, precision) for name, _ in named]
    return Fusion(networks, [weight for _, weight in named])


def _network(model: str, weights_dir: Path, checkpoint: Path | None, precision: str) -> Network:
    if model == Modulation.name:
        return Modulation()
    if model not in MODELS:
        if model not in DOWNLOADABLE and not (weights_dir / model).is_dir():
            listed = ", ".join((*MODELS, *DOWNLOADABLE))
            raise ConfigError(
                f"model is {model!r}; choose one of {listed}, or add it with: soundalike models add"
            )
        # Its runtime takes a moment to import; only this branch needs it.
        from soundalike.encoders.installed import find_model
        from soundalike.encoders.model_file import ModelFile

        found = find_model(model, weights_dir)
        return ModelFile(found.path, found.manifest, precision=precision, is_kept=True)
    path = checkpoint or _published(model, weights_dir)
    if path is None:
        return Modulation()
    _check_exists(path)
    # A late import: the runtime takes a moment, and only this branch needs it.
    from soundalike.encoders.vggish.network import VGGishNetwork

    return VGGishNetwork(path, precision)


def vggish_checkpoint(weights_dir: Path, checkpoint: Path | None = None) -> Path:
    """Return the checkpoint of VGGish: `checkpoint`, or the published one.

    Raises
    ------
    WeightsMissing
        The file is missing.
    WeightsCorrupt
        The file in the weights folder is not the published one.
    """
    path = checkpoint or _published("vggish", weights_dir)
    assert path is not None, "a missing file is an error for this model"
    _check_exists(path)
    return path


def is_checkpoint(path: Path) -> bool:
    """Return whether a path is an existing file, or the prefix of a checkpoint."""
    return path.is_file() or path.with_name(f"{path.name}.index").is_file()


def _check_exists(path: Path) -> None:
    if not is_checkpoint(path):
        raise WeightsMissing(f"there is no checkpoint at {path}; download it with: {GET_WEIGHTS}")


def _published(model: str, weights_dir: Path) -> Path | None:
    try:
        path = verified_path(CHECKPOINT, weights_dir)
    except WeightsCorrupt as exc:
        if model == "auto":
            _log.warning("%s; until then the encoder is %s", exc, Modulation.name)
            return None
        raise
    if path is None and model == "vggish":
        raise WeightsMissing(
            f"{CHECKPOINT.name} is not in {weights_dir}; download it with: {GET_WEIGHTS}"
        )
    return path


def chosen_name(model: str, weights_dir: Path, checkpoint: Path | None = None) -> str:
    """Return the name of the encoder that `load_encoder` selects, without loading it."""
    return fused_name(
        [(weight, _chosen_one(name, weights_dir, checkpoint)) for name, weight in parse_model(model)]
    )


def _chosen_one(model: str, weights_dir: Path, checkpoint: Path | None) -> str:
    if model not in MODELS or model == Modulation.name:
        return model
    return "vggish" if checkpoint or _published(model, weights_dir) else Modulation.name


def chosen_level(model: str, weights_dir: Path, checkpoint: Path | None = None) -> str:
    """Return what the encoder that `load_encoder` selects does about the level of a recording.

    Raises
    ------
    WeightsMissing, WeightsCorrupt
        As for `chosen`.
    """
    names = [_chosen_one(name, weights_dir, checkpoint) for name, _ in parse_model(model)]
    return shown_level([(name, network_level(name, weights_dir)) for name in names])


def network_level(name: str, weights_dir: Path) -> str:
    """Return what one network, by its own name, does about the level of a recording.

    Raises
    ------
    WeightsMissing
        It is a model file that is not installed.
    """
    if name == Modulation.name:
        return Modulation.level
    if name in MODELS:
        return AS_RECORDED
    from soundalike.encoders.installed import find_model

    return find_model(name, weights_dir).manifest.shown_level


def chosen(model: str, weights_dir: Path, checkpoint: Path | None = None) -> tuple[str, str]:
    """Return name and fingerprint of the encoder that `load_encoder` selects, without loading it.

    Raises
    ------
    WeightsMissing, WeightsCorrupt
        As for `load_encoder`, without the errors of opening a checkpoint.
    """
    named = parse_model(model)
    found = [_identity(name, weights_dir, checkpoint) for name, _ in named]
    if len(found) == 1:
        return found[0]
    identity = fused_fingerprint(
        [(weight, one[1]) for (_, weight), one in zip(named, found, strict=True)]
    )
    name = fused_name([(weight, one[0]) for (_, weight), one in zip(named, found, strict=True)])
    return name, identity


def _identity(model: str, weights_dir: Path, checkpoint: Path | None) -> tuple[str, str]:
    if model not in MODELS:
        from soundalike.encoders.installed import find_model
        from soundalike.encoders.model_file import fingerprint

        installed = find_model(model, weights_dir)
        return model, fingerprint(installed.path, installed.manifest)
    path = None if model == Modulation.name else checkpoint or _published(model, weights_dir)
    if path is None:
        return Modulation.name, Modulation().fingerprint
    _check_exists(path)
    from soundalike.encoders.vggish.conversion import file_sha256

    return "vggish", file_sha256(path)
