"""README, docs and the other Markdown files: links, names, options and codes that they mention exist."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import soundalike
from soundalike.cli.main import main
from soundalike.errors import error_classes
from tests.unit.test_architecture import MODULES, ROOMS, edges, room_of

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "executors").rglob("README.md"),
        ROOT / "docker" / "README.md",
    )
}
#: Pages on Soundalike's own commands; the others show options of other programs, too.
TASKS = [
    name for name in PAGES if name == "README.md" or re.fullmatch(r"docs/(recipes/)?[^/]+\.md", name)
]
COMMANDS = (
    *("demo", "index", "search", "events", "timeline", "status", "doctor", "delete", "reindex"),
    "collections",
    *("export", "import", "annotations", "sql", "reset", "serve", "embed", "models", "evaluate"),
    "speakers",
    "normal",
    "duplicates",
    "motifs",
    "searches",
    "map",
)
#: Options of other programs in the pages on tasks.
OTHER_OPTIONS = {
    *(
        "--build",
        "--wait",
        "--file",
        "--target",
        "--tag",
        "--resolution",
        "--editable",
    ),  # docker, uv, pip
    *("--name", "--home-dir", "--shell", "--system", "--now", "--native"),  # useradd, systemctl, jina
    *(
        "--rows",
        "--requests",
        "--most-mb",
        "--warm-up",
        "--username",
        "--labelled",
        "--rules",
        "--healthy",
    ),  # benchmarks, psql
    "--uses",  # jina
}
#: Endings of names of files, which look like codes.
FILES = (".py", ".sql", ".pth", ".yml", ".zip", ".txt")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _script(name: str) -> ModuleType:
    """Import a script of tools/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and the site give a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w -]", "", plain).strip().lower().replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {anchor(title) for title in re.findall(r"^#+ (.+)$", _CODE.sub("", text), re.MULTILINE)}


