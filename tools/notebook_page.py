"""Turn a notebook into a page of the documentation: its text, code and saved outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def page_of(path: Path) -> str:
    """Return a notebook as Markdown; outputs are tables, pictures, players and text."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return "\n\n".join(part for cell in notebook["cells"] for part in _parts(cell)) + "\n"


def _parts(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        yield _output(output)


def _output(output: Mapping[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        content = "".join("".join(data["image/png"]).split())
        return f'<img alt="picture of the result" src="data:image/png;base64,{content}">'
    if "text/html" in data:
        # A blank line would end the HTML.
        html = re.sub(r"\n\s*\n", "\n", "".join(data["text/html"]))
        return f"<div>\n{html.strip()}\n</div>"
    text = "".join(data.get("text/plain", output.get("text", "")))
    return f"```text\n{text.rstrip()}\n```"
