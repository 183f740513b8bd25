"""A timeline as an SVG that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from soundalike.evaluation.html import element, svg_line, svg_text

_WIDTH, _HEIGHT = 800, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 36, 40
_COLOUR = "#35618f"
_INK = "#222222"
_LETTER = 7
#: XML knows no escape for them.
_NO_XML = {0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}


def render(title: str, width: str, names: Sequence[str], counts: Sequence[int]) -> str:
    """Return a bar for each bucket that is not empty, as the text of an SVG file.

    Parameters
    ----------
    title : str
        What was looked for; any text.
    width : str
        How long a bucket is: ``hour``, ``day``, ``week`` or ``month``.
    names : sequence of str
        What the buckets are called.
    counts : sequence of int
        One for each of them.
    """
    highest = max(counts, default=0)
    heading = f"{title}, occurrences per {width}".translate(_NO_XML)
    parts = [
        element("title", heading),
        element("rect", width=_WIDTH, height=_HEIGHT, fill="white"),
        svg_text(heading, _LEFT, 20, "start", fill=_INK),
        _line(_y(0, highest)),
        svg_text("0", _LEFT - 6, _y(0, highest) + 4, "end", fill=_INK),
    ]
    if highest:
        parts += [
            _line(_y(highest, highest)),
            svg_text(str(highest), _LEFT - 6, _y(highest, highest) + 4, "end", fill=_INK),
            *_bars(names, counts, highest),
            *_names(names),
        ]
    svg = element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=_WIDTH,
        height=_HEIGHT,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        font_family="system-ui, sans-serif",
        font_size=12,
    )
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _bars(names: Sequence[str], counts: Sequence[int], highest: int) -> list[ElementTree.Element]:
    step = (_WIDTH - _LEFT - _RIGHT) / len(counts)
    # A gap between bars that are wide enough, and none so narrow that it cannot be seen.
    wide = max(step * 0.85, 0.5)
    return [
        element(
            "rect",
            element("title", f"{name}: {count}"),
            x=f"{_LEFT + number * step:.2f}",
            y=f"{_y(count, highest):.2f}",
            width=f"{wide:.2f}",
            height=f"{_y(0, highest) - _y(count, highest):.2f}",
            fill=_COLOUR,
        )
        for number, (name, count) in enumerate(zip(names, counts, strict=True))
        if count
    ]


def _names(names: Sequence[str]) -> list[ElementTree.Element]:
    """Return the names of the first and, where there is room, the last bucket."""
    at = _HEIGHT - _BOTTOM + 20
    shown = [svg_text(names[0], _LEFT, at, "start", fill=_INK)]
    room = (_WIDTH - _LEFT - _RIGHT) / _LETTER
    if len(names) > 1 and len(names[0]) + len(names[-1]) + 2 < room:
        shown.append(svg_text(names[-1], _WIDTH - _RIGHT, at, "end", fill=_INK))
    return shown


def _y(count: int, highest: int) -> float:
    room = _HEIGHT - _TOP - _BOTTOM
    return _HEIGHT - _BOTTOM - (room * count / highest if highest else 0)


def _line(y: float) -> ElementTree.Element:
    return svg_line(_LEFT, y, _WIDTH - _RIGHT, y, stroke="#bbbbbb")
