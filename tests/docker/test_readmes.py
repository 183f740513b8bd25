"""The executors' README files: in the order that Jina's convention wants, with examples that run."""

import ast
import doctest
import re
from pathlib import Path

import pytest
import yaml

SECTIONS = ["Init arguments", "Inputs", "Outputs", "Prerequisites", "Usage in YAML", "Example"]
FOLDERS = ["audio_segmenter", "vggish_encoder", "timescale_indexer", "max_score_ranker", "gateway"]
_BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(project: Path, folder: str) -> str:
    return (project / "executors" / folder / "README.md").read_text()


@pytest.mark.parametrize("folder", FOLDERS)
def test_sections_are_in_order(project: Path, folder: str) -> None:
    text = read(project, folder)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    # The description stands first.
    assert re.match(r"# \w+\n\n\w", text)
    assert f"uses: executors/{folder}/config.yml" in text


def arguments_of(folder: Path) -> list[str]:
    """Return what the class that config.yml names takes, but for what Jina gives it."""
    config = yaml.safe_load((folder / "config.yml").read_text())
    (module,) = config["py_modules"]
    tree = ast.parse((folder / module).read_text())
    constructors = [
        method
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == config["jtype"]
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
    ]
    return [argument.arg for constructor in constructors for argument in constructor.args.args[1:]]


@pytest.mark.parametrize("folder", FOLDERS)
def test_arguments_are_those_of_the_class(project: Path, folder: str) -> None:
    section = read(project, folder).split("## Init arguments\n")[1].split("\n## ")[0]
    documented = re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \|", section, re.MULTILINE)
    named = [name for names in documented for name in names if name]
    assert sorted(named) == sorted(arguments_of(project / "executors" / folder))


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "gateway"])
def test_examples_give_what_is_printed(
    project: Path,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
    clean_environ: Path,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(project)
    # What an executor has to say is not part of the example.
    monkeypatch.setenv("JINA_LOG_LEVEL", "ERROR")
    if folder == "timescale_indexer":
        monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", request.getfixturevalue("database_url"))
    (block,) = _BLOCK.findall(read(project, folder))
    example = doctest.DocTestParser().get_doctest(block, {}, folder, folder, 0)
    assert example.examples
    said: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert results.failed == 0, "".join(said)
