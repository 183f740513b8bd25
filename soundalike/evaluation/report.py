"""The HTML report of an evaluation, for one setting or several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from xml.etree.ElementTree import Element

from soundalike.evaluation import bootstrap
from soundalike.evaluation.html import Child, element, page, table
from soundalike.evaluation.plots import MAX_HEAT_LABELS, heat_map, key_line, recall_plot
from soundalike.evaluation.reliability import EXPECTED
from soundalike.evaluation.results import (
    METRICS,
    NO_ANSWER,
    Estimate,
    Evaluation,
    confusion,
    differences,
    frequent_mistakes,
    letters,
    per_class,
    worst_queries,
)
from soundalike.types import Window

METRIC_NAMES = {"p_at_1": "P@1", "p_at_5": "P@5", "map": "mAP", "mrr": "MRR"}
_WORST = 20
_MISTAKES = 20
_CLASS_METRICS = ("p_at_1", "p_at_5", "map")


def render(
    results: Sequence[Evaluation],
    folder: Path,
    options: Mapping[str, str],
    *,
    made_at: datetime | None = None,
) -> str:
    """Return the report as an HTML document.

    Parameters
    ----------
    results : sequence of Evaluation
        One per setting, at most six; the others are compared with the first.
    folder : Path
        Folder of the clips; paths are shown relative to it.
    options : mapping of str to str
        Other options of the evaluation, for example the fold pattern.
    made_at : datetime, optional
        Time of the report; now by default.
    """
    title = f"Evaluation of {folder.name or folder}"
    made_at = made_at or datetime.now(UTC)
    return page(
        title,
        resources.files("soundalike.evaluation").joinpath("style.css").read_text(encoding="utf-8"),
        element("h1", title),
        element(
            "p", f"soundalike {version('soundalike')}, {made_at:%Y-%m-%d %H:%M} UTC", class_="quiet"
        ),
        *_settings(results, folder, options),
        *_means(results),
        *_classes(results),
        *_curves(results),
        *_false_alarms(results),
        *_confusions(results),
        *_worst(results, folder),
        *_failures(results[0], folder),
    )


def _settings(results: Sequence[Evaluation], folder: Path, options: Mapping[str, str]) -> list[Element]:
    first = results[0]
    rows = [
        ("Clips", str(folder)),
        *options.items(),
        ("Clips read", f"{first.n_clips}, {len(first.failed)} failed"),
        ("Queries", f"{first.n_queries}, of {first.n_labels} labels"),
        ("Candidates", str(first.n_candidates)),
        ("Random ranking", f"P@1 {first.chance:.3f}"),
    ]
    settings = [
        (
            *([name] if len(results) > 1 else []),
            result.setting.encoder,
            result.setting.precision,
            f"{result.setting.window_s:g} s",
            f"{result.setting.stride_s:g} s",
            f"{result.setting.example_hop_s:g} s",
            str(result.n_windows),
            result.setting.fingerprint[:16],
        )
        for name, result in zip(letters(results), results, strict=True)
    ]
    header = ("Encoder", "Precision", "Window", "Stride", "Example hop", "Windows", "Fingerprint")
    return [
        element("h2", "Settings"),
        table("Data", ("", ""), rows, numbers=False),
        table(
            "Encoder and windows", ("", *header) if len(results) > 1 else header, settings, numbers=False
        ),
    ]


def _means(results: Sequence[Evaluation]) -> list[Element]:
    names = letters(results)
    header = ("", *(METRIC_NAMES[metric] for metric in METRICS))
    rows = [
        (name if len(results) > 1 else "mean", *(_estimate(result.estimates[m]) for m in METRICS))
        for name, result in zip(names, results, strict=True)
    ]
    caption = (
        f"Means over {results[0].n_queries} queries, with 95 % intervals: percentile bootstrap, "
        f"{bootstrap.N_RESAMPLES} resamples of the queries, seed {bootstrap.SEED}"
    )
    parts = [element("h2", "Means"), table(caption, header, rows)]
    if len(results) > 1:
        compared = [(name, differences(results[0], result)) for name, result in _others(results)]
        rows = [
            (f"{name} - {names[0]}", *(_estimate(found[metric], "+") for metric in METRICS))
            for name, found in compared
        ]
        caption = "Differences, from the same resamples of the same queries (paired)"
        parts.append(table(caption, header, rows))
        parts.append(
            element(
                "p",
                "An interval that excludes 0 indicates a real difference for such queries. With many "
                "settings, some intervals exclude 0 by chance.",
                class_="quiet",
            )
        )
    return parts


def _others(results: Sequence[Evaluation]) -> list[tuple[str, Evaluation]]:
    return list(zip(letters(results), results, strict=True))[1:]


def _estimate(found: Estimate, sign: str = "") -> str:
    value, low, high = (f"{number:{sign}.3f}" for number in found)
    return f"{value} [{low}, {high}]"


def _classes(results: Sequence[Evaluation]) -> list[Element]:
    tables = [per_class(result) for result in results]
    rows = [
        (
            found[0].label,
            str(found[0].n_queries),
            *(
                _bars([getattr(one, metric) for one in found], letters(results))
                for metric in _CLASS_METRICS
            ),
        )
        for found in zip(*tables, strict=True)
    ]
    header = ("Label", "Queries", *(METRIC_NAMES[metric] for metric in _CLASS_METRICS))
    return [element("h2", "Classes"), table("Means over the queries of each label", header, rows)]


def _bars(values: Sequence[float], names: Sequence[str]) -> Element:
    cells: list[Child] = []
    for number, (value, name) in enumerate(zip(values, names, strict=True)):
        bar = element("span", class_=f"bar s{number}", style=f"width:{100 * value:.1f}%")
        cells += [
            element("span", name if len(values) > 1 else None, class_="quiet"),
            element("span", bar, class_="track"),
            element("span", f"{value:.3f}"),
        ]
    return element("div", *cells, class_="bars")


def _curves(results: Sequence[Evaluation]) -> list[Element]:
    names = letters(results)
    curves = {name: result.recall_curve for name, result in zip(names, results, strict=True)}
    keys = [
        element("li", key_line(number), f" {name}: {result.setting}")
        for number, (name, result) in enumerate(zip(names, results, strict=True))
    ]
    return [
        element("h2", "Precision and recall"),
        element(
            "p",
            "Interpolated precision at each recall: mean over the queries.",
        ),
        element("div", recall_plot(curves), class_="wide"),
        element("ul", *keys, class_="keys")
        if len(results) > 1
        else element("p", str(results[0].setting)),
    ]


def _false_alarms(results: Sequence[Evaluation]) -> list[Element]:
    heading = element("h2", "False-alarm rates")
    found = [result.reliability for result in results]
    if None in found:
        return [heading, element("p", "There are too few clips.")]
    known = [each for each in found if each is not None]
    shares = zip(EXPECTED, *(each.observed for each in known), strict=True)
    rows = [
        tuple("-" if share is None else f"{share:.2g}" for share in (expected, *observed))
        for expected, *observed in shares
    ]
    names = letters(results) if len(results) > 1 else ["Observed"]
    caption = (
        f"Share of {known[0].n_pairs} pairs of held-out clips with different labels that have this rate "
        "or a lower one"
    )
    return [heading, table(caption, ("Rate", *names), rows)]


def _confusions(results: Sequence[Evaluation]) -> list[Element]:
    parts = [
        element("h2", "Confusions"),
        element(
            "p",
            "Rows: label of the query. Columns: label of the first answer. Shades: share of the row.",
        ),
    ]
    tables = [{(cell.query, cell.answer): cell.count for cell in confusion(r)} for r in results]
    labels = sorted({label for cells in tables for pair in cells for label in pair if label is not None})
    if len(labels) <= MAX_HEAT_LABELS:
        maps = [
            element(
                "div",
                element("h3", name) if len(results) > 1 else None,
                heat_map(labels, cells, f"Confusions {name}"),
                class_="wide",
            )
            for name, cells in zip(letters(results), tables, strict=True)
        ]
        parts.append(element("div", *maps, class_="side"))
    else:
        parts.append(element("p", f"{len(labels)} labels are too many for a heat map."))
    found = frequent_mistakes(results)
    counted = letters(results) if len(results) > 1 else ["Mistakes"]
    rows = [
        (query, NO_ANSWER if answer is None else answer, *map(str, counts))
        for query, answer, counts in found[:_MISTAKES]
    ]
    caption = f"The most frequent mistakes: {len(rows)} of {len(found)} pairs of labels"
    parts.append(table(caption, ("Query", "First answer", *counted), rows, numbers=False))
    return parts


def _worst(results: Sequence[Evaluation], folder: Path) -> list[Element]:
    parts = [
        element("h2", "Worst queries"),
        element(
            "p",
            "Queries with a wrong first answer, by average precision (AP). The times are those "
            "of the most similar pair of windows.",
        ),
    ]
    header = ("Query", "Label", "First answer", "Its label", "Score", "Query at", "Answer at", "AP")
    for name, result in zip(letters(results), results, strict=True):
        rows = [_query_row(result, index, folder) for index in worst_queries(result, _WORST)]
        n_wrong = int((result.values[METRICS.index("p_at_1")] == 0).sum())
        caption = f"{len(rows)} of {n_wrong} queries whose first answer is wrong"
        named = f"{name}: {caption}" if len(results) > 1 else caption
        parts.append(table(named, header, rows, numbers=False))
    return parts


def _query_row(result: Evaluation, index: int, folder: Path) -> tuple[str, ...]:
    query = result.queries[index]
    found = query.answer
    ap = f"{result.values[METRICS.index('map'), index]:.3f}"
    path = _shown_path(query.clip.path, folder)
    if found is None:
        return (path, query.clip.label, NO_ANSWER, "", "", "", "", ap)
    return (
        path,
        query.clip.label,
        _shown_path(found.clip.path, folder),
        found.clip.label,
        f"{found.score:.3f}",
        _seconds(found.query_window),
        _seconds(found.window),
        ap,
    )


def _seconds(window: Window) -> str:
    return f"{window.start_s:.1f} to {window.end_s:.1f} s"


def _failures(result: Evaluation, folder: Path) -> list[Element]:
    if not result.failed:
        return [element("h2", "Failures"), element("p", "All clips could be read.")]
    rows = [
        (_shown_path(Path(failure.path), folder), failure.code, failure.message)
        for failure in result.failed
    ]
    caption = f"{len(rows)} clips could not be read and were skipped"
    return [
        element("h2", "Failures"),
        table(caption, ("Clip", "Code", "Reason"), rows, numbers=False),
    ]


def _shown_path(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder) if path.is_relative_to(folder) else str(path)
