"""Measure anomaly detection: machines that are made here, a labelled folder, and the speed.

``python -m benchmarks.anomalies [--healthy N] [--labelled FOLDER]``. N machines without faults tell how
often there are false alarms: with twenty recordings each, three machines tell it badly. The folder has a
folder for each class, and names that begin with a fold; one class at a time is normal, folds 1 and 2 are
learned, fold 3 is scored.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sklearn.metrics import roc_auc_score

from benchmarks.machines import FAULTS, LEVELS_DB, write_machine
from soundalike.anomalies.detector import listen
from soundalike.anomalies.evaluation import evaluate_machine, mean_of
from soundalike.anomalies.model import NormalModel, fit
from soundalike.anomalies.results import NormalRecording
from soundalike.audio.files import find_files
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.base import Encoder, index_spec
from soundalike.encoders.choice import load_encoder

SPEEDS_HZ = (12.0, 24.3, 37.0)
PLAN = WindowPlan()
_Heard = dict[Path, NormalRecording]


def main() -> int:
    """Measure, and print a report as JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.anomalies", description=__doc__)
    parser.add_argument("--healthy", type=int, default=0, metavar="N", help="machines without faults")
    parser.add_argument("--labelled", type=Path, help="labelled clips with folds")
    parser.add_argument("--model", default="logmel-modulation")
    arguments = parser.parse_args()
    settings = Settings.from_env()
    encoder = load_encoder(arguments.model, settings.weights_dir)
    report: dict[str, Any] = {"encoder": encoder.name}
    with tempfile.TemporaryDirectory(prefix="soundalike-anomalies-") as folder:
        for speed_hz in SPEEDS_HZ:
            write_machine(Path(folder) / f"{speed_hz:g}", speed_hz)
        report["machines"] = machines(Path(folder), encoder)
    if arguments.healthy:
        report["healthy"] = healthy(arguments.healthy, encoder)
    if arguments.labelled:
        report["labelled"] = labelled(arguments.labelled, encoder)
    print(json.dumps(report, indent=2))
    return 0


def heard_in(folder: Path, encoder: Encoder) -> _Heard:
    """Return the recordings of a folder by path."""
    files = find_files([str(folder)]).files
    found = zip(files, listen(files, encoder, PLAN), strict=True)
    return {path: one.recording for path, one in found if one.recording is not None}


def machines(folder: Path, encoder: Encoder) -> dict[str, Any]:
    """Return AUC by fault and level, false alarms with and without drift, and the speed."""
    heard = heard_in(folder, encoder)
    aucs: dict[str, list[float]] = {}
    rates, alarms, aged, followed = [], [], [], []
    for machine in sorted(folder.iterdir()):
        model = fit(_under(heard, machine / "train"), index_spec(encoder, PLAN))
        normal = _scores(model, _named(heard, machine / "test", "OK_"))
        for fault in FAULTS:
            for db in LEVELS_DB:
                faulty = _scores(model, _named(heard, machine / "test", f"KO_{fault}_{db:+d}dB"))
                truth = np.repeat((0, 1), (len(normal), len(faulty)))
                auc = float(roc_auc_score(truth, np.concatenate((normal, faulty))))
                aucs.setdefault(f"{fault} {db:+d} dB", []).append(auc)
        rates.append(model.calibration.rate)
        alarms.append(float((normal > model.calibration.threshold).mean()))
        drifting = _under(heard, machine / "drift")
        half = len(drifting) // 2
        aged.append(_alarms(model, drifting[half:]))
        later = fit([*model.recordings, *drifting[:half]], model.spec)
        followed.append(_alarms(later, drifting[half:]))
    return {
        "auc": {name: round(float(np.mean(values)), 4) for name, values in aucs.items()},
        "stated_false_alarms": round(float(np.mean(rates)), 4),
        "observed_false_alarms": round(float(np.mean(alarms)), 4),
        "false_alarms_after_drift": round(float(np.mean(aged)), 4),
        "the_same_with_the_first_half_accepted": round(float(np.mean(followed)), 4),
        **speed(folder, encoder, model),
    }


def healthy(n_machines: int, encoder: Encoder) -> dict[str, Any]:
    """Return the stated and the observed rate of false alarms of many machines without faults.

    The deviation is that of the mean over machines: alarms of one machine have the same threshold.
    """
    stated, observed = [], []
    rng = np.random.default_rng(n_machines)
    for _ in range(n_machines):
        with tempfile.TemporaryDirectory(prefix="soundalike-anomalies-") as name:
            folder = Path(name)
            write_machine(folder, rng.uniform(10, 60), is_healthy=True)
            heard = heard_in(folder, encoder)
            model = fit(_under(heard, folder / "train"), index_spec(encoder, PLAN))
            stated.append(model.calibration.rate)
            observed.append(_alarms(model, _under(heard, folder / "test")))
    return {
        "machines": n_machines,
        "stated_false_alarms": round(float(np.mean(stated)), 4),
        "observed_false_alarms": round(float(np.mean(observed)), 4),
        "deviation": round(float(np.std(observed) / np.sqrt(n_machines)), 4),
    }


def speed(folder: Path, encoder: Encoder, model: NormalModel) -> dict[str, float]:
    """Return how many seconds of sound are scored in a second, and in a second of one processor."""
    files = find_files([str(folder)]).files
    began, spent = time.perf_counter(), _processor_s()
    seconds = 0.0
    for one in listen(files, encoder, PLAN):
        if one.recording is not None:
            model.score(one.recording)
            seconds += one.recording.spans[-1][1]
    return {
        "times_real_time": round(seconds / (time.perf_counter() - began)),
        "times_real_time_of_one_processor": round(seconds / (_processor_s() - spent)),
    }


def _processor_s() -> float:
    """Return the processor time of this process and of those that decode."""
    own = psutil.Process()
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def labelled(folder: Path, encoder: Encoder) -> dict[str, Any]:
    """Return the measures of each class, and their means."""
    heard = heard_in(folder, encoder)
    labels = sorted({path.parent.name for path in heard})
    results = []
    for label in labels:
        train, normal, anomalous = (
            [one for path, one in heard.items() if path.name[0] in folds and is_wanted(path)]
            for folds, is_wanted in (
                ("12", lambda path, label=label: path.parent.name == label),
                ("3", lambda path, label=label: path.parent.name == label),
                ("3", lambda path, label=label: path.parent.name != label),
            )
        )
        model = fit(train, index_spec(encoder, PLAN))
        results.append(evaluate_machine(label, model, normal, anomalous))
    return {"classes": [found.to_json() for found in results], "mean": mean_of(results)}


def _under(heard: _Heard, folder: Path) -> list[NormalRecording]:
    return [one for path, one in heard.items() if path.is_relative_to(folder)]


def _named(heard: _Heard, folder: Path, begin: str) -> list[NormalRecording]:
    return [one for path, one in heard.items() if path.parent == folder and path.name.startswith(begin)]


def _scores(model: NormalModel, recordings: Sequence[NormalRecording]) -> Any:
    return np.array([model.score(one).score for one in recordings])


def _alarms(model: NormalModel, recordings: Sequence[NormalRecording]) -> float:
    return float((_scores(model, recordings) > model.calibration.threshold).mean())


if __name__ == "__main__":
    raise SystemExit(main())
