"""``soundalike evaluate``: measure retrieval on labelled clips, with one setting or several."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.audio.files import NO_TRACK, FileList
from soundalike.audio.windows import WindowPlan
from soundalike.cli import output
from soundalike.cli.commands import encoder_of, settings_from, start_decoding
from soundalike.cli.paths import list_left_out, metadata_tables, note_left_out, sound_files
from soundalike.config import MODELS, PRECISIONS, Settings
from soundalike.errors import AudioError, AudioNotFound, ParameterError

if TYPE_CHECKING:
    from soundalike.encoders.base import Encoder
    from soundalike.evaluation import Evaluation, LabelledClip
    from soundalike.evaluation.results import Failure

#: What ``--compare`` may change.
COMPARE_KEYS = ("model", "checkpoint", "precision", "window_size", "stride", "example_hop")
_TEXT_KEYS = COMPARE_KEYS[:3]
#: Settings that a table and a plot can still show apart.
MAX_SETTINGS = 6
_SHOWN_FAILURES = 20
_MIN_HOP_S, _MAX_HOP_S = 0.01, 3600.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A setting before its encoder is loaded."""

    settings: Settings
    plan: WindowPlan
    example_hop_s: float


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the metrics, and write the report where one is asked for."""
    from soundalike import evaluation

    # Whatever can be wrong without a second's work is found first.
    wanted = _wanted(arguments)
    if arguments.report:
        _check_report(arguments.report)
    tables, files = metadata_tables(arguments, FileList() if arguments.metadata else _files(arguments))
    clips = _clips(arguments, files, tables)
    start_decoding(len(clips))
    results: list[Evaluation] = []
    for each, encoder in zip(wanted, _encoders(wanted), strict=True):
        which = "" if len(wanted) == 1 else f" {len(results) + 1}/{len(wanted)}"
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
    _note_left_out(arguments, files, results[0])
    results = [_without_films(result, files) for result in results]
    failed = results[0].failed
    _note_failures(failed)
    if arguments.json:
        for result in results:
            output.json_line(json_row(result, results[0]))
    else:
        from soundalike.cli import evaluation_tables

        for line in evaluation_tables.lines(results):
            output.data(line)
    _note_what_is_odd(results[0])
    if arguments.report:
        _write_report(arguments, results)
    return AudioError.exit_status if failed else 0


def _files(arguments: argparse.Namespace) -> FileList:
    """Return the sounds of the folder."""
    if not Path(arguments.folder).is_dir():
        raise _no_folder(arguments)
    return sound_files([arguments.folder])


def _no_folder(arguments: argparse.Namespace) -> AudioNotFound:
    return AudioNotFound(f"{arguments.folder!r} is not a folder; give one with a folder a label")


def _clips(arguments: argparse.Namespace, files: FileList, tables: Sequence[Path]) -> list[LabelledClip]:
    from soundalike import evaluation

    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise _no_folder(arguments)
    if arguments.list_skipped:
        list_left_out(files.left_out, as_json=arguments.json)
    if arguments.metadata:
        clips = evaluation.read_metadata(tables, folder)
        shown = ", ".join(output.visible(str(table)) for table in tables)
        output.note(f"{len(clips)} clips are named by {shown}")
    else:
        clips = evaluation.with_metadata(evaluation.labelled_clips(files.files), tables)
    clips = evaluation.with_folds(clips, arguments.fold_pattern)
    return evaluation.with_queries(clips, arguments.query_pattern)


def _wanted(arguments: argparse.Namespace) -> list[_Wanted]:
    standard = WindowPlan()
    base = {
        "window_size": standard.window_s if arguments.window_size is None else arguments.window_size,
        "stride": standard.stride_s if arguments.stride is None else arguments.stride,
        "example_hop": arguments.example_hop,
    }
    settings = settings_from(arguments)
    if len(arguments.compare) >= MAX_SETTINGS:
        raise ParameterError(
            f"{len(arguments.compare)} settings are to be compared; give --compare at most "
            f"{MAX_SETTINGS - 1} times"
        )
    changes = [{}, *(parse_setting(text) for text in arguments.compare)]
    return [_changed(settings, base, change) for change in changes]


def _changed(
    settings: Settings, base: Mapping[str, float], change: Mapping[str, str | float]
) -> _Wanted:
    values = {**base, **{key: float(change[key]) for key in base if key in change}}
    if not _MIN_HOP_S <= values["example_hop"] <= _MAX_HOP_S:
        raise ParameterError(
            f"example_hop is {values['example_hop']!r} s; give a distance from {_MIN_HOP_S:g} s to "
            f"{_MAX_HOP_S:g} s"
        )
    for key, choices in (("model", MODELS), ("precision", PRECISIONS)):
        if key in change and change[key] not in choices:
            raise ParameterError(f"{key} is {change[key]!r}; choose one of {', '.join(choices)}")
    settings = replace(
        settings,
        model=str(change.get("model", settings.model)),
        precision=str(change.get("precision", settings.precision)),
    )
    if "checkpoint" in change:
        settings = replace(settings, checkpoint=Path(str(change["checkpoint"])).expanduser())
    plan = WindowPlan(values["window_size"], values["stride"])
    return _Wanted(settings, plan, values["example_hop"])


def parse_setting(text: str) -> dict[str, str | float]:
    """Turn ``KEY=VALUE,KEY=VALUE`` into the settings that differ.

    Raises
    ------
    ParameterError
        A key is unknown or given twice, or a value is missing or no number.

    Examples
    --------
    >>> parse_setting("model=logmel-modulation,stride=1")
    {'model': 'logmel-modulation', 'stride': 1.0}
    """
    found: dict[str, str | float] = {}
    # A comma may be part of a path; what begins a new setting is a comma before a word and "=".
    for part in re.split(r",\s*(?=\w+=)", text.strip()):
        key, _, value = part.partition("=")
        if key not in COMPARE_KEYS or not value:
            raise ParameterError(
                f"--compare {text!r}: {part!r} is no setting; write KEY=VALUE with one of "
                f"{', '.join(COMPARE_KEYS)}, and commas between them"
            )
        if key in found:
            raise ParameterError(f"--compare {text!r} gives {key} twice; repeat --compare instead")
        found[key] = value if key in _TEXT_KEYS else _number(key, value, text)
    return found


def _number(key: str, value: str, text: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ParameterError(f"--compare {text!r}: {key} is {value!r}, which is no number") from None


def _encoders(wanted: Sequence[_Wanted]) -> list[Encoder]:
    """Load each encoder once, and all before the first clip is read."""
    loaded: dict[tuple[object, ...], Encoder] = {}
    keys = [(each.settings.model, each.settings.checkpoint, each.settings.precision) for each in wanted]
    for key, each in zip(keys, wanted, strict=True):
        if key not in loaded:
            loaded[key] = encoder_of(each.settings)
    return [loaded[key] for key in keys]


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
    }
    if result is not first:
        found = differences(first, result)
        row["difference"] = {
            **{name: found[name].value for name in METRICS},
            **{f"{name}_ci": list(found[name][1:]) for name in METRICS},
        }
    return row


def _is_film(failure: Failure, files: FileList) -> bool:
    """Tell whether a clip that no table names failed for being a film without sound."""
    return bool(files.files) and files.may_skip(Path(failure.path), failure.code)


def _without_films(result: Evaluation, files: FileList) -> Evaluation:
    return replace(result, failed=[failure for failure in result.failed if not _is_film(failure, files)])


def _note_left_out(arguments: argparse.Namespace, files: FileList, result: Evaluation) -> None:
    films = {failure.path: NO_TRACK for failure in result.failed if _is_film(failure, files)}
    if arguments.list_skipped:
        list_left_out(films, as_json=arguments.json)
    note_left_out(files.skipped + len(films), is_listed=arguments.list_skipped)


def _note_failures(failed: Sequence[Failure]) -> None:
    for path, code, message in failed[:_SHOWN_FAILURES]:
        shown = output.visible(output.short_path(path))
        output.note(f"failed: {shown}: {output.visible(message)} [{code}]")
    if len(failed) > _SHOWN_FAILURES:
        output.note(f"and {len(failed) - _SHOWN_FAILURES} more; --json and --report list all")


def _note_what_is_odd(result: Evaluation) -> None:
    if result.chance == 1:
        output.note("every clip that a query may find has its label, so no answer can be wrong")
    silent = sum(query.answer is None for query in result.queries)
    if silent:
        output.note(
            f"queries without an answer: {silent}; they or all clips are silent, and they count as 0"
        )


def _check_report(path: Path) -> None:
    if path.suffix.lower() not in (".html", ".htm"):
        # So that a slip does not overwrite a recording or the metadata.
        raise ParameterError(f"report is {str(path)!r}; give a file that ends in .html")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ParameterError(f"report {str(path)!r} cannot be written there; give a file in a folder")


def _write_report(arguments: argparse.Namespace, results: Sequence[Evaluation]) -> None:
    from soundalike.evaluation.report import render

    page = render(results, Path(os.path.abspath(arguments.folder)), _options(arguments))
    try:
        # Names that are no UTF-8 are shown escaped, as on stdout.
        arguments.report.write_bytes(page.encode("utf-8", errors="backslashreplace"))
    except OSError as exc:
        raise ParameterError(
            f"report {str(arguments.report)!r} cannot be written: {exc.strerror}; give another place"
        ) from exc
    output.note(f"report: {output.visible(str(arguments.report))}")


def _options(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what decided which clips ask and answer, for the report."""
    given = {
        "Metadata": ", ".join(map(str, arguments.metadata)) or None,
        "Fold pattern": arguments.fold_pattern,
        "Query pattern": arguments.query_pattern,
    }
    return {name: str(value) for name, value in given.items() if value is not None}
