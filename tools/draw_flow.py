"""Draw docs/images/flow.svg from flow.yml.

Jina's own `plot` and `jina export flowchart` send the Flow to mermaid.ink; this needs no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml

ROOT = Path(__file__).resolve().parents[1]
SOURCE, TARGET = ROOT / "flow.yml", ROOT / "docs" / "images" / "flow.svg"
_WIDTH, _HEIGHT, _GAP, _MARGIN = 190, 64, 40, 20


def box(x: int, title: str, below: str) -> str:
    """Return a part of the Flow as a box with two lines."""
    middle = x + _WIDTH // 2
    return (
        f'<rect x="{x}" y="{_MARGIN}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
        f'<text x="{middle}" y="{_MARGIN + 27}" class="name">{escape(title)}</text>'
        f'<text x="{middle}" y="{_MARGIN + 47}">{escape(below)}</text>\n'
    )


def arrow(x: int) -> str:
    """Return the arrow between two boxes."""
    y = _MARGIN + _HEIGHT // 2
    return f'<path d="M{x} {y}h{_GAP - 8}m-7 -5l7 5l-7 5"/>\n'


def render(flow: dict[str, Any]) -> str:
    """Return the picture of a Flow whose executors stand in a row."""
    protocols = zip(flow["gateway"]["protocol"], flow["gateway"]["port"], strict=True)
    parts = [("gateway", ", ".join(f"{name} {port}" for name, port in protocols))]
    for executor in flow["executors"]:
        config = yaml.safe_load((ROOT / executor["uses"]).read_text(encoding="utf-8"))
        parts.append((executor["name"], config["jtype"]))
    parts.append(("gateway", "answer"))
    shapes = ""
    for number, (title, below) in enumerate(parts):
        x = _MARGIN + number * (_WIDTH + _GAP)
        shapes += (arrow(x - _GAP + 2) if number else "") + box(x, title, below)
    width = 2 * _MARGIN + len(parts) * (_WIDTH + _GAP) - _GAP
    names = " to ".join(title for title, _ in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT + 2 * _MARGIN}" '
        f'role="img" aria-label="{escape(names)}">\n'
        "<style>rect{fill:#eef4f8;stroke:#31607e}path{fill:none;stroke:#31607e;stroke-width:2}"
        "text{font:14px sans-serif;text-anchor:middle;fill:#17303f}.name{font-weight:bold}</style>\n"
        f"{shapes}</svg>\n"
    )


if __name__ == "__main__":
    TARGET.write_text(render(yaml.safe_load(SOURCE.read_text(encoding="utf-8"))), encoding="utf-8")
