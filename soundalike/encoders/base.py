"""Encoders and their networks: what they take and give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, cast

import numpy as np

from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.audio.windows import SAMPLE_RATE_HZ, WindowPlan
from soundalike.encoders.layout import VGGISH_LAYOUT, ExampleLayout
from soundalike.errors import ParameterError
from soundalike.types import FloatArray, IndexSpec

#: What is said of encoders that leave the level of a recording as it is.
AS_RECORDED = "as recorded"


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

    @property
    def takes_log_mel(self) -> bool:
        """Whether `front_end` returns VGGish's log-mel patches, which overlapping examples can share."""
        ...

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

    @property
    def takes_log_mel(self) -> bool:
        """Whether the network takes log-mel patches: unless it has a `front_end` of its own."""
        return type(self).front_end is OneNetwork.front_end

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
