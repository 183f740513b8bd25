"""``soundalike evaluate``: measure retrieval on labelled clips, with one setting or several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.anomalies.requests import CHOICES, LearnRequest
from soundalike.audio.files import NO_TRACK, FileList
from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.evaluation_output import note_failures
from soundalike.cli.evaluation_settings import (
    COMPARE_KEYS,
    MAX_SETTINGS,
    Setting,
    encoders_of,
    parse_setting,
)
from soundalike.cli.page_file import check_place, write_page
from soundalike.cli.paths import LeftOut, metadata_tables, sound_files
from soundalike.errors import AudioError, AudioNotFound, ParameterError
from soundalike.indexing.requests import TableChoice

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.evaluation import Evaluation, LabelledClip
    from soundalike.evaluation.results import Failure


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """Labelled clips, and the settings that are measured on them.

    Attributes
    ----------
    folder : str
        With one folder a label.
    settings : tuple of Setting
        The first is what the others are compared with.
    tables : TableChoice
    fold_pattern, query_pattern : str or None
        Regular expressions for file names.
    report : Path or None
        Where everything is written as a page.

    Raises
    ------
    ParameterError
        There are too many settings, or the report cannot be written there.
    """

    folder: str
    settings: tuple[Setting, ...]
    tables: TableChoice
    fold_pattern: str | None = None
    query_pattern: str | None = None
    report: Path | None = None

    def __post_init__(self) -> None:
        if len(self.settings) > MAX_SETTINGS:
            raise ParameterError(
                f"{len(self.settings) - 1} settings are to be compared; give --compare at most "
                f"{MAX_SETTINGS - 1} times"
            )
        if self.report:
            check_place("report", self.report, ".html", ".htm")


@make_command(
    "evaluate",
    click.Argument(
        ["folder"],
        type=options.FileName(str),
        metavar="DIR",
        help="a folder with one subfolder for each label",
    ),
    *options.metadata(
        "label (or category), and if need be fold. Where it is named, only its clips are taken"
    ),
    options.flag(
        "--anomaly",
        help="measure how well soundalike normal finds anomalies instead: DIR has the recordings of one "
        "machine or several, as train/normal, test/OK_* and test/KO_*, or as MIMII or DCASE have them",
    ),
    options.option_of(
        LearnRequest,
        "false_alarm_rate",
        "--false-alarm-rate",
        more="; with --anomaly",
        type=float,
        metavar="RATE",
    ),
    options.option_of(
        LearnRequest, "method", "--method", more="; with --anomaly", type=click.Choice(CHOICES)
    ),
    click.Option(
        ["--fold-pattern"],
        metavar="REGEX",
        help="the first group matched in a file name is the clip's fold; a query's own fold is excluded",
    ),
    click.Option(
        ["--query-pattern"],
        metavar="REGEX",
        help="clips whose file name matches are the queries, all others are searched; a group "
        "(?P<label>...) is the query's label; default: every clip searches all others",
    ),
    click.Option(
        ["--example-hop"],
        type=float,
        metavar="S",
        help="distance between the examples of a window in seconds; default: the encoder's own; "
        "published VGGish: 0.96",
    ),
    click.Option(
        ["--compare"],
        multiple=True,
        metavar="KEY=VALUE,...",
        help="evaluate with other settings too and show the difference; keys: "
        f"{', '.join(COMPARE_KEYS)}; may be repeated",
    ),
    click.Option(
        ["--events"],
        type=options.FileName(),
        metavar="TRUTH",
        help="measure how well soundalike events finds the events of this table instead: CSV with "
        "file_name, start_s, end_s and label, Audacity's labels, or Raven's selections; DIR has the "
        "sounds to look for",
    ),
    click.Option(
        ["--min-score"],
        type=float,
        metavar="S",
        help="with --events: events with a lower score do not count for precision, recall and F1; "
        "default: the score with the highest F1",
    ),
    click.Option(
        ["--report"],
        type=options.FileName(),
        metavar="FILE.html",
        help="write the results to this page too",
    ),
    options.list_skipped(),
    *options.encoding(of_index=False),
    server="noted",
)
def command(
    place: Place,
    *,
    as_json: bool,
    metadata: tuple[Path, ...],
    no_metadata: bool,
    example_hop: float | None,
    compare: Sequence[str],
    list_skipped: bool,
    events: Path | None,
    min_score: float | None,
    anomaly: bool,
    false_alarm_rate: float | None,
    method: str | None,
    **given: Any,
) -> int:
    """Read the request, evaluate, print the metrics, and write the report where one is asked for."""
    learning = LearnRequest(false_alarm_rate=false_alarm_rate, method=method)
    if anomaly:
        from soundalike.cli import evaluate_anomaly

        learned = evaluate_anomaly.EvaluateAnomalyRequest(
            folder=Path(given["folder"]), learning=learning, report=given["report"]
        )
        return evaluate_anomaly.run(learned, place, as_json=as_json)
    if learning != LearnRequest():
        raise ParameterError("--false-alarm-rate and --method are for anomalies; add --anomaly")
    first = Setting(place.settings(), place.windows(), example_hop)
    others = [parse_setting(text) for text in compare]
    settings = (first, *map(first.changed, others))
    if events is not None:
        from soundalike.cli import evaluate_events

        events_request = evaluate_events.EvaluateEventsRequest(
            truth=events,
            queries=given["folder"],
            settings=settings,
            min_score=min_score,
            report=given["report"],
        )
        return evaluate_events.run(events_request, as_json=as_json)
    if min_score is not None:
        raise ParameterError("--min-score is for events; give their table with --events")
    request = EvaluateRequest(
        settings=settings,
        tables=TableChoice(metadata, not no_metadata),
        **given,
    )
    return run(request, LeftOut(is_listed=list_skipped, as_json=as_json), as_json=as_json)


def run(request: EvaluateRequest, left_out: LeftOut, *, as_json: bool) -> int:
    """Evaluate, print the metrics, and write the report where one is asked for."""
    from soundalike import evaluation

    is_named = bool(request.tables.named)
    tables, files = metadata_tables(request.tables, FileList() if is_named else _files(request.folder))
    clips = _clips(request, files, tables, left_out)
    opening.start_decoding(len(clips))
    results: list[Evaluation] = []
    for each, encoder in zip(request.settings, encoders_of(request.settings), strict=True):
        which = "" if len(request.settings) == 1 else f" {len(results) + 1}/{len(request.settings)}"
        show = output.progress(len(clips), f"embedding{which}")
        results.append(
            evaluation.evaluate(
                clips,
                encoder,
                each.plan,
                example_hop_s=each.example_hop_s,
                on_progress=lambda done, _, show=show: show(done),  # type: ignore[misc]
            )
        )
    _note_left_out(left_out, files, results[0])
    results = [_without_films(result, files) for result in results]
    failed = results[0].failed
    note_failures(failed)
    if as_json:
        for result in results:
            output.json_line(json_row(result, results[0]))
    else:
        from soundalike.cli import evaluation_tables

        for line in evaluation_tables.lines(results):
            output.data(line)
    _note_what_is_odd(results[0])
    if request.report:
        _write_report(request.report, request, results)
    return AudioError.exit_status if failed else 0


def _files(folder: str) -> FileList:
    """Return the sounds of the folder."""
    if not Path(folder).is_dir():
        raise _no_folder(folder)
    return sound_files([folder])


def _no_folder(folder: str) -> AudioNotFound:
    return AudioNotFound(f"{folder!r} is not a folder; give one with a folder a label")


def _clips(
    request: EvaluateRequest, files: FileList, tables: Sequence[Path], left_out: LeftOut
) -> list[LabelledClip]:
    from soundalike import evaluation

    folder = Path(request.folder)
    if not folder.is_dir():
        raise _no_folder(request.folder)
    left_out.tell(files.left_out)
    if request.tables.named:
        clips = evaluation.read_metadata(tables, folder)
        shown = ", ".join(output.visible(str(table)) for table in tables)
        output.note(f"{len(clips)} clips are named by {shown}")
    else:
        clips = evaluation.with_metadata(evaluation.labelled_clips(files.files), tables)
    clips = evaluation.with_folds(clips, request.fold_pattern)
    return evaluation.with_queries(clips, request.query_pattern)


def json_row(result: Evaluation, first: Evaluation) -> dict[str, Any]:
    """Return one setting's figures as a JSON object; but for the first setting, with differences."""
    from soundalike.evaluation import bootstrap
    from soundalike.evaluation.results import METRICS, confusion, differences, per_class

    row: dict[str, Any] = {
        "encoder": result.encoder,
        "n_clips": result.n_clips,
        "n_queries": result.n_queries,
        "n_labels": result.n_labels,
        **{name: result.estimates[name].value for name in METRICS},
        "failed": len(result.failed),
        **{f"{name}_ci": list(result.estimates[name][1:]) for name in METRICS},
        "ci": {
            "method": "percentile bootstrap over the queries",
            "confidence": bootstrap.CONFIDENCE,
            "resamples": bootstrap.N_RESAMPLES,
            "seed": bootstrap.SEED,
        },
        "chance": result.chance,
        "n_candidates": result.n_candidates,
        "n_windows": result.n_windows,
        "setting": asdict(result.setting),
        "per_class": [asdict(found) for found in per_class(result)],
        "confusion": [asdict(cell) for cell in confusion(result)],
        "failures": [failure._asdict() for failure in result.failed],
        "false_alarms": _false_alarms(result),
    }
    if result is not first:
        found = differences(first, result)
        row["difference"] = {
            **{name: found[name].value for name in METRICS},
            **{f"{name}_ci": list(found[name][1:]) for name in METRICS},
        }
    return row


