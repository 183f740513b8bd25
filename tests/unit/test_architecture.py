"""Imports point one way, the core knows nothing of Jina, and one module prints."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import soundalike

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "soundalike"

#: Rooms, lowest first. A module may import from rooms below, and from its own as long as there is no
#: circle. A module in no room fails the test: give it one.
ROOMS = (
    "errors",
    "filters",
    "types",
    "ranges",
    "parameters",
    "faults",
    "config",
    "limits",
    "runtime",
    "audio.sniffing",
    "audio",
    "remote",
    "clock",
    "audio.sandbox",
    "annotations",
    "scores",
    "learning",
    "encoders",
    "store",
    "search",
    "events",
    "searches",
    "repeats",
    "results",
    "indexing",
    "cluster",
    "archive",
    "evaluation",
    "speakers",
    "anomalies",
    "maps",
    "doctor",
    "client",
    "display",
    "library",
    "cli",
    "__main__",
)
GATEWAY_ROOMS = (
    "problems",
    "request_ids",
    "guard",
    "background",
    "metrics",
    "counting",
    "flow",
    "api",
    "gateway",
)
FOREIGN = ("jina", "docarray", "executors", "grpc", "fastapi")

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of everything that is imported, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    """Return the room of a module; an empty name for the package itself."""
    names = module.split(".")[1:]
    longest = [".".join(names[:n]) for n in (2, 1)]
    return next((room for room in longest if room in ROOMS), names[0] if names else "")


@functools.cache
def edges(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    found = set()
    for name in imports(parsed(module)):
        while name.startswith("soundalike") and name not in MODULES:
            name = name.rpartition(".")[0]
        if name.startswith("soundalike"):
            found.add(name)
    return found - {module}


def test_modules_were_found():
    assert {"soundalike", "soundalike.audio.loading", "soundalike.cli.main"} <= MODULES.keys()


def test_every_module_is_in_a_room():
    assert [name for name in MODULES if room_of(name) and room_of(name) not in ROOMS] == []


def test_imports_point_downwards():
    level = {room: number for number, room in enumerate(ROOMS)}
    upwards = [
        f"{module} imports {imported}"
        for module in MODULES
        for imported in edges(module)
        if room_of(module) and room_of(imported) and level[room_of(imported)] > level[room_of(module)]
    ]
    assert upwards == []


def test_imports_of_the_gateway_point_downwards():
    folder = ROOT / "executors" / "gateway"
    level = {room: number for number, room in enumerate(GATEWAY_ROOMS)}
    upwards = [
        f"{path.relative_to(folder)} imports {name}"
        for path in sorted(folder.rglob("*.py"))
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.startswith("executors.gateway.")
        and level[name.split(".")[2]] > level[path.relative_to(folder).with_suffix("").parts[0]]
    ]
    assert upwards == []


def test_every_room_says_in_one_line_what_it_is_for():
    rooms = [*PACKAGE.rglob("*/__init__.py"), *(ROOT / "executors").rglob("*/__init__.py")]
    first = {
        path: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0] for path in rooms
    }
    assert len(rooms) > 20
    assert [str(path) for path, line in first.items() if not line.endswith(".")] == []


def test_the_package_itself_imports_nothing():
    # ``import soundalike`` is part of every import of its modules.
    code = "import soundalike, sys; print([name for name in sys.modules if 'soundalike.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_public_names_are_those_that_the_package_lists():
    assert {name: getattr(soundalike, name).__name__ for name in soundalike.__all__} == {
        name: name for name in soundalike.__all__
    }
    assert set(soundalike.__all__) == set(soundalike._PUBLIC) <= set(dir(soundalike))
    with pytest.raises(AttributeError, match="'soundalike' has no attribute 'Pipline'"):
        _ = soundalike.Pipline


def test_there_are_no_circles():
    # A package's __init__ stands for itself; its modules may be imported past it.
    graph = {module: edges(module) for module in MODULES if module != "soundalike"}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for imported in sorted(graph[module] - {"soundalike"}):
                visit(imported, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_core_knows_nothing_of_jina():
    foreign = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(parsed(module))
        if name.split(".")[0] in FOREIGN
    ]
    assert foreign == []


def test_options_are_parsed_by_the_command_line_alone():
    parsing = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(parsed(module))
        if name.split(".")[0] in ("argparse", "click") and room_of(module) != "cli"
    ]
    assert parsing == []


def is_output(node: ast.AST) -> bool:
    """Tell whether a node is a call of print, or a standard stream's method to write."""
    is_print = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    is_stream = (
        isinstance(node, ast.Attribute)
        and node.attr == "write"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr in ("stdout", "stderr")
    )
    return is_print or is_stream


def test_only_the_output_module_prints():
    printing = {module for module in MODULES for node in ast.walk(parsed(module)) if is_output(node)}
    assert printing == {"soundalike.cli.output"}


def test_tensorflow_is_imported_only_where_it_is_used():
    heavy = {"tensorflow", "tf_slim", "librosa", "av", "tqdm"}
    found = [
        f"{module} imports {name} when it is imported"
        for module in MODULES
        for node in parsed(module).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in imports(node)
        if name.split(".")[0] in heavy
    ]
    assert found == []
