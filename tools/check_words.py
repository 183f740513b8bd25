"""Find wording that the style of the project avoids, in Markdown, docstrings and comments.

``check_words.py`` reads all files of the project that git knows; ``check_words.py FILE...`` those files
with all patterns.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Pattern(NamedTuple):
    """Wording to avoid.

    Attributes
    ----------
    expression : str
        Of a sentence, as a regular expression.
    advice : str
        What to write instead.
    """

    expression: str
    advice: str


PATTERNS = {
    # "There is no index", "no longer" and "no faster" are plain English.
    "is-no": Pattern(
        r"(?<!\bthere )(?<!\bThere )\b(?:is|are|was|were) no "
        r"(?!(?:longer|more|less|fewer|later|faster|slower|better|worse|larger|smaller|harder)\b)",
        'write "is not a"',
    ),
    "no-more": Pattern(r"\b[Tt]here (?:is|are|was|were) no more\b", 'write "has no further"'),
    "anew": Pattern(r"\banew\b", 'write "again" or "rebuild"'),
    "told-of": Pattern(r"\b(?:told|tells?|telling) of\b", 'write "report", "list" or "contain"'),
    "what-subject": Pattern(
        r"^(?:\d+\. )?(?:What|Who|Whoever|Whatever) (?!.*\?$)(?!is (?:new|next)\b).*\b\w",
        "begin with the subject",
    ),
    "those-that": Pattern(
        r"\bthose (?:that|which|who|of)\b.*\bthose (?:that|which|who|of)\b", "split the sentence"
    ),
}

#: Patterns that are not looked for, by folder or file; the longest name that fits decides.
TURNED_OFF: dict[str, frozenset[str]] = {
    "": frozenset(),
    # Take a pattern out of a line when its folder is free of it.
    "benchmarks/": frozenset({"is-no", "what-subject"}),
    "docker/install_locked.py": frozenset({"what-subject"}),
    "docker/try_without_docker/": frozenset({"what-subject"}),
    "executors/": frozenset({"anew", "is-no", "what-subject"}),
    "soundalike/": frozenset({"anew", "is-no", "those-that", "told-of", "what-subject"}),
    "tests/": frozenset({"anew", "is-no", "told-of", "what-subject"}),
    "tests/flow/test_documentation.py": frozenset(),
    "tests/flow/test_documented_commands.py": frozenset(),
    "toy-data/": frozenset({"what-subject"}),
}


#: Lines up to a blank one, an item of a list, a heading, a row of a table or an underlined title.
_BLOCK = re.compile(r"[^\n]+(?:\n(?!\s*\n|\s*[-*|#>] |\s*#+ |\s*\d+\. |\s*-{4,})[^\n]+)*")


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a text, each with the line on which it begins, from 0.

    Paragraphs, items of lists, headings and cells of tables are apart; code is left out.
    """
    text = re.sub(
        r"^( *)(```|~~~).*?^\1\2", lambda found: "\n" * found[0].count("\n"), text, flags=re.M | re.S
    )
    text = re.sub(r"^(    )?(>>>|\.\.\.).*$", "", text, flags=re.M)
    text = re.sub(r"``.+?``|`[^`\n]+`", "`x`", text)
    for block in _BLOCK.finditer(text):
        line = text.count("\n", 0, block.start())
        for cell in re.split(r"\s*\|\s*", block[0]) if block[0].lstrip().startswith("|") else [block[0]]:
            joined = re.sub(r"\s+", " ", cell).strip(" -*#>")
            for sentence in re.split(r"(?<=[.:;!?])\s+(?=[\"'(*]*[A-Z])", joined):
                if sentence:
                    yield line, sentence.strip("* ")


def prose_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield docstrings and blocks of comments, each with its line, from 1."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node.body[0].lineno, docstring
    block: list[str] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != last + 1:
            yield last - len(block) + 1, "\n".join(block)
            block = []
        block.append(token.string.lstrip("#: "))
        last = token.start[0]
    if block:
        yield last - len(block) + 1, "\n".join(block)


def findings(path: Path, names: frozenset[str]) -> Iterator[str]:
    """Yield a line for each sentence of a file in which a pattern is found."""
    text = path.read_text(encoding="utf-8")
    parts = prose_of_python(text) if path.suffix == ".py" else iter([(1, text)])
    for first, part in parts:
        for line, sentence in sentences(part):
            for name in sorted(names):
                if re.search(PATTERNS[name].expression, sentence):
                    shown = sentence if len(sentence) <= 100 else f"{sentence[:97]}..."
                    yield f"{path}:{first + line}: {name}: {PATTERNS[name].advice}: {shown}"


def turned_on(name: str) -> frozenset[str]:
    """Return the patterns that a file of the project is searched for."""
    longest = max((folder for folder in TURNED_OFF if name.startswith(folder)), key=len)
    return frozenset(PATTERNS) - TURNED_OFF[longest]


def project_files() -> list[str]:
    """Return the Python and Markdown files that git knows, or would add."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.py"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    return sorted(name for name in set(done.stdout.splitlines()) if (ROOT / name).is_file())


def main(names: list[str]) -> int:
    """Print the findings; return the exit status."""
    if names:
        found = [line for name in names for line in findings(Path(name), frozenset(PATTERNS))]
    else:
        found = [line for name in project_files() for line in findings(ROOT / name, turned_on(name))]
    print("\n".join(line.removeprefix(f"{ROOT}/") for line in found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
