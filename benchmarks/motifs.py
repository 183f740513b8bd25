"""Motifs planted into a made archive: how many are found, what else is listed, and how long it takes.

``python -m benchmarks.motifs --hours 20`` mixes 12 sounds, each 5 to 60 times, at 10 dB into noise,
among sounds that occur once; ``--seed`` changes sounds and places, and ``--clips FOLDER`` plants
labelled clips in place of made sounds. A motif is found if most of a listed motif's events are its
occurrences, and at least half of its occurrences are there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.event_mixes import RATE_HZ, Clip, background, clips_of, made_clips
from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.events.listening import Listener
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.repeats.motifs import Motif, find_motifs
from soundalike.repeats.requests import MotifsRequest
from soundalike.store import open_store

GOALS = {"found": 10, "spurious": 3, "find_s": 600.0}
MOTIFS, COUNTS, SNR_DB = 12, (5, 61), 10.0
_FILE_S = 1800.0
_SLOT_S = 15.0

#: For each file: ``(clip, start_s, end_s)``.
Truth = dict[str, list[tuple[str, float, float]]]


def choose_clips(sources: list[Clip], rng: np.random.Generator) -> tuple[list[Clip], list[Clip]]:
    """Return the motifs, as many of each label, and the other clips, in random order."""
    by_label: dict[str, list[Clip]] = defaultdict(list)
    for row in rng.permutation(len(sources)):
        by_label[sources[row].label].append(sources[row])
    labels = list(by_label)
    motifs = [by_label[labels[number % len(labels)]].pop() for number in range(MOTIFS)]
    rest = [clip for clips in by_label.values() for clip in clips]
    return motifs, [rest[row] for row in rng.permutation(len(rest))]


def write_archive(
    folder: Path, hours: float, sources: list[Clip], singles: int, seed: int
) -> tuple[Truth, Counter[str]]:
    """Write recordings of half an hour; return what is planted where, and how often."""
    rng = np.random.default_rng(seed)
    motifs, others = choose_clips(sources, rng)
    others = others[:singles]
    counts = Counter({clip.name: int(rng.integers(*COUNTS)) for clip in motifs})
    planted: list[Clip] = [clip for clip in motifs for _ in range(counts[clip.name])] + others
    n_files = max(1, round(hours * 3600 / _FILE_S))
    slots = [(file, slot) for file in range(n_files) for slot in range(1, int(_FILE_S / _SLOT_S) - 1)]
    places = rng.permutation(len(slots))[: len(planted)]
    truth: Truth = {f"{number:03d}": [] for number in range(n_files)}
    for file in range(n_files):
        kind = ("pink", "brown", "street")[file % 3]
        samples = background(kind, round(_FILE_S * RATE_HZ), rng)
        level = float(np.sqrt((samples**2).mean()))
        for clip, place in zip(planted, places, strict=False):
            if slots[place][0] != file:
                continue
            at_s = slots[place][1] * _SLOT_S + rng.uniform(0, _SLOT_S / 2)
            begin, end = round(at_s * RATE_HZ), round(at_s * RATE_HZ) + len(clip.samples)
            gain = level * 10 ** (SNR_DB / 20) / np.sqrt((clip.samples**2).mean())
            samples[begin:end] += gain * clip.samples
            truth[f"{file:03d}"].append((clip.name, begin / RATE_HZ, end / RATE_HZ))
        samples *= 0.9 / max(0.9, float(np.abs(samples).max()))
        soundfile.write(folder / f"{file:03d}.flac", samples, RATE_HZ)
    return truth, counts


def score(found: list[Motif], truth: Truth, counts: Counter[str]) -> dict[str, Any]:
    """Return how many planted motifs the first ones are, and how many are none."""
    seen: set[str] = set()
    spurious = 0
    for motif in found[:MOTIFS]:
        hits = Counter(
            name
            for event in motif.events
            for name, start_s, end_s in truth[Path(event.recording.uri).stem]
            if event.start_s < end_s and start_s < event.end_s
        )
        name, count = hits.most_common(1)[0] if hits else ("", 0)
        is_motif = name in counts and 2 * count > len(motif.events) and 2 * count >= counts[name]
        if is_motif and name not in seen:
            seen.add(name)
        else:
            spurious += 1
    return {
        "listed": len(found),
        "found": len(seen),
        "spurious": spurious,
        "planted": dict(counts),
        "missing": sorted(set(counts) - seen),
        "counts": [len(motif.events) for motif in found[:MOTIFS]],
    }


def main() -> int:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks.motifs", description=__doc__)
    parser.add_argument("--hours", type=float, default=20.0)
    parser.add_argument("--singles", type=int, default=120, help="sounds that occur once")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--clips", type=Path, help="folder with a folder of clips for each label")
    parser.add_argument("--model", default="logmel-modulation")
    parser.add_argument("--output", type=Path, default=Path("motifs.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soundalike-motifs-") as name:
        folder = Path(name) / "sounds"
        folder.mkdir()
        sources = clips_of(arguments.clips, "()") if arguments.clips else made_clips(40, ("made",))
        truth, counts = write_archive(
            folder, arguments.hours, sources, arguments.singles, arguments.seed
        )
        store = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(Path(name) / "data")}))
        try:
            encoder = load_encoder(arguments.model, Settings.from_env().weights_dir)
            pipeline = Pipeline(store, encoder, WindowPlan())
            list(pipeline.index([IndexItem(str(path)) for path in sorted(folder.iterdir())]))
            began, began_cpu = time.perf_counter(), time.process_time()
            found = find_motifs(store, MotifsRequest(), listener=Listener(encoder, shared()))
            ended, ended_cpu = time.perf_counter(), time.process_time()
        finally:
            store.close()
    report = {"goals": GOALS, "hours": arguments.hours, **score(found, truth, counts)}
    report["find_s"] = round(ended - began, 1)
    # Without the processes that decode.
    report["find_processor_s"] = round(ended_cpu - began_cpu, 1)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
