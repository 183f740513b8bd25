"""Events in recordings of other sounds: how often they have the false-alarm rates that they should have.

``python -m benchmarks.event_rates --clips FOLDER --output rates.json`` mixes labelled clips into noise,
a few of one label and fold in each recording, and looks in them for clips of a fold that was left out.
``python -m benchmarks.reliability rates.json docs/images/event-false-alarms.svg`` draws the result.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.event_mixes import RATE_HZ, Clip, clips_of, made_clips, mix
from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.events.find import find_events
from soundalike.events.listening import Listener
from soundalike.events.requests import EventsRequest
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.search.queries import Query
from soundalike.store import MemoryStore

RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_PER_RECORDING = 3
_REREAD_S = {"stored vectors": 0.0, "sound": 86_400.0}


def _write_mixes(clips: Sequence[Clip], folder: Path, snr_db: float) -> Iterator[IndexItem]:
    for label in sorted({clip.label for clip in clips}):
        for fold in sorted({clip.fold for clip in clips}):
            some = [clip for clip in clips if (clip.label, clip.fold) == (label, fold)]
            for number in range(0, len(some), _PER_RECORDING):
                path = folder / f"{label}-{fold}-{number}.wav"
                seed = 1000 * int(fold) + number
                mixed = mix(some[number : number + _PER_RECORDING], "pink", snr_db, seed)
                soundfile.write(path, mixed.samples, RATE_HZ, subtype="PCM_16")
                yield IndexItem(str(path), label=label)


def _rates_of(pipeline: Pipeline, clip: Clip, listener: Listener, reread_s: float) -> dict[str, float]:
    """Return the lowest false-alarm rate of the events of each recording that has any."""
    file = io.BytesIO()
    peak = max(1.0, float(np.abs(clip.samples).max()))
    soundfile.write(file, clip.samples / peak, RATE_HZ, format="WAV", subtype="FLOAT")
    request = EventsRequest(
        Query(file.getvalue()), min_score=-1.0, max_per_recording=1, reread_s=reread_s
    )
    query = pipeline.embedded(request.query)
    return {
        event.recording.uri: event.false_alarm_rate
        for event in find_events(pipeline.store, query, request, listener=listener)
        if event.false_alarm_rate is not None
    }


def measure(
    clips: Sequence[Clip], snr_db: float, model: str, per_label: int, steps: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each step: expected rates, and observed shares of unrelated recordings."""
    encoder = load_encoder(model, Settings.from_env().weights_dir)
    found: dict[str, list[float]] = {step: [] for step in steps}
    for fold in sorted({clip.fold for clip in clips}):
        with tempfile.TemporaryDirectory(prefix="soundalike-bench-") as name:
            pipeline = Pipeline(MemoryStore(), encoder, WindowPlan())
            inside = [clip for clip in clips if clip.fold != fold]
            items = list(_write_mixes(inside, Path(name), snr_db))
            assert all(result.outcome == "added" for result in pipeline.index(items))
            listener = Listener(encoder, shared(), n_kept=2 * len(items))
            for label in sorted({clip.label for clip in clips}):
                asked = [clip for clip in clips if (clip.label, clip.fold) == (label, fold)]
                for clip in asked[:per_label]:
                    for step in steps:
                        rates = _rates_of(pipeline, clip, listener, _REREAD_S[step])
                        found[step] += [
                            rates.get(item.uri, 1.0) for item in items if item.label != label
                        ]
    for step, rates in found.items():
        shares = [float((np.array(rates) <= rate).mean()) for rate in RATES]
        yield {
            "name": f"{model}, {step}",
            "snr_db": snr_db,
            "false_alarms": {
                "pairs": len(rates),
                "rates": [
                    {"expected": expected, "observed": round(observed, 6)}
                    for expected, observed in zip(RATES, shares, strict=True)
                ],
            },
        }


def main() -> None:
    """Measure, and write JSON lines."""
    parser = argparse.ArgumentParser(prog="benchmarks.event_rates", description=__doc__)
    parser.add_argument("--clips", type=Path, help="labelled folder, with folds in the names")
    parser.add_argument("--fold-pattern", default=r"^(\d)-")
    parser.add_argument("--model", default="logmel-modulation")
    parser.add_argument("--level", type=float, default=10.0, help="of the clips above the noise, in dB")
    parser.add_argument("--per-label", type=int, default=100, help="queries of each label and fold")
    parser.add_argument("--steps", nargs="+", choices=list(_REREAD_S), default=list(_REREAD_S))
    parser.add_argument("--output", type=Path, default=Path("bench-event-rates.json"))
    arguments = parser.parse_args()
    clips = clips_of(arguments.clips, arguments.fold_pattern) if arguments.clips else made_clips()
    with arguments.output.open("w", encoding="utf-8") as file:
        for row in measure(
            clips, arguments.level, arguments.model, arguments.per_label, arguments.steps
        ):
            print(json.dumps(row), file=file)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
