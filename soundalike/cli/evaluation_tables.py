"""The tables that ``soundalike evaluate`` prints for people."""

from __future__ import annotations

from collections.abc import Sequence

from soundalike.cli import output
from soundalike.evaluation.reliability import EXPECTED
from soundalike.evaluation.results import (
    METRICS,
    NO_ANSWER,
    Estimate,
    Evaluation,
    differences,
    frequent_mistakes,
    letters,
    per_class,
)

_SHOWN_MISTAKES = 10
_LONGEST_LABEL = 40
#: Of each setting, where several stand side by side.
_CLASS_METRICS = ("p_at_1", "map")


def lines(results: Sequence[Evaluation]) -> list[str]:
    """Return everything about one setting, or about several side by side."""
    means = [_summary(results[0])] if len(results) == 1 else [_settings(results), _means(results)]
    parts = [*means, _classes(results), _mistakes(results), _false_alarms(results)]
    parts = [part for part in parts if part]
    return [line for part in parts for line in ["", *part]][1:]


def _summary(result: Evaluation) -> list[str]:
    rows = [
        ("encoder", result.encoder),
        *_counts(result),
        *((name, _estimate(result.estimates[name])) for name in METRICS),
    ]
    return output.columns(rows)


def _counts(result: Evaluation) -> list[tuple[str, str]]:
    counts = {
        "n_clips": result.n_clips,
        "n_queries": result.n_queries,
        "n_labels": result.n_labels,
        "failed": len(result.failed),
        "chance": f"{result.chance:.3f}",
    }
    return [(name, str(value)) for name, value in counts.items()]


def _settings(results: Sequence[Evaluation]) -> list[str]:
    rows = [
        (name, f"{result.setting}, {result.n_windows} windows")
        for name, result in zip(letters(results), results, strict=True)
    ]
    return output.columns([*rows, *_counts(results[0])])


def _means(results: Sequence[Evaluation]) -> list[str]:
    names = letters(results)
    rows: list[tuple[str, ...]] = [("", *METRICS)]
    for name, result in zip(names, results, strict=True):
        rows.append((name, *(_estimate(result.estimates[metric]) for metric in METRICS)))
    for name, result in zip(names[1:], results[1:], strict=True):
        found = differences(results[0], result)
        rows.append(
            (f"{name} - {names[0]}", *(_estimate(found[metric], sign="+") for metric in METRICS))
        )
    return output.columns(rows)


def _estimate(found: Estimate, sign: str = "") -> str:
    value, low, high = (f"{number:{sign}.3f}" for number in found)
    return f"{value} [{low}, {high}]"


def _classes(results: Sequence[Evaluation]) -> list[str]:
    tables = [per_class(result) for result in results]
    metrics = METRICS if len(results) == 1 else _CLASS_METRICS
    prefixes = [""] if len(results) == 1 else [f"{name} " for name in letters(results)]
    header = ("label", "queries", *(prefix + metric for metric in metrics for prefix in prefixes))
    rows = [
        (
            _label(same_label[0].label),
            str(same_label[0].n_queries),
            *(f"{getattr(found, metric):.3f}" for metric in metrics for found in same_label),
        )
        for same_label in zip(*tables, strict=True)
    ]
    return output.columns([header, *rows], right=range(1, len(header)))


def _false_alarms(results: Sequence[Evaluation]) -> list[str]:
    """Return expected and observed false-alarm rates; nothing if there are too few clips."""
    found = [result.reliability for result in results if result.reliability]
    if len(found) < len(results):
        return []
    names = ["observed"] if len(results) == 1 else letters(results)
    rows = [
        (f"{expected:g}", *(_share(each.observed[number]) for each in found))
        for number, expected in enumerate(EXPECTED)
    ]
    return output.columns([("false-alarm rate", *names), *rows], right=range(len(names) + 1))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _label(label: str) -> str:
    shown = output.visible(label)
    return shown if len(shown) <= _LONGEST_LABEL else f"{shown[: _LONGEST_LABEL - 1]}…"


def _mistakes(results: Sequence[Evaluation]) -> list[str]:
    found = frequent_mistakes(results)
    names = ["mistakes"] if len(results) == 1 else letters(results)
    rows = [
        (
            *map(str, counts),
            _label(query),
            NO_ANSWER if answer is None else _label(answer),
        )
        for query, answer, counts in found[:_SHOWN_MISTAKES]
    ]
    if not rows:
        return ["no mistakes: every first answer has its query's label"]
    lines = output.columns([(*names, "query", "first answer"), *rows], right=range(len(names)))
    if len(found) > _SHOWN_MISTAKES:
        lines.append(f"and {len(found) - _SHOWN_MISTAKES} rarer pairs of labels; --json lists all")
    return lines
