"""Imports point one way, the core knows nothing of Jina, and one module prints."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "soundalike"

#: Layers of the core, lowest first. A module may import from layers below, and from its own layer
#: as long as no circle comes of it. A module that is in no layer fails the test: give it one.
LAYERS = (
    ("errors", "conditions", "types", "excerpt", "parameters"),
    ("config", "limits", "lifetime", "freed_memory", "sniffing", "faults"),
    ("windows", "parallel", "audio", "weights", "mirrors", "files", "start_time", "wall_clock", "sql"),
    ("metadata", "roots"),
    ("segmenter", "vggish", "embedding", "batching", "modulation", "encoders"),
    ("isolation", "intake"),
    ("display", "clip_embedding"),
    ("store", "ranking", "queries", "neighbours", "items", "metrics"),
    ("indexing",),
    (
        "pipeline",
        "evaluation",
        "rebuild",
        "renewing",
        "timeline",
        "preview",
        "pruning",
        "exchange",
        "vectors",
        "doctor",
    ),
    ("remote",),
    ("cli", "__main__"),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
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


def part_of(module: str) -> str:
    """Return what the layers call a module: its first name below the package."""
    names = module.split(".")
    return names[1] if len(names) > 1 else ""


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


def test_every_module_has_a_layer():
    assert [name for name in MODULES if part_of(name) and part_of(name) not in LEVEL] == []


def test_imports_point_downwards():
    upwards = [
        f"{module} imports {imported}"
        for module in MODULES
        for imported in edges(module)
        if part_of(module) and part_of(imported) and LEVEL[part_of(imported)] > LEVEL[part_of(module)]
    ]
    assert upwards == []


def test_the_package_itself_imports_nothing():
    # ``import soundalike`` is part of every import of its modules.
    assert edges("soundalike") == set()


def test_there_are_no_circles():
    # A package's __init__ stands for itself; its modules may be imported past it.
    graph = {module: edges(module) for module in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for imported in sorted(graph[module]):
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