def broken_links(name: str, text: str) -> list[str]:
    """Return the links of a page that lead nowhere; those to the internet are not followed."""
    broken = []
    for target in _LINK.findall(_CODE.sub("", text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, part = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (part and part not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(f"{name}: {target}")
    return broken


def test_links_lead_to_files_and_headings():
    assert len(PAGES) > 50
    assert [link for name, text in PAGES.items() for link in broken_links(name, text)] == []


@pytest.mark.parametrize("target", ["gone.md", "search.md#gone", "#gone", "../gone/README.md"])
def test_a_broken_link_is_found(target: str):
    assert broken_links("docs/index.md", f"[text]({target})") == [f"docs/index.md: {target}"]


def test_every_page_has_one_title_and_comes_in_the_navigation():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    shown = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(nav)))
    pages = {name.removeprefix("docs/") for name in PAGES if re.match(r"docs/(?!adr/0)", name)}
    assert pages - shown == set()
    several = [
        name
        for name, text in PAGES.items()
        if len(re.findall(r"^# ", _CODE.sub("", text), re.MULTILINE)) != 1
    ]
    assert several == []


def test_every_decision_is_in_the_list_of_decisions():
    listed = re.findall(r"\| (\d+) \| \[(.+)\]\((.+)\) \|", PAGES["docs/adr/README.md"])
    paths = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    titles = [path.read_text(encoding="utf-8").split("\n")[0] for path in paths]
    assert [f"# {number}. {title}" for number, title, _ in listed] == titles
    assert [name for *_, name in listed] == [path.name for path in paths]


def _rooms_on_disk() -> set[str]:
    """Return modules and folders of the core, folders of the executors, and rooms within rooms."""
    core = {
        path.stem for path in (ROOT / "soundalike").iterdir() if path.suffix == ".py" or _has_code(path)
    } - {"__init__", "__main__"}
    nested = {room.replace(".", "/") for room in ROOMS if "." in room}
    jina = {path.name for path in (ROOT / "executors").iterdir() if _has_code(path)}
    return {f"soundalike/{name}" for name in core | nested} | {f"executors/{name}" for name in jina}


def _has_code(path: Path) -> bool:
    return path.is_dir() and any(path.glob("*.py"))


def test_the_architecture_lists_every_room():
    chapter = PAGES["ARCHITECTURE.md"].split("\n## Rooms\n")[1].split("\n## ")[0]
    listed = re.findall(r"^\| `([\w/]+)` \|", chapter, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == _rooms_on_disk()


def test_the_picture_shows_every_room_and_is_current():
    script = _script("draw_rooms")
    drawn = {f"soundalike/{name.replace('.', '/')}" for floor in script.CORE for name, _ in floor}
    drawn |= {f"executors/{name}" for floor in script.JINA for name, _ in floor}
    assert drawn == _rooms_on_disk()
    assert script.TARGET.read_text(encoding="utf-8") == script.render()


def test_rooms_import_from_lower_floors_of_the_picture():
    floors = enumerate(reversed(_script("draw_rooms").CORE))
    level = {name: number for number, floor in floors for name, _ in floor}
    wrong = {
        f"{room} imports {other}"
        for module in MODULES
        for room, other in ((room_of(module), room_of(imported)) for imported in edges(module))
        if room in level and other in level and room != other and level[other] >= level[room]
    }
    assert wrong == set()


def test_the_picture_of_the_flow_is_current():
    script = _script("draw_flow")
    flow = yaml.safe_load(script.SOURCE.read_text(encoding="utf-8"))
    assert script.TARGET.read_text(encoding="utf-8") == script.render(flow)


def test_every_room_and_every_public_name_is_in_the_reference():
    text = "".join(text for name, text in PAGES.items() if name.startswith("docs/reference/"))
    shown = set(re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))
    folders = {path.name for path in (ROOT / "soundalike").iterdir() if _has_code(path)}
    assert {f"soundalike.{name}" for name in folders} <= shown
    public = {f"soundalike.{module}.{name}" for name, module in soundalike._PUBLIC.items()}
    assert public <= shown
    modules = [name for name in shown - public if name.startswith("soundalike")]
    assert [name for name in modules if name not in MODULES] == []


def test_paths_and_modules_that_are_named_exist():
    missing = []
    for name, text in PAGES.items():
        if name == "CHANGELOG.md":
            continue
        for path in re.findall(
            r"`((?:soundalike|executors|tests|tools|docs|docker|deploy)/[\w./-]+)`", text
        ):
            if not (ROOT / path).exists() and not (ROOT / f"{path}.py").exists():
                missing.append(f"{name}: {path}")
        for dotted in re.findall(r"`((?:soundalike|executors)(?:\.\w+)+)(?:\(.*?\))?`", text):
            if not _is_name(dotted) and dotted not in ("soundalike.error", "soundalike.request_id"):
                missing.append(f"{name}: {dotted}")
    assert missing == []


def _is_name(dotted: str) -> bool:
    """Tell whether a dotted name is a file, a module, or something that a module defines."""
    parts = dotted.split(".")
    if dotted.endswith(".pth") or parts[1] in soundalike.__all__:
        return True
    for cut in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:cut])
        file = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
        if file.exists():
            names = parts[cut:]
            return not names or _defines(file, names[0])
    return False


