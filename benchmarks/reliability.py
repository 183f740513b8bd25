r"""Plot expected against observed false-alarm rates, from the JSON of ``soundalike evaluate``.

``soundalike evaluate clips --fold-pattern '^(\d)' --json > rates.json``
``python -m benchmarks.reliability rates.json docs/images/false-alarms.svg``
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

_WIDTH, _HEIGHT = 640, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 220, 24, 52
_LOW, _HIGH = 5e-4, 0.2
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_STYLES = (("#0b6e99", ""), ("#b3541e", "7 3"), ("#4d7c0f", "2 3"), ("#7a3ea3", "8 3 2 3"))
#: Promised: no further apart than this factor.
_FACTOR = 1.5


def plot(rows: Sequence[dict[str, Any]], date: str) -> Element:
    """Return an SVG: expected rates along, observed rates up, both on logarithmic scales."""
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}")
    SubElement(svg, "title").text = f"Expected and observed false-alarm rates, {date}"
    SubElement(svg, "rect", width=str(_WIDTH), height=str(_HEIGHT), fill="#fff")
    corners = [
        (low, low * factor) for factor in (_FACTOR, 1 / _FACTOR) for low in (_TICKS[0], _TICKS[-1])
    ]
    corners[2:] = corners[:1:-1]
    SubElement(svg, "polygon", points=_points(corners), fill="#eef2f5")
    for tick in _TICKS:
        _line(svg, (tick, _LOW), (tick, _HIGH))
        _line(svg, (_LOW, tick), (_HIGH, tick))
        _text(svg, f"{tick:g}", _x(tick), _y(_LOW) + 18, "middle")
        _text(svg, f"{tick:g}", _x(_LOW) - 8, _y(tick) + 4, "end")
    _text(svg, "false-alarm rate", (_x(_LOW) + _x(_HIGH)) / 2, _HEIGHT - 12, "middle")
    _text(svg, "observed share of unrelated pairs", _LEFT, _TOP - 8, "start")
    SubElement(svg, "polyline", points=_points([(_LOW, _LOW), (_HIGH, _HIGH)]), stroke="#9aa4ad")
    for number, (row, (colour, dash)) in enumerate(zip(rows, _STYLES, strict=False)):
        measured = [
            (rate["expected"], rate["observed"])
            for rate in row["false_alarms"]["rates"]
            if rate["observed"]
        ]
        style = {"fill": "none", "stroke": colour, "stroke-width": "2", "stroke-dasharray": dash}
        SubElement(svg, "polyline", points=_points(measured), **style)
        for at in measured:
            SubElement(svg, "circle", cx=f"{_x(at[0]):.1f}", cy=f"{_y(at[1]):.1f}", r="3", fill=colour)
        y = _TOP + 20 + 38 * number
        _text(svg, _name(row), _WIDTH - _RIGHT + 14, y, "start", colour)
        pairs = f"{row['false_alarms']['pairs']:,} pairs".replace(",", " ")
        _text(svg, pairs, _WIDTH - _RIGHT + 14, y + 15, "start")
    _text(svg, f"grey: factor {_FACTOR}; {date}", _WIDTH - _RIGHT + 14, _HEIGHT - 12, "start")
    return svg


def _name(row: dict[str, Any]) -> str:
    if "name" in row:
        return str(row["name"])
    setting = row["setting"]
    return f"{setting['encoder']}, {setting['window_s']:g} s windows"


def _x(rate: float) -> float:
    return _LEFT + _share(rate) * (_WIDTH - _LEFT - _RIGHT)


def _y(rate: float) -> float:
    return _HEIGHT - _BOTTOM - _share(rate) * (_HEIGHT - _TOP - _BOTTOM)


def _share(rate: float) -> float:
    return math.log(rate / _LOW) / math.log(_HIGH / _LOW)


def _points(rates: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_x(expected):.1f},{_y(observed):.1f}" for expected, observed in rates)


def _line(svg: Element, begin: tuple[float, float], end: tuple[float, float]) -> None:
    values = (_x(begin[0]), _y(begin[1]), _x(end[0]), _y(end[1]))
    ends = zip(("x1", "y1", "x2", "y2"), values, strict=True)
    SubElement(svg, "line", {name: f"{value:.1f}" for name, value in ends}, stroke="#d5dbe0")


def _text(svg: Element, text: str, x: float, y: float, anchor: str, colour: str = "#333") -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": colour}
    font = {"font-family": "system-ui, sans-serif", "font-size": "12"}
    SubElement(svg, "text", {**place, **font}).text = text


def main() -> None:
    """Read the results, write the plot."""
    parser = argparse.ArgumentParser(prog="benchmarks.reliability", description=__doc__)
    parser.add_argument("results", type=Path, help="JSON lines of soundalike evaluate")
    parser.add_argument("plot", type=Path)
    arguments = parser.parse_args()
    lines = arguments.results.read_text(encoding="utf-8").splitlines()
    svg = plot([json.loads(line) for line in lines], f"{datetime.now(UTC):%Y-%m-%d}")
    arguments.plot.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(svg).write(arguments.plot, encoding="utf-8")


if __name__ == "__main__":
    main()
