"""Manifests: everything that an encoder needs to know of a model's file.

A manifest is YAML. `Manifest.model_json_schema` is its JSON schema, which ``soundalike models schema``
prints, and the reference in the documentation is written from the same fields.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from soundalike.audio.spectrogram import Compression, LogMel
from soundalike.encoders.base import AS_RECORDED
from soundalike.encoders.layout import ExampleLayout
from soundalike.errors import ParameterError
from soundalike.types import FloatArray

_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_SHA256 = r"^[0-9a-f]{64}$"
_MOST_BYTES = 1 << 20
_INPUT = "name of the network's input; left out, the network has one"
#: Facts that earlier manifests cannot have. At their defaults they are no part of the digest, so that
#: indexes stay valid.
_LATER = {"output": {"frames": "none"}}


_Positive = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Package(_Strict):
    """A wheel on a package index that carries the weights."""

    name: str = Field(description="the package's name")
    version: str
    sha256: str = Field(pattern=_SHA256, description="of the wheel")
    member: str = Field(description="path of the checkpoint in the wheel")
    licence_member: str = Field(description="path of the licence text in the wheel")
    recipe: Literal["aisfx", "resemblyzer"] = Field(
        description="how an ONNX file is built of the checkpoint's tensors"
    )


class Source(_Strict):
    """Where a model's file comes from."""

    package: Package | None = Field(None, description="the wheel that carries the weights")
    url: str | None = Field(None, description="address of the ONNX file")
    page: str = Field(description="where its makers describe it")
    how: str | None = Field(None, description="how the ONNX file is found or made")
    size_bytes: int | None = Field(None, ge=1, description="of the ONNX file")
    sha256: str | None = Field(None, pattern=_SHA256, description="of the ONNX file")


class CompressionFacts(_Strict):
    """How mel energies are compressed."""

    kind: Literal["none", "ln", "log10", "db"]
    gain: float = Field(1.0, gt=0, description="multiplied with the energy first")
    offset: float = Field(0.0, ge=0, description="added before the logarithm")
    floor: float = Field(0.0, ge=0, description="smallest energy")
    reference: float = Field(1.0, gt=0, description="energy of 0 dB")
    top_db: float | None = Field(None, gt=0, description="range below the loudest value of an example")


class LogMelInput(_Strict):
    """A log-mel spectrogram; `soundalike.audio.spectrogram.LogMel` explains each field."""

    kind: Literal["log_mel"]
    tensor: str | None = Field(None, description=_INPUT)
    sample_rate_hz: int = Field(ge=1000, le=384_000)
    frame_length: int = Field(ge=1, description="samples of a frame")
    fft_length: int = Field(ge=1, description="samples of the Fourier transform")
    hop_length: int = Field(ge=1, description="samples between frames")
    window: Literal["hann", "hamming", "povey", "rectangular"]
    periodic: bool = Field(description="whether the window is one period of its formula")
    cut: Literal["frame", "fft"] = Field(description="how many samples a frame is cut with")
    padding: Literal["none", "reflect", "zeros"]
    n_mels: int = Field(ge=1)
    min_hz: float = Field(ge=0)
    max_hz: float = Field(gt=0)
    scale: Literal["htk", "slaney"]
    slopes: Literal["hertz", "mel"]
    norm: Literal["none", "slaney", "unit_sum"]
    spectrum: Literal["magnitude", "power"]
    compression: CompressionFacts
    input_gain: float = 1.0
    remove_dc: bool = False
    pre_emphasis: float = Field(0.0, ge=0, lt=1)
    centre_bands: bool = False
    mean: float | list[float] = Field(0.0, description="subtracted; one number, or one for each band")
    deviation: _Positive | list[_Positive] = Field(
        1.0, description="divisor; one number, or one for each band"
    )
    frames: int = Field(ge=1, description="frames of an example")
    axes: Literal["time_mel", "mel_time", "channel_time_mel", "channel_mel_time"]

    def spectrogram(self) -> LogMel:
        """Return the computation."""
        given = self.model_dump(exclude={"kind", "tensor", "compression", "frames", "axes"})
        for name in ("mean", "deviation"):
            given[name] = tuple(given[name]) if isinstance(given[name], list) else given[name]
        return LogMel(**given, compression=Compression(**self.compression.model_dump()))

    def n_samples(self) -> int:
        """Return the length of an example in samples."""
        return self.spectrogram().n_samples(self.frames)


