"""Plot how the cost of a search grows with the number of windows, from reports of `benchmarks.store`.

``python -m benchmarks.growth bench-store.json docs/images/store-growth.svg``
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 190, 20, 50
_LINES = (
    ("one vector", ("one_vector", "p50_ms"), "#0b6e99", ""),
    ("a clip of 5 windows", ("clip", "p50_ms"), "#b3541e", "7 3"),
    (
        "one vector, 10 % of time",
        ("one_vector_in_a_tenth_of_the_time", "p50_ms"),
        "#4d7c0f",
        "2 3",
    ),
    ("pgvector alone", ("pgvector_alone", "p50_ms"), "#6b7280", "1 5"),
)


def plot(report: Sequence[dict[str, Any]]) -> Element:
    """Return an SVG: windows along, milliseconds up, both on logarithmic scales."""
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}")
    SubElement(svg, "title").text = "Median time of a search by the number of stored windows"
    SubElement(svg, "rect", width=str(_WIDTH), height=str(_HEIGHT), fill="#fff")
    rows = [row["rows"] for row in report]
    times = [row[part][key] for row in report for _, (part, key), *_ in _LINES if part in row]
    x_of = _scale(min(rows), max(rows), _LEFT, _WIDTH - _RIGHT)
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))
    y_of = _scale(low, high, _HEIGHT - _BOTTOM, _TOP)
    for row in rows:
        _line(svg, (x_of(row), y_of(low)), (x_of(row), y_of(high)))
        _text(svg, f"{row:,}".replace(",", " "), x_of(row), _HEIGHT - _BOTTOM + 18, "middle")
    decades = range(round(math.log10(low)), round(math.log10(high)) + 1)
    for value in (factor * 10**decade for decade in decades for factor in (1, 2, 5)):
        if value <= high:
            _line(svg, (x_of(min(rows)), y_of(value)), (x_of(max(rows)), y_of(value)))
            _text(svg, f"{value:g}", _LEFT - 8, y_of(value) + 4, "end")
    _text(svg, "windows", (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "middle")
    _text(svg, "ms", _LEFT - 8, _TOP - 8, "end")
    for name, (part, key), colour, dash in _LINES:
        points = [(x_of(row["rows"]), y_of(row[part][key])) for row in report if part in row]
        shape = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = {"fill": "none", "stroke": colour, "stroke-width": "2", "stroke-dasharray": dash}
        SubElement(svg, "polyline", points=shape, **style)
        _text(svg, name, points[-1][0] + 8, points[-1][1] + 4, "start", colour)
    return svg


def _scale(low: float, high: float, begin: float, end: float) -> Any:
    span = math.log(high / low)
    return lambda value: begin + math.log(value / low) / span * (end - begin)


def _line(svg: Element, begin: tuple[float, float], end: tuple[float, float]) -> None:
    ends = zip(("x1", "y1", "x2", "y2"), (*begin, *end), strict=True)
    SubElement(svg, "line", {name: f"{value:.1f}" for name, value in ends}, stroke="#d5dbe0")


def _text(svg: Element, text: str, x: float, y: float, anchor: str, colour: str = "#333") -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": colour}
    font = {"font-family": "system-ui, sans-serif", "font-size": "12"}
    SubElement(svg, "text", {**place, **font}).text = text


def main() -> None:
    """Read the report, write the plot."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("plot", type=Path)
    arguments = parser.parse_args()
    svg = plot(json.loads(arguments.report.read_text(encoding="utf-8")))
    arguments.plot.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(svg).write(arguments.plot, encoding="utf-8")


if __name__ == "__main__":
    main()
