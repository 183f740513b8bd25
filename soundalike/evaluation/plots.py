"""SVG plots of the report; the style sheet of the page defines the colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from soundalike.evaluation.html import element, svg_line, svg_text
from soundalike.evaluation.results import NO_ANSWER

#: Maximum number of labels of a readable heat map.
MAX_HEAT_LABELS = 100
_WIDTH, _HEIGHT = 440, 330
_LEFT, _BOTTOM, _MARGIN = 48, 44, 14
_LETTER_WIDTH = 7
_LONGEST_LABEL = 24
#: Lines differ by dashes, not only by colour.
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "10 4", "1 2")


def recall_plot(curves: Mapping[str, npt.NDArray[np.float64]]) -> Element:
    """Return a plot of precision against recall.

    Parameters
    ----------
    curves : mapping of str to (11,) float64
        Interpolated precision at recall 0, 0.1, ... 1 by the name of the setting.
    """
    parts: list[Element] = [element("title", "Mean interpolated precision at each recall")]
    for tenth in range(0, 11, 2):
        value = tenth / 10
        parts += [
            svg_line(_x(value), _y(0), _x(value), _y(1), class_="grid"),
            svg_line(_x(0), _y(value), _x(1), _y(value), class_="grid"),
            svg_text(f"{value:g}", _x(value), _y(0) + 16, "middle"),
            svg_text(f"{value:g}", _x(0) - 6, _y(value) + 4, "end"),
        ]
    parts.append(svg_text("recall", _x(0.5), _HEIGHT - 8, "middle"))
    upright = f"rotate(-90 12 {_y(0.5):g})"
    parts.append(svg_text("precision", 12, _y(0.5), "middle", transform=upright))
    for number, (name, curve) in enumerate(curves.items()):
        points = [(_x(level / 10), _y(float(value))) for level, value in enumerate(curve)]
        parts.append(
            element(
                "polyline",
                points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
                class_=f"curve s{number}",
                stroke_dasharray=_DASHES[number] or None,
            )
        )
        for level, ((x, y), value) in enumerate(zip(points, curve, strict=True)):
            tooltip = f"{name}: precision {value:.3f} at recall {level / 10:g}"
            parts.append(
                element(
                    "circle",
                    element("title", tooltip),
                    cx=f"{x:.1f}",
                    cy=f"{y:.1f}",
                    r=3,
                    class_=f"dot s{number}",
                )
            )
    return _svg(_WIDTH, _HEIGHT, "Precision against recall", parts)


def key_line(number: int) -> Element:
    """Return the line of a setting for the legend."""
    line = svg_line(0, 6, 34, 6, class_=f"curve s{number}", stroke_dasharray=_DASHES[number] or None)
    return _svg(34, 12, None, [line])


def heat_map(labels: Sequence[str], counts: Mapping[tuple[str, str | None], int], title: str) -> Element:
    """Return a confusion matrix as a heat map; shades are shares of a row.

    Parameters
    ----------
    labels : sequence of str
        Rows and columns, at most `MAX_HEAT_LABELS`.
    counts : mapping of (query, answer) to int
        Cells that are not empty; the answer None has its own column.
    title : str
    """
    columns: list[str | None] = [*labels]
    if any(answer is None for _, answer in counts):
        columns.append(None)
    size = max(11, min(30, 900 // len(columns)))
    longest = min(_LONGEST_LABEL, max(len(_shown(name)) for name in columns))
    left, top = longest * _LETTER_WIDTH + 10, longest * _LETTER_WIDTH * 0.8 + 16
    totals = {label: sum(n for (query, _), n in counts.items() if query == label) for label in labels}
    parts: list[Element] = [element("title", title)]
    for row, label in enumerate(labels):
        parts.append(_label(label, left - 6, top + (row + 0.5) * size + 4, "end"))
    for column, name in enumerate(columns):
        x = left + (column + 0.5) * size
        parts.append(_label(name, x, top - 6, "start", transform=f"rotate(-55 {x:g} {top - 6:g})"))
    row_of = {label: row for row, label in enumerate(labels)}
    column_of = {name: column for column, name in enumerate(columns)}
    for (query, answer), count in counts.items():
        x, y = left + column_of[answer] * size, top + row_of[query] * size
        parts += _cell(
            x,
            y,
            size,
            count,
            totals[query],
            f"{query}: {count} of {totals[query]} first answered by {_named(answer)}",
        )
    width, height = len(columns) * size, len(labels) * size
    parts.append(
        element("rect", x=f"{left:g}", y=f"{top:g}", width=width, height=height, class_="frame")
    )
    # The rotated names extend beyond the last column.
    return _svg(left + width + longest * _LETTER_WIDTH * 0.6, top + height + 6, title, parts)


def _cell(x: float, y: float, size: int, count: int, total: int, tooltip: str) -> list[Element]:
    share = count / total
    cell = element(
        "rect",
        element("title", tooltip),
        **{"class_": "heat", "x": f"{x:g}", "y": f"{y:g}", "width": size, "height": size},
        fill_opacity=f"{0.08 + 0.92 * share:.3f}",
    )
    if size < 18:
        return [cell]
    number = svg_text(
        str(count), x + size / 2, y + size / 2 + 4, "middle", class_="strong" if share > 0.55 else "weak"
    )
    return [cell, number]


def _named(answer: str | None) -> str:
    return NO_ANSWER if answer is None else answer


def _shown(label: str | None) -> str:
    name = _named(label)
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


def _label(label: str | None, x: float, y: float, anchor: str, **more: object) -> Element:
    text = svg_text(_shown(label), x, y, anchor, **more)
    text.append(element("title", _named(label)))
    return text


def _svg(width: float, height: float, name: str | None, parts: Sequence[Element]) -> Element:
    return element(
        "svg",
        *parts,
        width=f"{width:g}",
        height=f"{height:g}",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img" if name else None,
        aria_label=name,
        aria_hidden=None if name else "true",
    )


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _MARGIN)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _MARGIN)
