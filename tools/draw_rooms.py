"""Draw docs/images/rooms.svg: the rooms of the code, and the direction of imports."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "rooms.svg"

#: Rooms of `soundalike/` by floor, the top one first. A room imports from lower floors only.
CORE: tuple[tuple[tuple[str, str], ...], ...] = (
    (("cli", "the command line"), ("library", "the Python face")),
    (("doctor", "checks"), ("client", "running service"), ("display", "tables, pictures, players")),
    (("maps", "similar sounds close together"),),
    (("speakers", "voices of people"), ("anomalies", "what sounds normal")),
    (("evaluation", "measures"), ("archive", "export, import"), ("cluster", "Dask")),
    (("indexing", "add, sync, prune, reindex"), ("results", "files, cut-outs")),
    (("repeats", "copies, and recurring sounds"), ("searches", "saved under names, with marks")),
    (("events", "every occurrence of a query"),),
    (("search", "queries, ranking, timelines"),),
    (("encoders", "windows to vectors"), ("store", "PostgreSQL, memory")),
    (("scores", "false-alarm rates"), ("learning", "right and wrong examples")),
    (("audio.sandbox", "processes that may die"),),
    (("clock", "start times"), ("annotations", "labels of spans"), ("remote", "fsspec")),
    (("audio", "decode, resample, cut"),),
    (("audio.sniffing", "recognise media files"), ("ranges", "valid values")),
    (
        ("faults", ""),
        ("types", ""),
        ("config", ""),
        ("limits", ""),
        ("parameters", ""),
        ("runtime", ""),
    ),
    (("filters", ""),),
    (("errors", ""),),
)
#: Rooms of `executors/`.
JINA: tuple[tuple[tuple[str, str], ...], ...] = (
    (("gateway", "page, HTTP, gRPC, jobs, guards"),),
    (
        ("audio_segmenter", ""),
        ("vggish_encoder", ""),
        ("timescale_indexer", ""),
        ("max_score_ranker", ""),
    ),
    (("monitoring", "metrics, logs, traces"), ("messages", "documents and parameters")),
    (("jina_fixes", "patches of Jina"),),
)
_WIDTH, _GAP, _MARGIN, _HEAD = 720, 8, 16, 30


def floor(rooms: tuple[tuple[str, str], ...], y: int) -> tuple[str, int]:
    """Return a row of rooms, and the height that it takes."""
    height = 44 if any(purpose for _, purpose in rooms) else 30
    width = (_WIDTH - _GAP * (len(rooms) - 1)) / len(rooms)
    shapes = ""
    for number, (name, purpose) in enumerate(rooms):
        x = 2 * _MARGIN + number * (width + _GAP)
        middle = x + width / 2
        shapes += f'<rect x="{x:g}" y="{y}" width="{width:g}" height="{height}" rx="6"/>'
        shapes += f'<text x="{middle:g}" y="{y + 19}" class="name">{escape(name)}</text>'
        if purpose:
            shapes += f'<text x="{middle:g}" y="{y + 36}">{escape(purpose)}</text>'
        shapes += "\n"
    return shapes, height + _GAP


def group(title: str, floors: tuple[tuple[tuple[str, str], ...], ...], y: int) -> tuple[str, int]:
    """Return a frame with its floors, and the place below it."""
    top, shapes = y, ""
    y += _HEAD
    for rooms in floors:
        row, height = floor(rooms, y)
        shapes += row
        y += height
    frame = (
        f'<rect x="{_MARGIN}" y="{top}" width="{_WIDTH + 2 * _MARGIN}" height="{y - top + _GAP}" '
        f'rx="10" class="frame"/><text x="{2 * _MARGIN}" y="{top + 20}" class="title">'
        f"{escape(title)}</text>\n"
    )
    return frame + shapes, y + _GAP


def render() -> str:
    """Return the picture."""
    above, y = group("executors/ (Jina)", JINA, _MARGIN)
    middle = _MARGIN * 2 + _WIDTH // 2
    arrow = f'<path d="M{middle} {y + 3}v26m-6 -8l6 8l6 -8"/>'
    arrow += f'<text x="{middle + 14}" y="{y + 20}" class="title">imports</text>\n'
    below, end = group("soundalike/ (core; each floor imports from lower floors)", CORE, y + 34)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 4 * _MARGIN} {end + _MARGIN}" '
        'role="img" aria-label="Rooms of executors and of soundalike">\n'
        "<style>rect{fill:#eef4f8;stroke:#31607e}.frame{fill:#fff;stroke:#9ab}"
        "path{fill:none;stroke:#31607e;stroke-width:2}"
        "text{font:13px sans-serif;text-anchor:middle;fill:#17303f}.name{font-weight:bold}"
        ".title{text-anchor:start;font-weight:bold;fill:#31607e}</style>\n"
        f'<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>\n'
        f"{above}{arrow}{below}</svg>\n"
    )


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
