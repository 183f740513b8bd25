"""Plot of false rejects against false accepts.

A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997: both axes
are normal deviates, on which scores with normal distributions give a straight line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from xml.etree import ElementTree

from soundalike.errors import ParameterError
from soundalike.evaluation.html import element, svg_line, svg_text
from soundalike.speakers.evaluation import Curve

_SIZE, _LEFT, _BOTTOM, _MARGIN = 400, 56, 44, 14
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
_COLOURS = ("#1f5fa8", "#a8480a", "#2f7d32", "#7a3e9d", "#666666")
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "10 4")


def det_plot(curves: Mapping[str, Curve]) -> ElementTree.Element:
    """Return the plot as an SVG, with a line for each encoder; without errors there is no line."""
    width, height = _SIZE + _LEFT + _MARGIN, _SIZE + _BOTTOM + _MARGIN
    parts = [
        element("title", "False rejects against false accepts"),
        element("rect", width=width, height=height, fill="white"),
    ]
    for tick in _TICKS:
        parts += [
            svg_line(_x(tick), _y(_TICKS[0]), _x(tick), _y(_TICKS[-1]), stroke="#d3d9df"),
            svg_line(_x(_TICKS[0]), _y(tick), _x(_TICKS[-1]), _y(tick), stroke="#d3d9df"),
            svg_text(f"{tick:.1%}", _x(tick), height - _BOTTOM + 16, "middle"),
            svg_text(f"{tick:.1%}", _LEFT - 6, _y(tick) + 4, "end"),
        ]
    parts.append(svg_text("false accepts", _x(0.02), height - 8, "middle"))
    upright = f"rotate(-90 12 {_y(0.02):g})"
    parts.append(svg_text("false rejects", 12, _y(0.02), "middle", transform=upright))
    for number, (name, curve) in enumerate(curves.items()):
        parts += _line(number, name, curve)
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        font_family="system-ui, sans-serif",
        font_size=12,
        role="img",
        aria_label="False rejects against false accepts",
    )


def write_plot(path: Path, curves: Mapping[str, Curve]) -> None:
    """Write the plot to a file.

    Raises
    ------
    ParameterError
        The file cannot be written.
    """
    text = ElementTree.tostring(det_plot(curves), encoding="unicode")
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise ParameterError(f"{str(path)!r} cannot be written: {exc.strerror}") from exc


def _line(number: int, name: str, curve: Curve) -> list[ElementTree.Element]:
    colour, dashes = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
    y = _y(_TICKS[-1]) + 18 + 16 * number
    parts = [svg_text(name, _x(_TICKS[-1]) - 8, y, "end", fill=colour)]
    points = [
        f"{_x(accepts):.1f},{_y(rejects):.1f}"
        for accepts, rejects in zip(curve.false_accepts, curve.false_rejects, strict=True)
        if _TICKS[0] <= accepts <= _TICKS[-1] and _TICKS[0] <= rejects <= _TICKS[-1]
    ]
    line = element(
        "polyline",
        points=" ".join(points),
        fill="none",
        stroke=colour,
        stroke_width=2,
        stroke_dasharray=dashes or None,
    )
    return [*parts, line] if len(points) > 1 else parts


def _x(rate: float) -> float:
    return _LEFT + _place(rate) * _SIZE


def _y(rate: float) -> float:
    return _MARGIN + (1 - _place(rate)) * _SIZE


def _place(rate: float) -> float:
    first, last, here = (NormalDist().inv_cdf(value) for value in (_TICKS[0], _TICKS[-1], rate))
    return (here - first) / (last - first)
