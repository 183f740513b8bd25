"""Encoders and their networks: what they take and give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol, cast

import numpy as np

from soundalike.audio import front_end
from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.audio.windows import SAMPLE_RATE_HZ, WindowPlan
from soundalike.config import MODELS
from soundalike.errors import ParameterError
from soundalike.types import FloatArray, IndexSpec


@dataclass(frozen=True, slots=True)
class ExampleLayout:
    """What a network sees at once, and where in a window.

    Attributes
    ----------
    sample_rate_hz : int
    n_samples : int
        Length of an example.
    hop_s : float
        Distance between the examples of a window, in seconds.
    dimension : int
        Numbers that the network gives for an example.
    pooling : str
        ``concatenate``: the vectors of a window's examples stand one after the other, in the order of
        time; ``mean`` or ``max``: their mean, or the largest of each number, stands for the window.
    """

    sample_rate_hz: int
    n_samples: int
    hop_s: float
    dimension: int
    pooling: Literal["concatenate", "mean", "max"] = "concatenate"

    def examples_per_window(self, plan: WindowPlan, hop_s: float | None = None) -> int:
        """Return how many examples lie in a window.

        Raises
        ------
        ParameterError
            A window is shorter than an example, or the distance shorter than a sample.
        """
        hop_s = self.hop_s if hop_s is None else hop_s
        if not 1 / self.sample_rate_hz <= hop_s < math.inf:
            raise ParameterError(f"example_hop_s is {hop_s}; it must be at least one sample")
        window = round(plan.window_s * self.sample_rate_hz)
        if window < self.n_samples:
            needed_s = math.ceil(1000 * self.n_samples / self.sample_rate_hz) / 1000
            raise ParameterError(
                f"window_size is {plan.window_s!r} s; this encoder needs windows of at least "
                f"{needed_s} s"
            )
        return 1 + (window - self.n_samples) // round(hop_s * self.sample_rate_hz)

    def window_dimension(self, n_examples: int) -> int:
        """Return how many numbers a window of so many examples has."""
        return self.dimension * (n_examples if self.pooling == "concatenate" else 1)


#: What is said of encoders that leave the level of a recording as it is.
AS_RECORDED = "as recorded"
#: One patch of 0.975 s a second, 128 numbers each.
VGGISH_LAYOUT = ExampleLayout(SAMPLE_RATE_HZ, front_end.PATCH_SAMPLES, 1.0, front_end.EMBEDDING_DIM)


class Encoder(Protocol):
    """Turns windows into vectors: one network, or several whose vectors are concatenated.

    Attributes
    ----------
    name : str
        Stable name, stored with the index and shown with every result.
    description : str
        Short description for users.
    fingerprint : str
        Hash of the weights or constants.
    """

    name: str
    description: str
    fingerprint: str

    @property
    def parts(self) -> Sequence[Part]:
        """The networks, with the weight of each; weights have the sum 1."""
        ...


class Network(Encoder, Protocol):
    """What turns examples into vectors.

    Attributes
    ----------
    layout : ExampleLayout
        What an example is.
    level : str
        What is done about the level of a recording, for users.
    """

    layout: ExampleLayout
    level: str

    def window_gain(self, samples: FloatArray) -> float:
        """Return the factor for the samples of a window, ``(n_samples,)``, before `front_end`."""
        ...

    def front_end(self, samples: FloatArray) -> FloatArray:
        """Return what the network takes of ``(n, n_samples)`` float32 examples; any thread calls it."""
        ...

    def embed_patches(self, patches: FloatArray) -> FloatArray:
        """Embed what `front_end` has returned.

        Returns
        -------
        embeddings : (n, dimension) float32
        """
        ...

    def pool(self, vectors: FloatArray) -> FloatArray:
        """Return the vectors of windows, ``(n_windows, d)``, of those of their examples.

        Parameters
        ----------
        vectors : (n_windows, n_examples, dimension) float32
        """
        ...

    def embed_text(self, text: str) -> FloatArray:
        """Return the vector of a text, ``(d,)`` float32 of length 1, comparable with those of windows.

        Raises
        ------
        ParameterError
            The network knows sounds only.
        """
        ...


class Part(NamedTuple):
    """One of an encoder's networks."""

    weight: float
    network: Network


