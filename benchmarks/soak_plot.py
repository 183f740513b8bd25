"""Curves of memory and descriptors over requests, from the samples of `benchmarks.soak`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

_WIDTH, _PANEL, _GAP = 760, 240, 50
_LEFT, _RIGHT, _TOP = 60, 130, 30
_COLOURS = ("#0b6e99", "#b3541e", "#4d7c0f", "#6b7280", "#7c3aed", "#be123c", "#0f766e", "#a16207")
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_PANELS: tuple[tuple[str, Callable[[dict[str, Any]], float]], ...] = (
    ("MB of memory more than after the first step", lambda part: part["memory_kb"] / 1024),
    ("descriptors more than after the first step", lambda part: part["descriptors"]),
    ("connections", lambda part: part["connections"]),
)


def plot(samples: Sequence[dict[str, Any]], warm_up: int) -> Element:
    """Return an SVG with a panel each for memory, descriptors and connections.

    Parameters
    ----------
    samples : sequence of dict
        At least two rows of a report.
    warm_up : int
        Requests before which nothing counts; marked by a line.
    """
    height = len(_PANELS) * (_PANEL + _GAP)
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {height}")
    SubElement(svg, "title").text = "What the processes of a service hold, by requests"
    SubElement(svg, "rect", width=str(_WIDTH), height=str(height), fill="#fff")
    for number, (title, value_of) in enumerate(_PANELS):
        curves = _curves(samples, value_of, from_first="more" in title)
        _panel(svg, number * (_PANEL + _GAP) + _TOP, title, curves, warm_up)
    return svg


def _curves(
    samples: Sequence[dict[str, Any]], value_of: Callable[[dict[str, Any]], float], *, from_first: bool
) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in samples:
        for name, part in row["processes"].items():
            curves.setdefault(name, []).append((row["requests"], value_of(part)))
    if not from_first:
        return curves
    return {name: [(x, y - points[0][1]) for x, y in points] for name, points in curves.items()}


def _panel(
    svg: Element, top: float, title: str, curves: dict[str, list[tuple[float, float]]], warm_up: int
) -> None:
    xs = [x for points in curves.values() for x, _ in points]
    ys = [0.0, 1.0, *(y for points in curves.values() for _, y in points)]
    x_of = _scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    y_of = _scale(min(ys), max(ys), top + _PANEL - 20, top)
    step = next((step for step in _STEPS if (max(ys) - min(ys)) / step <= 6), _STEPS[-1])
    for value in range(int(min(ys) // step) * step, int(max(ys)) + 1, step):
        if value >= min(ys):
            _line(svg, (_LEFT, y_of(value)), (_WIDTH - _RIGHT, y_of(value)), "#d5dbe0")
            _text(svg, str(value), _LEFT - 8, y_of(value) + 4, "end")
    if min(xs) < warm_up < max(xs):
        _line(svg, (x_of(warm_up), top), (x_of(warm_up), top + _PANEL - 20), "#9aa4ad")
        _text(svg, "warm", x_of(warm_up) + 4, top + 10, "start")
    for x in (min(xs), max(xs)):
        _text(svg, f"{x:,.0f}".replace(",", " "), x_of(x), top + _PANEL, "middle")
    _text(svg, f"{title}, by requests", _LEFT, top - 10, "start")
    for place, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        shape = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        style = {"fill": "none", "stroke": colour, "stroke-width": "1.5"}
        SubElement(svg, "polyline", points=shape, **style)
        _text(svg, name, _WIDTH - _RIGHT + 10, top + 14 + 18 * place, "start", colour)


def _scale(low: float, high: float, begin: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: begin + (value - low) / span * (end - begin)


def _line(svg: Element, begin: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    ends = zip(("x1", "y1", "x2", "y2"), (*begin, *end), strict=True)
    SubElement(svg, "line", {name: f"{value:.1f}" for name, value in ends}, stroke=colour)


def _text(svg: Element, text: str, x: float, y: float, anchor: str, colour: str = "#333") -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": colour}
    font = {"font-family": "system-ui, sans-serif", "font-size": "12"}
    SubElement(svg, "text", {**place, **font}).text = text
