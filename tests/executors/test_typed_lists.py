"""DocArray's typed lists on Python 3.12 and later, whoever imports Jina first."""

import base64
import hashlib
import importlib.util
import subprocess
import sys
import types
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from executors.jina_fixes.typed_lists import mend_typed_lists

WHEEL = Path(__file__).parents[2] / "tools" / "wheel"


#: DocArray imports it where it is installed, which takes seconds.
_WITHOUT_TENSORFLOW = "import sys\nsys.modules.update(dict.fromkeys(['tensorflow', 'torch', 'jax']))\n"


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python of this environment in a folder that has no part of the project."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_alias_is_one_of_typing() -> None:
    any_array = ModuleType("any_array")
    any_array.GenericAlias = types.GenericAlias
    mend_typed_lists(any_array)
    alias = any_array.GenericAlias(list, int)
    assert type(alias).__module__ == "typing"
    assert not isinstance(alias, types.GenericAlias)
    assert (alias.__origin__, alias.__args__) == (list, (int,))


def test_module_of_python_311_stays_as_it_is() -> None:
    any_array = ModuleType("any_array")
    mend_typed_lists(any_array)
    assert not hasattr(any_array, "GenericAlias")


def test_lists_nest_in_documents(tmp_path: Path) -> None:
    """What pydantic could not read, in a program that never heard of Soundalike."""
    program = (
        "from docarray import BaseDoc, DocList\n"
        "class Part(BaseDoc): text: str\n"
        "class Whole(BaseDoc): parts: DocList[Part]\n"
        "import jina\n"
        "whole = Whole(parts=DocList[Part]([Part(text='a')]))\n"
        "print(Whole.from_protobuf(whole.to_protobuf()).parts[0].text)\n"
    )
    done = run("-c", _WITHOUT_TENSORFLOW + program, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("a\n", 0), done.stderr


def test_jinas_own_command_starts(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("jina").read_text()
    done = run("-c", _WITHOUT_TENSORFLOW + script, "--version", cwd=tmp_path)
    assert (done.stdout.strip(), done.returncode) == (version("jina"), 0), done.stderr


def test_executors_need_nothing_that_runs_at_the_start(tmp_path: Path) -> None:
    """As where the code lies on PYTHONPATH, and Python reads no soundalike.pth."""
    program = (
        "import sys\n"
        "sys.meta_path[:] = [one for one in sys.meta_path if one.__module__ != 'soundalike_startup']\n"
        "import executors, jina\n"
    )
    done = run("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.version_info < (3, 12), reason="nothing is mended on 3.11")
def test_start_of_python_imports_nothing_else(tmp_path: Path) -> None:
    with_it = run("-c", "import sys; print(*sorted(sys.modules))", cwd=tmp_path).stdout.split()
    assert "soundalike_startup" in with_it
    assert not {"executors", "soundalike", "docarray", "typing"} & set(with_it)


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """Make a folder with a DocArray of two lines, the code that runs at the start, and the mend."""
    package = tmp_path / "docarray" / "array"
    package.mkdir(parents=True)
    (tmp_path / "docarray" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "any_array.py").write_text("from types import GenericAlias\nname = __name__\n")
    (tmp_path / "soundalike_startup.py").write_bytes((WHEEL / "soundalike_startup.py").read_bytes())
    return tmp_path


_PROGRAM = """
import sys
sys.path.insert(0, '.')
import soundalike_startup
import docarray.array.any_array as module
assert soundalike_startup._MendingFinder not in sys.meta_path
print(module.name, type(module.GenericAlias(list, int)).__module__)
"""


def test_module_is_mended_while_it_is_imported(made_up: Path) -> None:
    fixes = made_up / "executors" / "jina_fixes"
    fixes.mkdir(parents=True)
    # As the real one, importing it would be too much at this point.
    (made_up / "executors" / "__init__.py").write_text("raise AssertionError\n")
    mend = importlib.util.find_spec("executors.jina_fixes.typed_lists")
    assert mend is not None
    assert mend.origin is not None
    (fixes / "typed_lists.py").write_bytes(Path(mend.origin).read_bytes())
    done = run("-S", "-c", _PROGRAM, cwd=made_up)
    assert done.stdout == "docarray.array.any_array typing\n", done.stderr


def test_start_without_the_project_harms_nothing(made_up: Path) -> None:
    """A folder that an editable installation points to may be gone."""
    done = run("-S", "-c", _PROGRAM, cwd=made_up)
    assert done.stdout == "docarray.array.any_array types\n", done.stderr


def test_wheels_get_the_files_and_their_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(WHEEL)
    import soundalike_build

    wheel = tmp_path / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some/__init__.py", "")
        archive.writestr("some-1.dist-info/RECORD", "some/__init__.py,,\nsome-1.dist-info/RECORD,,\n")
    soundalike_build.add_files(wheel)
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("soundalike.pth") == (WHEEL / "soundalike.pth").read_bytes()
        lines = archive.read("some-1.dist-info/RECORD").decode().splitlines()
        assert sorted(line.split(",")[0] for line in lines) == sorted(archive.namelist())
        digest = hashlib.sha256(archive.read("soundalike_startup.py")).digest()
    assert f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}," in lines[-1]
