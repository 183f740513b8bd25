"""Carry out a Dockerfile's instructions in a folder instead of in an image."""

# ruff: noqa: S603 - the commands are the Dockerfile's own

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from recipe import Dockerfile, Instruction, expand

#: What the build may know of this machine: how to reach a package index.
_NETWORK = re.compile(r"(PIP_|SSL_|REQUESTS_CA|CURL_CA)\w*|\w+_proxy|\w+_PROXY|LANG|HOME")
_PATH_IN_LIST = re.compile(r"(?:(?<=^)|(?<=:))/[^:$]*")


@dataclass
class State:
    """Where a stage has come to."""

    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"


class Image:
    """A target of a Dockerfile, laid out below a folder.

    All stages that go into a target share the folder; a ``COPY --from`` whose source and destination
    are the same path has then nothing to do, and a virtual environment stays where it was made.

    Parameters
    ----------
    dockerfile : Dockerfile
        The recipe.
    target : str
        Which of its stages.
    root : Path
        Stands for ``/`` of the image; made here.
    context : Path
        Where COPY finds its sources.
    """

    def __init__(self, dockerfile: Dockerfile, target: str, root: Path, context: Path) -> None:
        self.dockerfile, self.target = dockerfile, target
        self.root, self.context = root, context
        self._states: dict[str, State] = {}

    def build(self) -> None:
        """Carry out everything that the target needs."""
        self._make_base_image()
        self._build_stage(self.target)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a process of the image begins with; paths are the image's."""
        return dict(self._states[self.target].environment)

    @property
    def workdir(self) -> Path:
        """The folder that a process of the image begins in."""
        return self.place(self._states[self.target].workdir)

    def command(self, keyword: str) -> list[str]:
        """Return ENTRYPOINT or CMD."""
        instruction = self.dockerfile.last(self.target, keyword)
        return instruction.words() if instruction else []

    def user(self) -> tuple[int, int]:
        """Return user and group."""
        instruction = self.dockerfile.last(self.target, "USER")
        user, _, group = (instruction.value if instruction else "0:0").partition(":")
        return int(user), int(group)

    def place(self, path: str) -> Path:
        """Return where a path of the image lies."""
        return self.root / path.lstrip("/")

    def placed(self, value: str) -> str:
        """Return a variable's value with every absolute path in it as `place` gives it."""
        return _PATH_IN_LIST.sub(lambda match: str(self.place(match[0])), value)

    def _make_base_image(self) -> None:
        """Make what the image that the Dockerfile begins with has: Python, and user management."""
        programs = self.place("/usr/local/bin")
        programs.mkdir(parents=True)
        self.place("/tmp").mkdir(mode=0o1777)  # noqa: S108 - a folder of this name below the root
        self.place("/tmp").chmod(0o1777)  # noqa: S108 - as above
        python = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
        shims = {"python": f'exec "{python}" "$@"', "groupadd": "exit 0", "useradd": "exit 0"}
        if os.geteuid() != 0:
            shims["chown"] = "exit 0"
        for name, line in shims.items():
            (programs / name).write_text(f"#!/bin/sh\n{line}\n")
            (programs / name).chmod(0o755)

    def _build_stage(self, name: str) -> State:
        if name in self._states:
            return self._states[name]
        stage = self.dockerfile.stages[name]
        if stage.base in self.dockerfile.stages:
            before = self._build_stage(stage.base)
            state = State(dict(before.environment), before.workdir)
        else:
            state = State({"PATH": f"{self.place('/usr/local/bin')}:/usr/bin:/bin"})
        for instruction in stage.instructions:
            self._carry_out(instruction, state)
        self._states[name] = state
        return state

    def _carry_out(self, instruction: Instruction, state: State) -> None:
        if instruction.keyword == "ENV":
            for word in instruction.words():
                variable, _, value = word.partition("=")
                state.environment[variable] = expand(self.placed(value), state.environment)
        elif instruction.keyword == "WORKDIR":
            state.workdir = instruction.value
            self.place(state.workdir).mkdir(parents=True, exist_ok=True)
        elif instruction.keyword == "COPY":
            self._copy(instruction, state)
        elif instruction.keyword == "RUN":
            self._run(instruction.value, state)

    def _copy(self, instruction: Instruction, state: State) -> None:
        *sources, destination = instruction.words()
        target = self.place(os.path.join(state.workdir, destination))
        stage = instruction.options.get("from")
        if stage is not None:
            self._build_stage(stage)
            if sources != [destination]:
                raise NotImplementedError("COPY --from with another destination")
            return
        for source in sources:
            path = self.context / source
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
                shutil.copytree(path, target, dirs_exist_ok=True, ignore=ignored)
            else:
                into_folder = destination.endswith("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / path.name if into_folder else target)

    def _run(self, script: str, state: State) -> None:
        kept = {name: value for name, value in os.environ.items() if _NETWORK.fullmatch(name)}
        subprocess.run(
            ["/bin/sh", "-e", "-c", script],
            cwd=self.place(state.workdir),
            env={**kept, **state.environment},
            stdout=subprocess.DEVNULL,
            check=True,
        )
