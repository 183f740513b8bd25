"""Every patch of Jina is listed, has its reason and a test, and says when it can go."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
FOLDER = TESTS.parent / "executors" / "jina_fixes"
DOCS = {path.stem: ast.get_docstring(ast.parse(path.read_text())) or "" for path in FOLDER.glob("*.py")}
PATCHES = sorted(DOCS.keys() - {"__init__"})


def test_patches_are_listed_in_their_order():
    assert re.findall(r"^`(\w+)`", DOCS["__init__"], flags=re.MULTILINE) == PATCHES


def test_each_patch_says_when_it_can_go():
    assert [name for name in PATCHES if "\nIt can go when" not in DOCS[name]] == []


def test_each_patch_has_a_test_of_its_name():
    tests = {path.stem.removeprefix("test_") for path in TESTS.rglob("test_*.py")}
    assert [name for name in PATCHES if name not in tests] == []
