"""Several encoders in one index."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from soundalike.encoders.base import Network, Part
from soundalike.errors import ConfigError


class Fusion:
    """Networks whose vectors stand side by side. A `soundalike.encoders.base.Encoder`.

    The cosine of two windows is the weighted mean of the networks' cosines, so one vector index and one
    query serve them all.

    Parameters
    ----------
    networks : sequence of Network
        At least two, with different names.
    weights : sequence of float
        One for each, above 0; they are divided by their sum.
    """

    def __init__(self, networks: Sequence[Network], weights: Sequence[float]) -> None:
        total = sum(weights)
        self.parts = tuple(
            Part(weight / total, network) for network, weight in zip(networks, weights, strict=True)
        )
        self.name = fused_name([(part.weight, part.network.name) for part in self.parts])
        shares = ", ".join(f"{part.network.name} {part.weight:.0%}" for part in self.parts)
        self.description = f"{shares} of the similarity"
        self.fingerprint = fused_fingerprint(
            [(part.weight, part.network.fingerprint) for part in self.parts]
        )


def fused_name(parts: Sequence[tuple[float, str]]) -> str:
    """Return the name of networks with some weights, as ``--model`` takes it.

    Examples
    --------
    >>> fused_name([(0.5, "a"), (0.5, "b")]), fused_name([(2, "a"), (6, "b")])
    ('a+b', 'a:1+b:3')
    """
    least = min(weight for weight, _ in parts)
    ratios = [f"{weight / least:.4g}" for weight, _ in parts]
    names = [name for _, name in parts]
    if set(ratios) == {"1"}:
        return "+".join(names)
    return "+".join(f"{name}:{ratio}" for name, ratio in zip(names, ratios, strict=True))


def fused_fingerprint(parts: Sequence[tuple[float, str]]) -> str:
    """Return the identity of networks with some weights, of which only the proportions count."""
    total = sum(weight for weight, _ in parts)
    identity = "\n".join(f"{weight / total:.6f} {fingerprint}" for weight, fingerprint in parts)
    return hashlib.sha256(identity.encode()).hexdigest()


def parse_model(text: str) -> list[tuple[str, float]]:
    """Return names and weights of what ``--model`` names.

    Raises
    ------
    ConfigError
        A weight is not a positive number, or a name comes twice.

    Examples
    --------
    >>> parse_model("logmel-modulation+aisfx"), parse_model("vggish:2+aisfx:1")
    ([('logmel-modulation', 1.0), ('aisfx', 1.0)], [('vggish', 2.0), ('aisfx', 1.0)])
    """
    found = []
    for one in text.split("+"):
        name, _, weight = one.partition(":")
        try:
            found.append((name, float(weight) if weight else 1.0))
        except ValueError:
            found.append((name, 0.0))
    names = [name for name, _ in found]
    if not all(0 < weight < float("inf") for _, weight in found) or len(set(names)) < len(names):
        raise ConfigError(
            f"model is {text!r}; give different names joined by '+', each with a weight above 0 if you "
            "want one, like logmel-modulation:1+aisfx:2"
        )
    return found
