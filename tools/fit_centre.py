"""Fit the centre of a model whose outputs are all positive: the mean over sounds of many kinds.

``python tools/fit_centre.py MODEL`` prints the line of the manifest; the model must be installed. Each
folder of ``toy-data`` counts the same. The centre is a constant of the manifest, so that no vector
depends on what happens to be indexed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from soundalike.audio.segmenter import segment
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.base import only_network, plan_for
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.embedding import embed_patches_at
from soundalike.types import FloatArray

TOY_DATA = Path(__file__).resolve().parents[1] / "toy-data"
_OTHERS = ("queries", "long_recording")


def main(model: str) -> None:
    """Print the centre."""
    network = only_network(load_encoder(model, Settings.from_env().weights_dir))
    plan = plan_for(network, WindowPlan())
    layout = network.layout
    count, hop = layout.examples_per_window(plan), round(layout.hop_s * layout.sample_rate_hz)

    def pooled(path: Path) -> FloatArray:
        cut = segment(path, plan)
        starts = [
            round(w.start_s * layout.sample_rate_hz) + hop * n for w in cut.windows for n in range(count)
        ]
        vectors = embed_patches_at(cut.samples, starts, network)
        by_window = vectors.reshape(len(cut.windows), count, layout.dimension)
        found: FloatArray = (by_window.max if layout.pooling == "max" else by_window.mean)(axis=1)
        return found.mean(axis=0)

    folders = [path for path in sorted(TOY_DATA.iterdir()) if path.is_dir() and path.name not in _OTHERS]
    means = [np.mean([pooled(file) for file in sorted(folder.iterdir())], axis=0) for folder in folders]
    centre = np.mean(means, axis=0)
    print("centre: [" + ", ".join(f"{number:.3g}" for number in centre) + "]")


if __name__ == "__main__":
    main(sys.argv[1])