class OneNetwork:
    """What networks that are encoders by themselves have in common."""

    layout: ExampleLayout = VGGISH_LAYOUT
    level: str = AS_RECORDED

    @property
    def parts(self) -> Sequence[Part]:
        """The network itself."""
        return (Part(1.0, cast(Network, self)),)

    def window_gain(self, samples: FloatArray) -> float:
        """Return 1: the samples stay as they are."""
        return 1.0

    def front_end(self, samples: FloatArray) -> FloatArray:
        """Return VGGish's log-mel patches, ``(n, 96, 64)`` float32, of ``(n, 15600)`` samples."""
        return log_mel_spectrogram(samples, sample_rate=SAMPLE_RATE_HZ)

    def pool(self, vectors: FloatArray) -> FloatArray:
        """Return ``(n_windows, n_examples * dimension)``: the examples' vectors side by side."""
        return vectors.reshape(len(vectors), vectors.shape[1] * vectors.shape[2])

    def embed_text(self, text: str) -> FloatArray:
        """Raise `ParameterError`: the network knows sounds only."""
        name = cast(Network, self).name
        raise ParameterError(
            f"the encoder {name} knows sounds only; a search by a text needs a model that has a network "
            "for texts, such as clap-htsat-unfused"
        )


def level_of(encoder: Encoder) -> str:
    """Return what an encoder does about the level of a recording, for users."""
    return shown_level([(part.network.name, part.network.level) for part in encoder.parts])


def shown_level(levels: Sequence[tuple[str, str]]) -> str:
    """Return names and levels of networks as one text.

    Examples
    --------
    >>> shown_level([("vggish", "as recorded")])
    'as recorded'
    >>> shown_level([("vggish", "as recorded"), ("a", "relative")])
    'vggish: as recorded; a: relative'
    """
    if len(levels) == 1:
        return levels[0][1]
    return "; ".join(f"{name}: {level}" for name, level in levels)


def index_spec(encoder: Encoder, plan: WindowPlan, example_hop_s: float | None = None) -> IndexSpec:
    """Return the specification of an index with this encoder and these windows.

    Raises
    ------
    ParameterError
        The windows are too short for the encoder.
    """
    layouts = [part.network.layout for part in encoder.parts]
    is_own = example_hop_s is None or all(layout.hop_s == example_hop_s for layout in layouts)
    hop = "" if is_own else f"+hop{example_hop_s:g}"
    counts = [layout.examples_per_window(plan, example_hop_s) for layout in layouts]
    return IndexSpec(
        encoder=encoder.name,
        fingerprint=encoder.fingerprint + hop,
        dimension=sum(map(ExampleLayout.window_dimension, layouts, counts)),
        window_s=plan.window_s,
        stride_s=plan.stride_s,
    )


def examples_of(spec: IndexSpec) -> int:
    """Return how many examples, side by side, make the vector of a window of an index; 1 if not known.

    Examples
    --------
    >>> examples_of(IndexSpec("logmel-modulation", "0", 512, 4.0, 2.0))
    4
    >>> examples_of(IndexSpec("aisfx", "0", 512, 4.0, 2.0))
    1
    """
    if spec.encoder not in MODELS or "+hop" in spec.fingerprint:
        return 1
    n_examples = VGGISH_LAYOUT.examples_per_window(WindowPlan(spec.window_s, spec.stride_s))
    return n_examples if spec.dimension == VGGISH_LAYOUT.window_dimension(n_examples) else 1


def only_network(encoder: Encoder) -> Network:
    """Return the network of an encoder that is one.

    Raises
    ------
    ParameterError
        The encoder has several networks, whose examples differ.
    """
    if len(encoder.parts) > 1:
        raise ParameterError(
            f"the encoder {encoder.name} has several networks and gives vectors of windows alone; "
            "choose one of them, or per='window'"
        )
    return encoder.parts[0].network


def embed_text(encoder: Encoder, text: str) -> FloatArray:
    """Return the vector of a text, ``(1, d)`` float32.

    Raises
    ------
    ParameterError
        The encoder knows sounds only, or the text is empty.
    ModelError
        The network for texts cannot be used.
    """
    if len(encoder.parts) > 1:
        raise ParameterError(
            f"the encoder {encoder.name} has several networks and knows sounds only; a search by a text "
            "needs an index made with one model that has a network for texts"
        )
    return encoder.parts[0].network.embed_text(text)[np.newaxis]


def plan_for(encoder: Encoder, plan: WindowPlan) -> WindowPlan:
    """Return a plan with the rate at which recordings are decoded for an encoder."""
    return replace(plan, sample_rate_hz=sample_rate_hz(encoder))


def sample_rate_hz(encoder: Encoder) -> int:
    """Return the rate at which recordings are decoded for an encoder: the highest of its networks."""
    return max(part.network.layout.sample_rate_hz for part in encoder.parts)
