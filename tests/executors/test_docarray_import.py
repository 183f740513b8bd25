"""DocArray is imported without the array libraries, which stay importable."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with modules of a folder before the installed ones."""
    environ = {"PYTHONPATH": f"{folder}:{PROJECT}"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_array_libraries_are_not_loaded_and_can_be_imported_after(tmp_path: Path):
    for name in ("tensorflow", "torch", "jax"):
        (tmp_path / f"{name}.py").write_text("print(__name__)\n")
    code = (
        "import sys, executors, docarray.typing; print('imported')\n"
        "assert not {'tensorflow', 'torch', 'jax'} & set(sys.modules)\n"
        "import tensorflow, torch, jax"
    )
    done = _run(code, tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["imported", "tensorflow", "torch", "jax"])


def test_a_library_that_is_loaded_already_stays_as_it_is(tmp_path: Path):
    (tmp_path / "jax.py").write_text("")
    done = _run("import sys, jax, executors; assert sys.modules['jax'] is jax", tmp_path)
    assert done.returncode == 0, done.stderr
