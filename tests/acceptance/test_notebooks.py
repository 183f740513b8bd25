"""The notebooks run, and their saved outputs are those of a run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.unit.test_documents import _script

if TYPE_CHECKING:
    from tests.fixtures.database import DatabaseServer

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: Scores of other processors and libraries differ a little.
_TOLERANCE = 0.05


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    return _script("run_notebooks")


@pytest.fixture(scope="module")
def index_url(database_server: DatabaseServer) -> Iterator[str]:
    """Return the URL of a database that all notebooks share, as they share a person's index."""
    with database_server.database() as url:
        yield url


def shown(notebook: Any) -> list[str]:
    """Return the text of all outputs; errors have their message."""
    return [
        "".join(output.get("data", {}).get("text/plain", output.get("text", output.get("evalue", ""))))
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    ]


def differs(saved: str, new: str) -> bool:
    """Tell whether two outputs differ by more than the last digits of numbers and the layout."""
    plain = [" ".join(_NUMBER.sub("#", text).split()) for text in (saved, new)]
    numbers = [list(map(float, _NUMBER.findall(text))) for text in (saved, new)]
    if plain[0] != plain[1]:
        return True
    return any(abs(one - other) > _TOLERANCE for one, other in zip(*numbers, strict=True))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_outputs_are_current(
    path: Path,
    runner: ModuleType,
    index_url: str,
    clean_environ: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    settings = {"SOUNDALIKE_DATABASE_URL": index_url, **runner.SETTINGS}
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory() as scratch:
        new = shown(runner.run(path, settings, Path(scratch)))
    saved = shown(nbformat.read(path, as_version=4))
    stale = [pair for pair in zip_longest(saved, new, fillvalue="") if differs(*pair)]
    assert stale == [], "run: make notebooks"


def test_notebooks_are_small_and_name_no_place_of_this_machine(runner: ModuleType):
    assert len(NOTEBOOKS) == 3
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        assert len(text) < 300_000
        assert not re.search(r"(?<![\w.+/])/(?:home|tmp|root|work|Users)/", text)


def test_the_page_of_a_notebook_has_its_text_code_and_outputs():
    page = _script("notebook_page").page_of(NOTEBOOKS[0])
    assert page.startswith("# Search and inspect\n")
    assert "```python\nfound.compare(0)\n```\n\n<img" in page
    assert "<audio" in page
    assert "<table" in page
    # Tables and pictures take the place of text.
    assert "```text" not in page
    assert "```text\n'model notebook-machine" in _script("notebook_page").page_of(NOTEBOOKS[1])
    # HTML ends with a blank line.
    assert all("\n\n" not in html for html in re.findall(r"<div>\n.*?\n</div>", page, re.S))


@pytest.mark.parametrize(
    ("saved", "new", "is_stale"),
    [
        ("a 1.00 b", "a  1.04   b", False),
        ("a 1.00 b", "a 1.10 b", True),
        ("a 1", "b 1", True),
        ("a 1", "a", True),
    ],
)
def test_numbers_may_differ_a_little(saved: str, new: str, is_stale: bool):
    assert differs(saved, new) == is_stale
