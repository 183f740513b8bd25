"""The models that this program knows, and which of them are here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soundalike.config import MODELS
from soundalike.encoders.base import AS_RECORDED, Encoder
from soundalike.encoders.installed import find_model, installed_names
from soundalike.encoders.manifest import Manifest, shipped_manifests
from soundalike.encoders.modulation import Modulation
from soundalike.encoders.text import TEXT
from soundalike.encoders.weights import CHECKPOINT
from soundalike.errors import ParameterError, WeightsMissing

#: Encoders without a manifest.
BUILT_IN = tuple(name for name in MODELS if name != "auto")
_VGGISH_PAGE = "https://github.com/tensorflow/models/tree/master/research/audioset/vggish"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model, and whether it is here.

    Attributes
    ----------
    name : str
    state : str
        ``built in``; ``installed``; ``not here``: ``soundalike models download`` fetches it; ``file
        needed``: its facts are known, and its file must be added.
    good_for, licence, attribution, page : str
        Empty if unknown.
    status : str
        ``verified`` or ``unverified``: whether its facts were checked against its code and weights.
    takes_text : bool
        Whether it can be searched by a text, with the files that are here.
    level : str
        What it does about the level of a recording.
    """

    name: str
    state: str
    good_for: str
    licence: str
    attribution: str
    page: str
    status: str
    takes_text: bool
    level: str


def known_models(folder: Path) -> list[ModelInfo]:
    """Return all models: built in, that can be fetched, that need a file, and the user's own.

    Parameters
    ----------
    folder : Path
        Folder of the weights.
    """
    shipped = shipped_manifests()
    fetched = [name for name, facts in shipped.items() if facts.source.package]
    names = dict.fromkeys((*BUILT_IN, *fetched, *shipped, *installed_names(folder)))
    return [model_info(name, folder) for name in names]


def model_info(name: str, folder: Path) -> ModelInfo:
    """Return what is known of a model.

    Raises
    ------
    WeightsMissing
        Nothing is known of it.
    """
    if name == "logmel-modulation":
        return _built_in(name, "built in", "everything, not trained", "this project's")
    if name == "vggish":
        state = "installed" if (folder / CHECKPOINT.name).is_file() else "not here"
        return _built_in(
            name, state, "general sounds", "Apache-2.0", "Google, AudioSet and VGGish", _VGGISH_PAGE
        )
    facts = facts_of(name, folder)
    place = folder / name
    is_here = name in installed_names(folder)
    missing = "not here" if facts.source.package else "file needed"
    return ModelInfo(
        name,
        "installed" if is_here else missing,
        facts.good_for,
        facts.licence,
        facts.attribution,
        facts.source.page,
        facts.status,
        takes_text=facts.text is not None and (place / TEXT).is_file(),
        level=facts.shown_level,
    )


def _built_in(
    name: str, state: str, good_for: str, licence: str, attribution: str = "", page: str = ""
) -> ModelInfo:
    level = Modulation.level if name == Modulation.name else AS_RECORDED
    return ModelInfo(
        name, state, good_for, licence, attribution, page, "verified", takes_text=False, level=level
    )


@dataclass(frozen=True, slots=True)
class Credits:
    """Licences and makers of an encoder.

    Attributes
    ----------
    licence, attribution : str
        Of each of its networks; empty if unknown.
    takes_text : bool
        Whether texts can be queries.
    """

    licence: str
    attribution: str
    takes_text: bool


def credits_of(encoder: Encoder, folder: Path) -> Credits:
    """Return the credits of a loaded encoder; `folder` is that of the weights."""
    infos = [model_info(part.network.name, folder) for part in encoder.parts]

    def joined(name: str) -> str:
        found = [(info.name, getattr(info, name)) for info in infos]
        if len(found) == 1:
            return str(found[0][1])
        return "; ".join(f"{model}: {value}" for model, value in found if value)

    takes_text = len(infos) == 1 and infos[0].takes_text
    return Credits(joined("licence"), joined("attribution"), takes_text)


def facts_of(name: str, folder: Path) -> Manifest:
    """Return the manifest of an installed model, else the shipped one of this name.

    Raises
    ------
    WeightsMissing
        There is neither.
    """
    try:
        return find_model(name, folder).manifest
    except (WeightsMissing, ParameterError):
        # An installed one that cannot be read hides nothing that is shipped.
        shipped = shipped_manifests().get(name)
        if shipped is None:
            raise
        return shipped
