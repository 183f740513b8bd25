"""SVG plots of an evaluation: histogram of the scores, and the ROC curve."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from soundalike.anomalies.evaluation import MachineResult
from soundalike.evaluation.html import element, svg_line, svg_text

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _MARGIN = 440, 250, 48, 44, 14
_N_BINS = 24


def histogram(found: MachineResult) -> Element:
    """Return the share of normal and of anomalous recordings by score, with the threshold."""
    both = np.concatenate((found.normal, found.anomalous))
    threshold = found.model.calibration.threshold
    low, high = min(both.min(), threshold), max(both.max(), threshold)
    edges = np.linspace(low, high + 1e-9, _N_BINS + 1)
    shares = [np.histogram(kind, edges)[0] / len(kind) for kind in (found.normal, found.anomalous)]
    highest = max(float(share.max()) for share in shares)
    parts: list[Element] = [element("title", f"Scores of {found.name}")]
    for number, (share, kind) in enumerate(zip(shares, ("normal", "anomalous"), strict=True)):
        for value, left, right in zip(share, edges, edges[1:], strict=False):
            if value > 0:
                parts.append(_bar(number, kind, value / highest, (left, right), (low, high), value))
    at = _x((threshold - low) / (high - low or 1))
    parts += [
        svg_line(at, _y(0), at, _y(1), class_="curve s2", stroke_dasharray="6 3"),
        svg_text(f"threshold {threshold:.3f}", at, _y(1) + 10, "middle"),
        svg_line(_x(0), _y(0), _x(1), _y(0), class_="grid"),
        svg_text(f"{low:.2f}", _x(0), _y(0) + 16, "start"),
        svg_text(f"{high:.2f}", _x(1), _y(0) + 16, "end"),
        svg_text("score", _x(0.5), _HEIGHT - 8, "middle"),
    ]
    return _svg(f"Scores of {found.name}", parts)


def _bar(
    number: int,
    kind: str,
    height: float,
    bounds: tuple[float, float],
    scale: tuple[float, float],
    share: float,
) -> Element:
    low, high = scale
    left, right = (_x((edge - low) / (high - low or 1)) for edge in bounds)
    half = (right - left) / 2
    tooltip = f"{kind}: {share:.1%} score {bounds[0]:.3f} to {bounds[1]:.3f}"
    return element(
        "rect",
        element("title", tooltip),
        x=f"{left + number * half:.1f}",
        y=f"{_y(height):.1f}",
        width=f"{max(half - 0.5, 0.5):.1f}",
        height=f"{_y(0) - _y(height):.1f}",
        class_=f"dot s{number}",
    )


def roc_plot(found: MachineResult) -> Element:
    """Return the detections against false alarms."""
    parts: list[Element] = [element("title", f"ROC curve of {found.name}")]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [
            svg_line(_x(tick), _y(0), _x(tick), _y(1), class_="grid"),
            svg_line(_x(0), _y(tick), _x(1), _y(tick), class_="grid"),
            svg_text(f"{tick:g}", _x(tick), _y(0) + 16, "middle"),
            svg_text(f"{tick:g}", _x(0) - 6, _y(tick) + 4, "end"),
        ]
    points = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in found.roc.T)
    tooltip = f"threshold: {found.false_alarms:.1%} false alarms, {found.detected:.1%} detected"
    parts += [
        svg_text("false alarms", _x(0.5), _HEIGHT - 8, "middle"),
        svg_text("detected", 12, _y(0.5), "middle", transform=f"rotate(-90 12 {_y(0.5):g})"),
        element("polyline", points=points, class_="curve s0"),
        element(
            "circle",
            element("title", tooltip),
            cx=f"{_x(found.false_alarms):.1f}",
            cy=f"{_y(found.detected):.1f}",
            r=4,
            class_="dot s2",
        ),
    ]
    return _svg(f"ROC curve of {found.name}", parts)


def _svg(name: str, parts: list[Element]) -> Element:
    return element(
        "svg",
        *parts,
        width=_WIDTH,
        height=_HEIGHT,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=name,
    )


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _MARGIN)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _MARGIN)