class LevelFacts(_Strict):
    """The level that each window is brought to before anything else is computed."""

    measure: Literal["peak", "rms"] = Field(
        description="level of a window: its largest absolute sample, or its root mean square"
    )
    target_dbfs: float = Field(ge=-100, le=0, description="level afterwards, in dB below full scale")
    max_gain_db: float = Field(
        60.0,
        ge=0,
        le=100,
        description="largest gain, so that silence and the noise of a recorder stay quiet",
    )
    only_raise: bool = Field(False, description="whether windows above the target stay as they are")

    def gain(self, samples: FloatArray) -> float:
        """Return the factor for the samples of a window, ``(n_samples,)``.

        Examples
        --------
        >>> LevelFacts(measure="peak", target_dbfs=0).gain(np.float32([0.5, -0.25]))
        2.0
        """
        if self.measure == "peak":
            level = max(float(samples.max()), -float(samples.min()))
        else:
            level = math.sqrt(float(np.dot(samples, samples)) / len(samples))
        most = 10 ** (self.max_gain_db / 20)
        wanted = min(most, 10 ** (self.target_dbfs / 20) / level) if level > 0 else most
        return max(1.0, wanted) if self.only_raise else wanted

    def describe(self) -> str:
        """Return the facts as a phrase."""
        verb = "raised" if self.only_raise else "brought"
        return (
            f"each window {verb} to {self.target_dbfs:g} dBFS ({self.measure}), by at most "
            f"{self.max_gain_db:g} dB"
        )


class WaveformInput(_Strict):
    """Samples as they are."""

    kind: Literal["waveform"]
    tensor: str | None = Field(None, description=_INPUT)
    sample_rate_hz: int = Field(ge=1000, le=384_000)
    samples: int = Field(ge=1, description="samples of an example")
    input_gain: float = 1.0
    axes: Literal["time", "channel_time", "samples"] = Field(
        "time", description="samples: the network takes one example, without an axis of examples"
    )

    def n_samples(self) -> int:
        """Return the length of an example in samples."""
        return self.samples


class Output(_Strict):
    """What the network gives."""

    tensor: str | None = Field(
        None, description="name of the network's output; left out, the network has one"
    )
    dimension: int = Field(ge=1, le=16_000, description="numbers for an example")
    frames: Literal["none", "mean", "max"] = Field(
        "none",
        description="what stands for an example where the network gives a vector for each of its frames",
    )


class Text(_Strict):
    """A network that gives texts vectors in the same space, and its tokens."""

    ids: str | None = Field(None, description="name of the input for tokens; left out, there is one")
    mask: str | None = Field(
        None, description="name of the input that is 1 for tokens and 0 for padding"
    )
    tensor: str | None = Field(None, description="name of the output; left out, there is one")
    most_tokens: int = Field(ge=1, le=8192, description="longer texts are cut")
    pad_id: int | None = Field(
        None,
        ge=0,
        description="texts are filled up to `most_tokens` with this token; left out, they are not",
    )


class Check(_Strict):
    """What the network gives for a signal that ``soundalike models verify`` makes."""

    signal: Literal["sine", "noise"] = Field(
        description="1 kHz at -6 dBFS, or seeded white noise at -20 dBFS"
    )
    first: list[float] = Field(min_length=1, description="first numbers of the vector")
    mean: float
    deviation: float


