"""``soundalike normal score``: score recordings, and explain the scores on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.cli import opening, output
from soundalike.cli.page_file import write_page
from soundalike.cli.paths import sound_files
from soundalike.errors import AudioError, AudioNotFound

if TYPE_CHECKING:
    from soundalike.anomalies.detector import HeardFile, ScoredFile
    from soundalike.cli.place import Place
    from soundalike.config import Settings
    from soundalike.encoders.base import Encoder
    from soundalike.types import IndexSpec

#: Exit status where a recording is anomalous, and none failed.
ANOMALOUS = 1


def settings_for(place: Place, spec: IndexSpec | None) -> Settings:
    """Return the settings; where no encoder is named, the model's own is taken."""
    settings = place.settings()
    if spec is not None and settings.model == "auto":
        return replace(settings, model=spec.encoder)
    return settings


def encoder_for(place: Place, name: str, spec: IndexSpec) -> Encoder:
    """Load the encoder of a model.

    Raises
    ------
    ModelMismatch
        The encoder or the windows that are asked for are not those of the model.
    """
    from soundalike.anomalies.detector import check_same
    from soundalike.encoders.base import index_spec

    encoder = opening.encoder_of(settings_for(place, spec))
    check_same(name, spec, index_spec(encoder, place.windows(spec)))
    return encoder


def tell_heard(heard: HeardFile | ScoredFile) -> None:
    """Write the warnings and the error of a file to stderr."""
    name = output.visible(output.short_path(heard.uri))
    for warning in heard.warnings:
        output.note(f"warning: {name}: {output.visible(warning)}")
    if heard.error is not None:
        output.note(f"failed: {name}: {output.visible(heard.error.message)} [{heard.error.code}]")


def run(place: Place, name: str, paths: Sequence[str], report: Path | None, *, as_json: bool) -> int:
    """Score recordings, print the scores, and write the page."""
    from soundalike.anomalies.detector import Detector

    if service := place.service("--report" if report else ""):
        files, missing = _named(paths)
        found = service.normal.score(name, files)
        return _written(name, found, AudioError.exit_status if missing else 0, as_json=as_json)[0]
    opening.start_decoding(opening.UNKNOWN)
    with opening.opened_store(place.settings()) as store:
        detector = Detector(store)
        model = detector.model(name)
        files, missing = _named(paths)
        found = detector.score(name, files, encoder_for(place, name, model.spec))
        status, scores = _written(name, found, AudioError.exit_status if missing else 0, as_json=as_json)
    if report is not None:
        from soundalike.anomalies.score_page import render

        write_page("report", report, render(name, scores))
    return status


def _written(
    name: str, found: Iterable[ScoredFile], status: int, *, as_json: bool
) -> tuple[int, list[ScoredFile]]:
    """Print scores as they come; return the exit status, and the scores."""
    scores = []
    for scored in found:
        tell_heard(scored)
        if scored.score is None:
            status = AudioError.exit_status
        elif scored.score.is_anomalous:
            status = status or ANOMALOUS
        _write_score(name, scored, as_json=as_json)
        scores.append(scored)
    return status, scores


def _named(paths: Sequence[str]) -> tuple[list[Path], int]:
    """Return the sound files that paths name, and the number of paths that name nothing."""
    files: list[Path] = []
    missing = 0
    for path in paths:
        try:
            files += sound_files([path]).files
        except AudioNotFound as exc:
            if len(paths) == 1:
                raise
            missing += 1
            output.note(f"failed: {output.visible(exc.message)} [{exc.code}]")
    if not files and not missing:
        raise AudioNotFound(f"no sound files are in {', '.join(paths)}; check the path")
    return files, missing


def _write_score(name: str, scored: ScoredFile, *, as_json: bool) -> None:
    if as_json:
        row: dict[str, Any] = {"uri": scored.uri, "name": name}
        if scored.score is not None:
            row |= scored.score.to_json()
        elif scored.error is not None:
            row |= {"error_code": scored.error.code, "error": scored.error.message}
        output.json_line({**row, "warnings": list(scored.warnings)})
    elif scored.score is not None:
        output.data(score_line(scored))


def score_line(scored: ScoredFile) -> str:
    """Return a score for people: the verdict, the unusual seconds, and the nearest normal clip."""
    found = scored.score
    assert found is not None
    verdict = output.styled("ANOMALOUS", "red") if found.is_anomalous else "normal   "
    where = ", ".join(output.seconds(region.start_s, region.end_s) for region in found.regions)
    nearest = found.nearest
    span = output.seconds(nearest.start_s, nearest.end_s)
    return (
        f"{verdict}  {output.visible(output.short_path(scored.uri))}  score {found.score:.3f} "
        f"(threshold {found.threshold:.3f}, {found.false_alarm_rate:.1%} false alarms)"
        f"{'  unusual: ' + where if where else ''}"
        f"  nearest normal: {output.visible(output.short_path(nearest.uri))} {span}"
    )
