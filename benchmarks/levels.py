r"""Whether level, sample format, bandwidth and noise decide the answer, on labelled clips.

``python -m benchmarks.levels FOLDER --fold-pattern '^(\d)'`` makes quieter, narrower and noisier copies
of the clips in a temporary folder. For each kind of copy it reports where a copy as the query finds its
own source among the originals, and how well copies find copies of their class.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from soundalike.audio.files import find_files
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.base import Encoder
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.clips import embed_searchable
from soundalike.evaluation.clips import LabelledClip, labelled_clips
from soundalike.evaluation.metrics import average_precision, precision_at_k
from soundalike.evaluation.scores import NO_SCORE, Candidates
from soundalike.types import FloatArray

_Samples = npt.NDArray[np.float64]
_QUIETER_DB = (20, 40, 50, 60)
_TELEPHONE_HZ = 8000
_NOISE_DB = 10
#: Of 16 bits, to each side.
_STEPS = 32_768


class Copy(NamedTuple):
    """A copy of a clip, and the sample format of its file."""

    samples: _Samples
    rate_hz: int
    subtype: str


def _attenuated(decibels: float, subtype: str) -> Callable[[_Samples, int], Copy]:
    def copy(samples: _Samples, rate_hz: int) -> Copy:
        quieter = samples * 10 ** (-decibels / 20)
        # libsndfile rounds down, which makes a square wave of the faintest noise.
        return Copy(_rounded(quieter) if subtype == "PCM_16" else quieter, rate_hz, subtype)

    return copy


def _rounded(samples: _Samples) -> _Samples:
    """Return samples rounded to 16 bits."""
    steps = np.round(samples * _STEPS).clip(-_STEPS, _STEPS - 1)
    rounded: _Samples = steps / _STEPS
    return rounded


def _telephone(samples: _Samples, rate_hz: int) -> Copy:
    narrow = soxr.resample(samples, rate_hz, _TELEPHONE_HZ, quality="HQ")
    return Copy(_rounded(narrow), _TELEPHONE_HZ, "PCM_16")


def _noisy(samples: _Samples, rate_hz: int) -> Copy:
    """Add pink noise, the same for all clips of a length."""
    rng = np.random.default_rng(len(samples))
    frequencies = np.arange(1, len(samples) // 2 + 2)
    lines = (rng.normal(size=len(frequencies)) + 1j * rng.normal(size=len(frequencies))) / np.sqrt(
        frequencies
    )
    noise = np.fft.irfft(lines, len(samples))
    ratio = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-_NOISE_DB / 20)
    return Copy(samples + ratio * noise, rate_hz, "FLOAT")


KINDS: dict[str, Callable[[_Samples, int], Copy]] = {
    "original": _attenuated(0, "FLOAT"),
    **{f"float_-{db}dB": _attenuated(db, "FLOAT") for db in _QUIETER_DB},
    **{f"16bit_-{db}dB": _attenuated(db, "PCM_16") for db in _QUIETER_DB},
    "8kHz": _telephone,
    f"pink_noise_{_NOISE_DB}dB": _noisy,
}


def measure(clips: Sequence[LabelledClip], encoder: Encoder, plan: WindowPlan) -> dict[str, Any]:
    """Return the figures of each kind of copy."""
    report: dict[str, Any] = {"encoder": encoder.name, "clips": len(clips)}
    originals: list[FloatArray] = []
    for name, make in KINDS.items():
        rows, seconds = _embedded(clips, make, encoder, plan)
        originals = originals or rows
        scores = np.stack(list(Candidates(rows).scores(rows)))
        report[name] = {
            **_own_source(np.stack(list(Candidates(originals).scores(rows)))),
            **_classes(scores, clips),
            "searchable": sum(map(bool, map(len, rows))),
            "embed_s": round(seconds, 2),
        }
    return report


def _embedded(
    clips: Sequence[LabelledClip],
    make: Callable[[_Samples, int], Copy],
    encoder: Encoder,
    plan: WindowPlan,
) -> tuple[list[FloatArray], float]:
    """Return the vectors of the clips' copies, and the seconds that decoding and embedding took."""
    found, seconds = [], 0.0
    with tempfile.TemporaryDirectory(prefix="soundalike-bench-") as folder:
        path = Path(folder) / "copy.wav"
        for clip in clips:
            samples, rate_hz = soundfile.read(clip.path, dtype="float64", always_2d=True)
            copy = make(samples.mean(axis=1), rate_hz)
            soundfile.write(path, copy.samples, copy.rate_hz, subtype=copy.subtype)
            begin = time.perf_counter()
            _, rows = embed_searchable(path, encoder, plan)
            seconds += time.perf_counter() - begin
            found.append(rows[rows.any(axis=1)])
    return found, seconds


def _own_source(scores: npt.NDArray[np.float32]) -> dict[str, float]:
    """Return where queries find the originals that they are copies of."""
    own = scores.diagonal()
    ranks = 1 + (scores > own[:, np.newaxis]).sum(axis=1)
    ranks[own <= NO_SCORE] = len(scores)
    return {
        "own_source_first": round(float((ranks == 1).mean()), 3),
        "own_source_median_rank": float(np.median(ranks)),
        "own_source_mean_rank": round(float(ranks.mean()), 1),
    }


def _classes(scores: npt.NDArray[np.float32], clips: Sequence[LabelledClip]) -> dict[str, float]:
    """Return how well copies find copies of their class; clips of the own fold are left out."""
    labels = np.array([clip.label for clip in clips])
    folds = np.array([clip.fold if clip.fold is not None else str(clip.path) for clip in clips])
    first, precision = [], []
    for query, row in enumerate(scores):
        others = np.flatnonzero(folds != folds[query])
        order = others[np.argsort(-row[others], kind="stable")]
        relevant = (labels[order] == labels[query]) & (row[order] > NO_SCORE)
        first.append(precision_at_k(relevant, 1))
        precision.append(average_precision(relevant))
    return {"p_at_1": round(float(np.mean(first)), 3), "map": round(float(np.mean(precision)), 3)}


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(prog="benchmarks.levels", description=__doc__)
    parser.add_argument("folder", type=Path, help="of labelled clips, one folder for each class")
    parser.add_argument("--fold-pattern", metavar="REGEX", help="as of soundalike evaluate")
    parser.add_argument("--model", default="logmel-modulation")
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.model, Settings.from_env().weights_dir)
    clips = labelled_clips(find_files([str(arguments.folder)]).files, arguments.fold_pattern)
    print(json.dumps(measure(clips, encoder, WindowPlan()), indent=2))


if __name__ == "__main__":
    main()
