"""Layers of VGGish, with the names and shapes of their variables in the published checkpoint."""

from __future__ import annotations

from soundalike.audio import front_end

#: Convolution blocks: output channels of each 3x3 layer; a 2x2 max-pooling ends a block.
CONV_BLOCKS = {"conv1": (64,), "conv2": (128,), "conv3": (256, 256), "conv4": (512, 512)}
HIDDEN_LAYERS = ("fc1/fc1_1", "fc1/fc1_2")
HIDDEN_UNITS = 4096
EMBEDDING_LAYER = "fc2"


def layers_of(block: str) -> list[str]:
    """Return the names of a block's layers; tf-slim names a single layer like its block."""
    count = len(CONV_BLOCKS[block])
    return [block] if count == 1 else [f"{block}/{block}_{n}" for n in range(1, count + 1)]


def flat_size() -> int:
    """Return the size of the last pooling layer's output for a patch."""
    pooling: int = 2 ** len(CONV_BLOCKS)
    channels = CONV_BLOCKS["conv4"][-1]
    return (front_end.PATCH_FRAMES // pooling) * (front_end.N_MEL_BANDS // pooling) * channels


def variable_shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the network's variables, as in the published checkpoint."""
    weights: dict[str, tuple[int, ...]] = {}
    channels = 1
    for block, widths in CONV_BLOCKS.items():
        for layer, width in zip(layers_of(block), widths, strict=True):
            weights[layer] = (3, 3, channels, width)
            channels = width
    inputs = flat_size()
    for layer in HIDDEN_LAYERS:
        weights[layer] = (inputs, HIDDEN_UNITS)
        inputs = HIDDEN_UNITS
    weights[EMBEDDING_LAYER] = (inputs, front_end.EMBEDDING_DIM)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, shape in weights.items():
        shapes[f"vggish/{layer}/weights"] = shape
        shapes[f"vggish/{layer}/biases"] = shape[-1:]
    return shapes
