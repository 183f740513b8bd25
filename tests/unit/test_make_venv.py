"""The virtual environment of `make`: which Python it gets, and when it is made again."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "make_venv.sh"

#: Stands for another Python: it claims a version, and its venv is a folder with itself in it.
FAKE = """#!/bin/sh
if [ "$1" = -c ]; then
    exec {real} -c 'import sys, platform
sys.version_info = ({info})
platform.python_version = lambda: "{version}"
exec(sys.argv[1])' "$2"
fi
rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python"
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Make a folder that is the whole PATH: a few tools, and the Pythons that a test puts there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for tool in ("touch", "mkdir", "rm", "cp"):
        found = next(path for path in (Path("/bin", tool), Path("/usr/bin", tool)) if path.exists())
        (folder / tool).symlink_to(found)
    return folder


def put(folder: Path, name: str, version: str) -> Path:
    """Write a Python that claims a version."""
    info = version.replace(".", ", ")
    path = folder / name
    path.write_text(FAKE.format(real=sys.executable, info=info, version=version))
    path.chmod(0o755)
    return path


def make(programs: Path, *wanted: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", SCRIPT, programs.parent / "venv", *wanted],
        env={"PATH": str(programs), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )


def version_of(programs: Path) -> str:
    text = (programs.parent / "venv" / "bin" / "python").read_text()
    found = re.search(r'lambda: "(.*?)"', text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("present", "taken"),
    [
        ({"python3.11": "3.11.2", "python3.13": "3.13.5", "python3": "3.11.2"}, "3.13.5"),
        ({"python3.11": "3.11.2", "python3.12": "3.12.3", "python3.14": "3.14.0"}, "3.12.3"),
        ({"python3": "3.12.3", "python3.10": "3.10.4"}, "3.12.3"),
        # A shim of a version manager that has no such Python.
        ({"python3.13": "2.7.18", "python3.11": "3.11.2"}, "3.11.2"),
    ],
)
def test_newest_supported_python_is_taken(programs: Path, present: dict[str, str], taken: str) -> None:
    for name, version in present.items():
        put(programs, name, version)
    done = make(programs)
    assert done.returncode == 0, done.stderr
    assert version_of(programs) == taken
    assert (programs.parent / "venv" / "made").exists()


def test_what_was_found_is_named(programs: Path) -> None:
    put(programs, "python3", "3.10.4")
    done = make(programs)
    assert done.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert f"{programs / 'python3'}: CPython 3.10.4" in done.stderr
    assert not (programs.parent / "venv").exists()


def test_no_python_at_all(programs: Path) -> None:
    done = make(programs)
    assert done.returncode == 1
    assert "found none on the PATH" in done.stderr


def test_working_environment_stays(programs: Path) -> None:
    put(programs, "python3.11", "3.11.2")
    make(programs)
    stamp = (programs.parent / "venv" / "made").stat().st_mtime_ns
    put(programs, "python3.13", "3.13.5")
    assert make(programs).stdout == ""
    assert version_of(programs) == "3.11.2"
    assert (programs.parent / "venv" / "made").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("before", ["3.10.4", "3.14.0", None])
def test_unsupported_or_lost_python_of_an_environment(programs: Path, before: str | None) -> None:
    folder = programs.parent / "venv"
    (folder / "bin").mkdir(parents=True)
    if before is None:
        (folder / "bin" / "python").symlink_to("/nonexistent/python3.11")
    else:
        put(folder / "bin", "python", before)
    (folder / "installed").touch()
    put(programs, "python3.12", "3.12.3")
    done = make(programs)
    assert done.returncode == 0, done.stderr
    assert before or "not a Python that runs" in done.stdout
    assert version_of(programs) == "3.12.3"
    # The packages of the old one went with it.
    assert not (folder / "installed").exists()


def test_python_by_name(programs: Path, tmp_path: Path) -> None:
    put(programs, "python3.13", "3.13.5")
    other = put(tmp_path, "mine", "3.12.3")
    for wanted in (other, "", other, "python3.13"):
        assert make(programs, *filter(None, [wanted])).returncode == 0
        assert version_of(programs) == ("3.13.5" if wanted == "python3.13" else "3.12.3")


def test_unsupported_python_by_name_changes_nothing(programs: Path, tmp_path: Path) -> None:
    put(programs, "python3.13", "3.13.5")
    make(programs)
    done = make(programs, put(tmp_path, "old", "3.10.4"))
    assert done.returncode == 1
    assert f"{tmp_path / 'old'}: CPython 3.10.4" in done.stderr
    assert version_of(programs) == "3.13.5"


def test_script_and_project_name_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minors = re.findall(r"Python :: 3\.(\d+)", " ".join(project["classifiers"]))
    first, last = minors[0], minors[-1]
    assert project["requires-python"] == f">=3.{first},<3.{int(last) + 1}"
    text = SCRIPT.read_text()
    assert f"(3, {first}) <= sys.version_info[:2] <= (3, {last})" in text
    assert re.findall(r"python3\.(\d+)", text.split("for wanted in", 1)[1].split(";")[0]) == minors[::-1]
