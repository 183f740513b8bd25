"""What a network sees at once, and how windows consist of that; imported without heavy libraries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from soundalike.audio import front_end
from soundalike.audio.windows import SAMPLE_RATE_HZ, WindowPlan
from soundalike.config import MODELS
from soundalike.errors import ParameterError
from soundalike.types import IndexSpec


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


#: One patch of 0.975 s a second, 128 numbers each.
VGGISH_LAYOUT = ExampleLayout(SAMPLE_RATE_HZ, front_end.PATCH_SAMPLES, 1.0, front_end.EMBEDDING_DIM)


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
