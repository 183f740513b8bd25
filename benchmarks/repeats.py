"""Copies among different takes: how many are found, and how many takes are taken for copies.

``python -m benchmarks.repeats --output repeats.json`` makes takes with the toy data's synthesis, and of
each take copies: quieter, MP3 of 64 kbit/s, trimmed, of a lower rate, with noise, an excerpt. With
``--clips FOLDER`` its files are the takes. A pair of files is right if both are of one take.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr

from soundalike.audio.files import find_files
from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.repeats.duplicates import Member, find_duplicates
from soundalike.repeats.requests import DuplicatesRequest
from soundalike.repeats.sounds import Sounds
from soundalike.store import open_store
from soundalike.types import FloatArray

GOALS = {"recall": 0.98, "precision": 0.995}
RATE_HZ = 32_000
EXCERPT_S = 30.0
_SNR_DB = 20.0
_TOY_DATA = Path(__file__).resolve().parents[1] / "toy-data"


def made_takes(per_kind: int, duration_s: float) -> Iterator[tuple[str, FloatArray]]:
    """Yield takes of the kinds of the toy data, which differ by random numbers alone.

    Speech is left out, because another program makes it.
    """
    sys.path.insert(0, str(_TOY_DATA))
    import make_toy_data as toy  # type: ignore[import-not-found]

    for kind in sorted(set(toy.VOICES) - {"speech"}):
        for number in range(per_kind):
            clip = toy.takes_of(kind)[0]._replace(
                file=f"take {number} of {kind}",
                variant=number % 6,
                duration_s=duration_s,
                encoding=toy.Encoding("wav", RATE_HZ, 1),
            )
            yield f"{kind}-{number:03d}", toy.rendered(clip)[:, 0].astype(np.float32)


def given_takes(folder: Path) -> Iterator[tuple[str, FloatArray]]:
    """Yield the sounds of a folder."""
    for number, path in enumerate(find_files([str(folder)]).files):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(samples.mean(axis=1), rate, RATE_HZ)
        yield f"{Path(path).stem}-{number:05d}", mono.astype(np.float32)


def write_copies(folder: Path, take: str, samples: FloatArray, rng: np.random.Generator) -> None:
    """Write a take and its copies; ``take@copy.suffix``."""
    noise = rng.standard_normal(len(samples)).astype(np.float32)
    noise *= np.sqrt((samples**2).mean() / (noise**2).mean()) * 10 ** (-_SNR_DB / 20)
    begin, end = rng.integers(RATE_HZ // 10, RATE_HZ, 2)
    length = min(round(EXCERPT_S * RATE_HZ), len(samples) // 2)
    at = int(rng.integers(0, len(samples) - length))
    copies = {
        "source": (samples, RATE_HZ),
        "gain": (0.2 * samples, RATE_HZ),
        "trim": (samples[begin:-end], RATE_HZ),
        "resample": (soxr.resample(samples, RATE_HZ, 11_025), 11_025),
        "noise": (0.8 * (samples + noise), RATE_HZ),
        "excerpt": (samples[at : at + length], RATE_HZ),
    }
    for name, (made, rate) in copies.items():
        soundfile.write(folder / f"{take}@{name}.flac", np.clip(made, -1, 1), rate)
    _write_mp3(folder / f"{take}@mp3.mp3", samples)


def _write_mp3(path: Path, samples: FloatArray) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libmp3lame", rate=RATE_HZ, layout="mono")
        stream.bit_rate = 64_000
        sound = np.round(np.clip(samples, -1, 1) * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="s16p", layout="mono")
        frame.sample_rate = RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)


def score(groups: list[list[Member]], names: list[str]) -> dict[str, Any]:
    """Return precision and recall over pairs of files, and the recall of each kind of copy."""
    found: set[tuple[str, str]] = set()
    for group in groups:
        found |= set(combinations(sorted(Path(member.recording.uri).stem for member in group), 2))
    sizes = Counter(name.split("@")[0] for name in names)
    n_right = sum(one.split("@")[0] == other.split("@")[0] for one, other in found)
    n_true = sum(count * (count - 1) // 2 for count in sizes.values())
    kinds = Counter(name.split("@")[1] for name in names)
    together = Counter(
        (set(copies) - {"source"}).pop()
        for one, other in found
        if one.split("@")[0] == other.split("@")[0]
        and "source" in (copies := (one.split("@")[1], other.split("@")[1]))
    )
    all_pairs = len(names) * (len(names) - 1) // 2
    return {
        "files": len(names),
        "pairs_of_one_take": n_true,
        "pairs_of_different_takes": all_pairs - n_true,
        "recall": round(n_right / max(1, n_true), 4),
        "precision": round(n_right / max(1, len(found)), 4),
        "false_merges": len(found) - n_right,
        "recall_by_copy": {
            name: round(together[name] / count, 4) for name, count in kinds.items() if name != "source"
        },
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make copies, index them and look for them."""
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory(prefix="soundalike-repeats-") as name:
        folder = Path(name) / "sounds"
        folder.mkdir()
        takes = (
            given_takes(arguments.clips)
            if arguments.clips
            else made_takes(arguments.takes, arguments.duration)
        )
        for take, samples in takes:
            write_copies(folder, take, samples, rng)
        files = sorted(folder.iterdir())
        store = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(Path(name) / "data")}))
        try:
            pipeline = Pipeline(
                store, load_encoder(arguments.model, Settings.from_env().weights_dir), WindowPlan()
            )
            began = time.perf_counter()
            results = list(pipeline.index([IndexItem(str(path)) for path in files]))
            assert {result.outcome for result in results} == {"added"}
            indexed = time.perf_counter()
            groups = find_duplicates(store, DuplicatesRequest(), sounds=Sounds(shared()))
            ended = time.perf_counter()
        finally:
            store.close()
    return {
        "goals": GOALS,
        **score(groups, [path.stem for path in files]),
        "index_s": round(indexed - began, 1),
        "find_s": round(ended - indexed, 1),
    }


def main() -> int:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks.repeats", description=__doc__)
    parser.add_argument("--clips", type=Path, help="folder of takes instead of made ones")
    parser.add_argument("--takes", type=int, default=8, help="made takes of each kind; default: 8")
    parser.add_argument("--duration", type=float, default=64.0, help="seconds of a made take")
    parser.add_argument("--model", default="logmel-modulation")
    parser.add_argument("--output", type=Path, default=Path("repeats.json"))
    arguments = parser.parse_args()
    report = measure(arguments)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
