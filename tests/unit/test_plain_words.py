"""The core speaks plain English: a few patterns are forbidden in comments, docstrings and messages."""

import re
from pathlib import Path

import pytest

import soundalike

PACKAGE = Path(soundalike.__file__).parent
FORBIDDEN = re.compile(
    r"\b(anew|told of|those that|whoever|nobody|somebody|there is no more)\b"
    r"|(?<!there )\bis no (?!longer)",
    re.IGNORECASE,
)


def offenders(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if FORBIDDEN.search(line)]


@pytest.mark.parametrize("line", ["# made anew", '"""The name is no path."""', "# those that are here"])
def test_patterns_are_found(line: str):
    assert offenders(line) == [line]


def test_the_core_has_none():
    found = {
        f"{path.relative_to(PACKAGE)}: {line}"
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".sql")
        for line in offenders(path.read_text(encoding="utf-8"))
    }
    assert found == set()