def _false_alarms(result: Evaluation) -> dict[str, Any] | None:
    """Return expected and observed false-alarm rates; None if there are too few clips."""
    from soundalike.evaluation.reliability import EXPECTED

    found = result.reliability
    if found is None:
        return None
    rates = [
        {"expected": expected, "observed": observed}
        for expected, observed in zip(EXPECTED, found.observed, strict=True)
    ]
    return {"pairs": found.n_pairs, "rates": rates}


def _is_film(failure: Failure, files: FileList) -> bool:
    """Tell whether a clip that no table names failed for being a film without sound."""
    return bool(files.files) and files.may_skip(Path(failure.path), failure.code)


def _without_films(result: Evaluation, files: FileList) -> Evaluation:
    return replace(result, failed=[failure for failure in result.failed if not _is_film(failure, files)])


def _note_left_out(left_out: LeftOut, files: FileList, result: Evaluation) -> None:
    films = {failure.path: NO_TRACK for failure in result.failed if _is_film(failure, files)}
    left_out.tell(films)
    left_out.sum_up(files.skipped + len(films))


def _note_what_is_odd(result: Evaluation) -> None:
    if result.chance == 1:
        output.note("every clip that a query may find has its label, so no answer can be wrong")
    silent = sum(query.answer is None for query in result.queries)
    if silent:
        output.note(
            f"queries without an answer: {silent}; they or all clips are silent, and they count as 0"
        )


def _write_report(path: Path, request: EvaluateRequest, results: Sequence[Evaluation]) -> None:
    from soundalike.evaluation.report import render

    page = render(results, Path(os.path.abspath(request.folder)), _options(request))
    write_page("report", path, page)


def _options(request: EvaluateRequest) -> dict[str, str]:
    """Return what decided which clips ask and answer, for the report."""
    given = {
        "Metadata": ", ".join(map(str, request.tables.named)) or None,
        "Fold pattern": request.fold_pattern,
        "Query pattern": request.query_pattern,
    }
    return {name: str(value) for name, value in given.items() if value is not None}
