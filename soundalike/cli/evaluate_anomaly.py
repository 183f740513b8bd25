"""``soundalike evaluate --anomaly``: measure anomaly detection on labelled recordings of machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.anomalies.requests import LearnRequest
from soundalike.cli import opening, output
from soundalike.cli.normal_score import tell_heard
from soundalike.cli.page_file import check_place, write_page
from soundalike.cli.paths import sound_files
from soundalike.errors import AudioError, AudioNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soundalike.anomalies.evaluation import MachineResult
    from soundalike.anomalies.results import NormalRecording
    from soundalike.audio.windows import WindowPlan
    from soundalike.cli.place import Place
    from soundalike.encoders.base import Encoder


@dataclass(frozen=True, kw_only=True)
class EvaluateAnomalyRequest:
    """Labelled recordings of machines, and how to learn what is normal.

    Attributes
    ----------
    folder : Path
    learning : LearnRequest
    report : Path or None
        Where everything is written as a page.

    Raises
    ------
    AudioNotFound, ParameterError
        There is no such folder, or the report cannot be written there.
    """

    folder: Path
    learning: LearnRequest
    report: Path | None = None

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise AudioNotFound(f"{str(self.folder)!r} is not a folder; give one with train and test")
        if self.report:
            check_place("report", self.report, ".html", ".htm")


def run(request: EvaluateAnomalyRequest, place: Place, *, as_json: bool) -> int:
    """Learn and score each machine, print the measures, and write the report."""
    from soundalike.anomalies.evaluation import evaluate_machine, mean_of
    from soundalike.anomalies.layouts import find_machines
    from soundalike.anomalies.model import fit
    from soundalike.anomalies.requests import DEFAULT_RATE
    from soundalike.encoders.base import index_spec

    folder = request.folder.absolute()
    machines = find_machines(folder, sound_files([str(folder)]).files)
    files = [path for one in machines.values() for path in (*one.train, *one.normal, *one.anomalous)]
    opening.start_decoding(len(files))
    encoder = opening.encoder_of(place.settings())
    spec = index_spec(encoder, place.windows())
    heard, failed = _listen(encoder, place.windows(), request.learning, files)
    results: list[MachineResult] = []
    for name, machine in machines.items():
        train, normal, anomalous = (
            [heard[path] for path in paths if path in heard]
            for paths in (machine.train, machine.normal, machine.anomalous)
        )
        if not normal or not anomalous:
            output.note(f"{name} is left out: no normal or no anomalous recording could be read")
            continue
        model = fit(
            train,
            spec,
            method=request.learning.method or "auto",
            false_alarm_rate=request.learning.false_alarm_rate or DEFAULT_RATE,
        )
        results.append(evaluate_machine(name, model, normal, anomalous))
    if not results:
        raise AudioNotFound("no machine has recordings that can be read; check the files")
    if as_json:
        for found in results:
            output.json_line(found.to_json())
        output.json_line({"machines": len(results), "failed": failed, "mean": mean_of(results)})
    else:
        output.table(_table(results))
    if request.report:
        from soundalike.anomalies.report import render

        write_page("report", request.report, render(results, folder))
    return AudioError.exit_status if failed else 0


def _listen(
    encoder: Encoder, plan: WindowPlan, learning: LearnRequest, files: Sequence[Path]
) -> tuple[dict[Path, NormalRecording], int]:
    """Embed files; return the usable ones by path, and the number of failures."""
    from soundalike.anomalies.detector import listen

    show = output.progress(len(files), "listening")
    heard: dict[Path, NormalRecording] = {}
    failed = 0
    found = listen(files, encoder, plan, request=learning)
    for number, (path, one) in enumerate(zip(files, found, strict=True), start=1):
        show(number)
        if one.recording is None:
            failed += 1
            tell_heard(one)
        else:
            heard[path] = one.recording
    return heard, failed


def _table(results: Sequence[MachineResult]) -> list[str]:
    from soundalike.anomalies.evaluation import mean_of

    header = (
        *("machine", "learned", "normal", "anomalous", "auc", "partial_auc"),
        *("stated", "observed", "detected"),
    )
    lines = [
        (
            found.name,
            str(len(found.model.recordings)),
            str(len(found.normal)),
            str(len(found.anomalous)),
            *_measures(found.to_json()),
        )
        for found in results
    ]
    if len(results) > 1:
        lines.append(("mean", "", "", "", *_measures(mean_of(results))))
    return output.columns([header, *lines], right=range(1, len(header)))


def _measures(row: dict[str, float]) -> tuple[str, ...]:
    return (
        f"{row['auc']:.3f}",
        f"{row['partial_auc']:.3f}",
        f"{row['false_alarm_rate']:.1%}",
        f"{row['observed_false_alarms']:.1%}",
        f"{row['detected']:.1%}",
    )
