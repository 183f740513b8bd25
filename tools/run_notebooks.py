"""Run notebooks and save their outputs: ``run_notebooks.py [NOTEBOOK...]``; by default all of them.

An index of its own is made, so that the outputs do not depend on earlier runs.
"""

from __future__ import annotations

import base64
import io
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from jupyter_client import KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Outputs must not depend on installed models. Matrices are small: threads would wait for each other.
SETTINGS = {
    "SOUNDALIKE_MODEL": "logmel-modulation",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_TIMEOUT_S = 300
_COLOURS, _WIDTH = 48, 640


def run(path: Path, settings: Mapping[str, str], scratch: Path) -> NotebookNode:
    """Return a notebook with the outputs of a run in its folder; the file stays as it is.

    Parameters
    ----------
    path : Path
    settings : mapping
        Environment variables for the notebook.
    scratch : Path
        Folder for files of the kernel.
    """
    notebook = nbformat.read(path, as_version=4)
    kernel = KernelManager(
        kernel_name="python3", transport="ipc", connection_file=str(scratch / "kernel.json")
    )
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=_TIMEOUT_S,
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    )
    try:
        client.execute(env={**os.environ, "IPYTHONDIR": str(scratch), **settings})
    finally:
        kernel.shutdown_kernel()
    return notebook


def shrink(notebook: NotebookNode) -> None:
    """Make pictures small, and remove the parts that differ from run to run."""
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = NotebookNode()
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _small(output.data["image/png"])


def _small(encoded: str) -> str:
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    if picture.width > _WIDTH:
        picture = picture.resize((_WIDTH, round(picture.height * _WIDTH / picture.width)))
    file = io.BytesIO()
    picture.quantize(_COLOURS).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def main(paths: list[Path]) -> None:
    """Run notebooks, and write them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"SOUNDALIKE_DATA_DIR": folder, **SETTINGS}
        for path in paths:
            notebook = run(path, settings, Path(folder))
            shrink(notebook)
            nbformat.write(notebook, path)
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or NOTEBOOKS)