class Manifest(_Strict):
    """A model."""

    name: str = Field(pattern=_NAME, description="name of the encoder, stored with each index")
    title: str
    good_for: str = Field(description="what it is good for, in a sentence")
    licence: str
    attribution: str = Field(description="how its makers want to be named")
    status: Literal["verified", "unverified"] = Field(
        description="whether the facts were checked against the model's own code and weights"
    )
    source: Source
    input: Annotated[LogMelInput | WaveformInput, Field(discriminator="kind")]
    level: LevelFacts | None = Field(None, description="level of windows; without it, as recorded")
    hop_s: float = Field(gt=0, description="seconds between the examples of a window")
    output: Output
    pooling: Literal["mean", "max", "concatenate"] = Field(description="what stands for a window")
    centre: list[float] | None = Field(
        None, description="subtracted from a window's vector; a constant of the model, never of an index"
    )
    text: Text | None = Field(None, description="the network for texts, where there is one")
    checks: list[Check] = Field(default_factory=list)

    @property
    def layout(self) -> ExampleLayout:
        """What an example is."""
        return ExampleLayout(
            self.input.sample_rate_hz,
            self.input.n_samples(),
            self.hop_s,
            self.output.dimension,
            self.pooling,
        )

    @property
    def shown_level(self) -> str:
        """What is done about the level of a recording."""
        return AS_RECORDED if self.level is None else self.level.describe()

    @property
    def centre_vector(self) -> npt.NDArray[np.float32] | None:
        """The centre, ``(dimension,)`` float32."""
        return None if self.centre is None else np.array(self.centre, np.float32)

    def digest(self) -> str:
        """Return a hash of all facts that decide on the vectors."""
        facts = self.model_dump(include={"input", "hop_s", "output", "pooling", "centre"}, mode="json")
        if self.level is not None:
            # Only then, so that models without it keep their identity.
            facts["level"] = self.level.model_dump(mode="json")
        for part, later in _LATER.items():
            for name, default in later.items():
                if facts[part].get(name) == default:
                    del facts[part][name]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ParameterError
        It is not YAML, or a fact is missing, unknown or wrong; the message names it.
    """
    return parse_manifest(manifest_text(path), str(path))


def manifest_text(path: Path) -> str:
    """Return what a manifest's file holds.

    Raises
    ------
    ParameterError
        It cannot be read, or is not text.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ParameterError(f"{path} is larger than a manifest can be")
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ParameterError(f"the manifest {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ParameterError(f"{path} is not a manifest: it is not text in UTF-8") from exc


def shipped_manifests() -> dict[str, Manifest]:
    """Return the manifests that come with this program, by name."""
    return dict(_shipped())


@functools.cache
def _shipped() -> dict[str, Manifest]:
    folder = resources.files("soundalike.encoders").joinpath("manifests")
    texts = {
        file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".yml")
    }
    found = [parse_manifest(text, name) for name, text in sorted(texts.items())]
    return {manifest.name: manifest for manifest in found}


def shipped_text(name: str) -> str | None:
    """Return a manifest that comes with this program, as it stands; None where there is none."""
    if not re.fullmatch(_NAME, name):
        return None
    file = resources.files("soundalike.encoders").joinpath("manifests", f"{name}.yml")
    return file.read_text("utf-8") if file.is_file() else None


def parse_manifest(text: str, name: str) -> Manifest:
    """Return the manifest that a text holds; `name` is its name in errors.

    Raises
    ------
    ParameterError
        As for `read_manifest`.
    """
    try:
        given: Any = yaml.safe_load(text)
        manifest = Manifest.model_validate(given)
        layout = manifest.layout
    except yaml.YAMLError as exc:
        raise ParameterError(f"{name} is not YAML ({' '.join(str(exc).split())[:200]})") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the manifest"
        raise ParameterError(f"{name}: {place}: {first['msg']}") from exc
    if manifest.centre is not None and len(manifest.centre) != layout.dimension:
        raise ParameterError(
            f"{name}: centre has {len(manifest.centre)} numbers and the output {layout.dimension}"
        )
    if manifest.text and (manifest.pooling == "concatenate" or manifest.centre is not None):
        raise ParameterError(
            f"{name}: a text has a vector like that of one example, so pooling must be mean or max, and "
            "there can be no centre"
        )
    return manifest
