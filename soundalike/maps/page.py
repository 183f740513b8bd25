"""Write a map as one HTML file that loads nothing and runs no text from file names."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from soundalike.evaluation.html import cleaned
from soundalike.maps.pictures import Sheet
from soundalike.maps.requests import WEB

#: Each module stands after the ones that it imports.
_MODULES = ("plot.js", "colouring.js", "view.js", "file.js")
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(const|class|function) )", re.MULTILINE)
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def render(data: Mapping[str, Any], title: str, sheet: Sheet | None = None) -> str:
    """Return the page of a map.

    Parameters
    ----------
    data : mapping
        Of `SoundMap.to_json`.
    title : str
        Any text.
    sheet : Sheet, optional
        Spectrograms of the points.
    """
    shown = dict(data)
    picture = ""
    if sheet is not None:
        shown["pictures"] = sheet.to_json()
        source = base64.b64encode(sheet.content).decode()
        picture = f'<img id="map-pictures" alt="" hidden src="data:image/webp;base64,{source}">'
    script, style = _script(), _style()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(cleaned(title)),
        "style": style,
        "script": script,
        "pictures": picture,
        "data": _data(shown),
    }
    template = (WEB / "file.html").read_text(encoding="utf-8")
    # In one pass: a name with braces is not filled.
    return _PLACE.sub(lambda found: parts[found[1]], template)


def _data(values: Mapping[str, Any]) -> str:
    """Return JSON that cannot end the script element that it stands in."""
    text = json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _script() -> str:
    """Return the modules as one, which needs no imports."""
    sources = [(WEB / name).read_text(encoding="utf-8") for name in _MODULES]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", source)) for source in sources)


@cache
def _style() -> str:
    return "\n".join((WEB / name).read_text(encoding="utf-8") for name in ("map.css", "file.css"))


def _hash(text: str) -> str:
    """Return the source of a Content Security Policy that allows one text alone."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