def _defines(file: Path, name: str) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    words = {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    words |= {
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        words |= {target.id for target in targets if isinstance(target, ast.Name)}
    return name in words


@pytest.fixture
def options(capsys: pytest.CaptureFixture[str]) -> dict[str, set[str]]:
    """Return the options of every command, as its help shows them."""
    found = {}
    for command in COMMANDS:
        with contextlib.suppress(SystemExit):
            main([command, "--help"])
        found[command] = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", capsys.readouterr().out))
    assert {"--top-k", "-k"} <= found["search"]
    return found


def test_commands_and_options_exist(options: dict[str, set[str]]):
    known = set().union(*options.values()) | OTHER_OPTIONS | {"--version", "--help"}
    wrong = []
    for name in TASKS:
        text = PAGES[name]
        for command, rest in re.findall(r"(?:`|^\$ )soundalike ([a-z]+)(.*?)(?:`|  #|$)", text, re.M):
            if command not in COMMANDS:
                wrong.append(f"{name}: soundalike {command}")
                continue
            used = re.findall(r"(?<![\w'-])--[a-z][\w-]*", rest)
            wrong += [f"{name}: {command} {option}" for option in used if option not in options[command]]
        prose = _CODE.sub("", text)
        used = re.findall(r"`[^`\n]*?(?<![\w-])(--[a-z][\w-]*)", prose)
        wrong += [f"{name}: {option}" for option in used if option not in known]
    assert wrong == []


def test_every_command_is_documented():
    shown = "".join(PAGES[name] for name in TASKS)
    assert [name for name in COMMANDS if not re.search(rf"soundalike {name}\b", shown)] == ["demo"]
    assert "make demo" in shown


def test_error_codes_exist():
    codes = {cls.code for cls in error_classes()}
    families = {code.partition(".")[0] for code in codes} - {"soundalike"}
    wrong = [
        f"{name}: {code}"
        for name, text in PAGES.items()
        for code in re.findall(r"`([a-z]+\.[a-z_]+)`", text)
        if code.partition(".")[0] in families and code not in codes and not code.endswith(FILES)
    ]
    assert wrong == []


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    wrong = [
        f"{name}: make {target}"
        for name, text in PAGES.items()
        for words in re.findall(r"(?:`|^\$ |&& )make (?:-C \S+ )?([a-z][a-z ]*)", text, re.MULTILINE)
        for target in words.split()
        if target not in targets
    ]
    assert wrong == []


WORDS = "tools/check_words.py"


def _found(tmp_path: Path, name: str, text: str) -> list[str]:
    """Return the names of the patterns that the word list finds in a file."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / WORDS, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == (1 if done.stdout else 0), done.stderr
    return re.findall(r": ([a-z]+-?[a-z]*): ", done.stdout)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("A whale is no fish.", "is-no"),
        ("There is no more to say.", "no-more"),
        ("The index is made\nanew.", "anew"),
        ("The report tells of it.", "told-of"),
        ("First. What is gone leaves the index.", "what-subject"),
        ("- Whoever asks must wait.", "what-subject"),
        ("## Who may ask\n\nText.", "what-subject"),
        ("It keeps those that match and those that do not.", "those-that"),
    ],
)
def test_the_word_list_finds_a_pattern(tmp_path: Path, text: str, pattern: str):
    assert _found(tmp_path, "page.md", f"{text}\n") == [pattern]
    if not text.startswith("#"):
        assert _found(tmp_path, "module.py", f'"""{text}"""\n') == [pattern]
        comment = "\n".join(f"# {line}" for line in text.split("\n"))
        assert _found(tmp_path, "comment.py", f"{comment}\n") == [pattern]


@pytest.mark.parametrize(
    "text",
    [
        "There is no index. It is no longer needed, and was no faster when measured.",
        "What does it do?",
        "Write `anew` and `is no X`.",
        "```\nThis is no index.\n```",
        "It shows what is stored.",
    ],
)
def test_the_word_list_has_no_false_alarm(tmp_path: Path, text: str):
    assert _found(tmp_path, "page.md", f"{text}\n") == []


def test_the_built_site_is_checked_for_foreign_addresses(tmp_path: Path):
    script = _script("check_site")
    page = tmp_path / "index.html"
    page.write_text('<a href="https://a.example/"></a><script src="assets/x.js"></script>')
    assert script.main(tmp_path) == 0
    page.write_text('<script src="https://a.example/x.js"></script>')
    assert script.main(tmp_path) == 1
    assert list(script.foreign_addresses(tmp_path)) == [f"{page}: loads https://a.example/x.js"]
