"""Build the ONNX files of models whose weights come in packages of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soundalike.encoders.recipes import aisfx, resemblyzer

if TYPE_CHECKING:
    import onnx

    from soundalike.encoders.torch_file import Tensors

_RECIPES = {"aisfx": aisfx.build, "resemblyzer": resemblyzer.build}


def build(recipe: str, tensors: Tensors) -> onnx.ModelProto:
    """Return the network of a recipe, ``aisfx`` or ``resemblyzer``, with a checkpoint's tensors.

    Raises
    ------
    WeightsCorrupt
        A tensor of the network is missing.
    """
    return _RECIPES[recipe](tensors)
