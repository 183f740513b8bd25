"""Write bills of materials in the format CycloneDX: of the lock, and of each image's part of it.

Usage: ``python tools/write_sbom.py FOLDER``, with the Python of an environment that has cyclonedx-bom;
``make sbom`` makes one.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_IMAGES = {
    "segmenter": "audio_segmenter",
    "encoder": "vggish_encoder",
    "indexer": "timescale_indexer",
    "ranker": "max_score_ranker",
    "gateway": "gateway",
}


def main() -> int:
    """Write the files, and print their names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(ROOT / "requirements.txt", folder / "soundalike.json")
    installing: dict[str, Any] = runpy.run_path(str(ROOT / "docker" / "install_locked.py"))
    lock = installing["read_lock"]((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    os.environ.setdefault("VIRTUAL_ENV", sys.prefix)
    for image, executor in _IMAGES.items():
        with tempfile.TemporaryDirectory() as scratch:
            wanted = ROOT / "executors" / executor / "requirements.txt"
            names = installing["resolve"](lock, wanted, Path(scratch))
            chosen = Path(scratch) / "chosen.txt"
            chosen.write_text("".join(lock[name] for name in names), encoding="utf-8")
            write(chosen, folder / f"{image}.json")
    return 0


def write(requirements: Path, target: Path) -> None:
    """Write the bill of a file of requirements."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    about = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
    words = [program, "requirements", *about, "--output-file", target, requirements]
    subprocess.run(words, check=True)  # noqa: S603 - words of our own
    print(target)


if __name__ == "__main__":
    sys.exit(main())
