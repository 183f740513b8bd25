"""The rate at which recordings are decoded for an encoder; found without loading it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml

from soundalike.audio.windows import SAMPLE_RATE_HZ
from soundalike.config import MODELS, model_names
from soundalike.errors import WeightsMissing


def decoding_rate_hz(model: str, weights_dir: Path) -> int:
    """Return the highest rate that the networks of an encoder need.

    The process that decodes may run where no network does, so only manifests are read.

    Parameters
    ----------
    model : str
        As for `soundalike.encoders.choice.load_encoder`.
    weights_dir : Path
        Folder of the model files.

    Raises
    ------
    WeightsMissing
        A manifest is not here.
    """
    return max(_rate_of(name, weights_dir) for name in model_names(model))


def _rate_of(name: str, weights_dir: Path) -> int:
    if name in MODELS:
        return SAMPLE_RATE_HZ
    shipped = resources.files("soundalike.encoders").joinpath("manifests", f"{name}.yml")
    own = weights_dir / name / "manifest.yml"
    if not shipped.is_file() and not own.is_file():
        raise WeightsMissing(
            f"the manifest of the model {name!r} is not in {weights_dir}; where recordings are decoded "
            "in another container, it needs the folder of the weights too"
        )
    text = own.read_text("utf-8") if own.is_file() else shipped.read_text("utf-8")
    return int(yaml.safe_load(text)["input"]["sample_rate_hz"])
