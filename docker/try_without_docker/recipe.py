"""Read the Dockerfile and compose.yml: as much of both languages as these two files use."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}|(?P<bare>\w+))")


@dataclass(frozen=True)
class Instruction:
    """A line of a Dockerfile: its keyword, its options (``--from=build``), and what follows."""

    keyword: str
    options: dict[str, str]
    value: str

    def words(self) -> list[str]:
        """Return what follows, split: as JSON where it is a list, else as a shell does."""
        return json.loads(self.value) if self.value.startswith("[") else shlex.split(self.value)


@dataclass
class Stage:
    """A stage of a Dockerfile.

    Attributes
    ----------
    name : str
        What stands after AS.
    base : str
        The image or stage that it begins with.
    instructions : list of Instruction
        What follows FROM.
    """

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


class Dockerfile:
    """The stages of a Dockerfile.

    Parameters
    ----------
    text : str
        Its content.
    """

    def __init__(self, text: str) -> None:
        self.stages: dict[str, Stage] = {}
        #: Global build arguments with their defaults.
        self.arguments: dict[str, str] = {}
        stage = None
        for instruction in _instructions(text):
            if instruction.keyword == "FROM":
                base, _, name = instruction.words()
                base = expand(base, self.arguments)
                stage = self.stages[name] = Stage(name, base)
            elif stage is not None:
                stage.instructions.append(instruction)
            else:
                name, _, default = instruction.value.partition("=")
                self.arguments[name] = default

    def lineage(self, name: str) -> list[Stage]:
        """Return a stage and those that it begins with, oldest first."""
        stage = self.stages[name]
        return [*(self.lineage(stage.base) if stage.base in self.stages else []), stage]

    def last(self, name: str, keyword: str) -> Instruction | None:
        """Return the instruction that holds for a stage: the last one of its lineage."""
        found = [
            instruction
            for stage in self.lineage(name)
            for instruction in stage.instructions
            if instruction.keyword == keyword
        ]
        return found[-1] if found else None


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = []
    for logical in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not logical.strip():
            continue
        keyword, _, rest = logical.strip().partition(" ")
        options = {}
        while match := re.match(r"--(\w+)=(\S+)\s+", rest):
            options[match[1]] = match[2]
            rest = rest[match.end() :]
        found.append(Instruction(keyword, options, rest.strip()))
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Fill in ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?complaint}``.

    Raises
    ------
    ValueError
        A variable that must be set is not; the message is the complaint.
    """

    def value_of(match: re.Match[str]) -> str:
        name, kind = match["braced"] or match["bare"], match["kind"]
        value = variables.get(name, "")
        if value or kind is None:
            return value
        if kind == "?":
            raise ValueError(f"{name}: {match['rest']}")
        return str(match["rest"])

    return _VARIABLE.sub(value_of, text)


def read_compose(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return a compose file with its anchors and variables filled in."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    filled: dict[str, Any] = _mapped(raw, lambda text: expand(text, variables))
    return filled


@dataclass(frozen=True)
class Mount:
    """A volume of a service: what lies there, a path or a volume's name, and whether it is read-only."""

    source: str
    read_only: bool


def mounts(service: Mapping[str, Any]) -> dict[str, Mount]:
    """Return a service's volumes by the path that they are mounted at."""
    found = {}
    for volume in service.get("volumes", []):
        if isinstance(volume, str):
            source, path, *options = volume.split(":")
            found[path] = Mount(source, options == ["ro"])
        else:
            found[volume["target"]] = Mount(volume["source"], volume.get("read_only", False))
    return found


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(part, change) for part in value]
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    return value
