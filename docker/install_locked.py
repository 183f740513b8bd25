"""Install what an image needs, and nothing else, at the versions and hashes of the lock.

Usage: ``python install_locked.py LOCK REQUIREMENTS``; packages go into ``$VIRTUAL_ENV``.

pip refuses hashes in constraints for requirements that are not pinned themselves. So this takes two
steps: pip resolves under the lock's versions without installing anything, and then it installs the
lock's own entries for what came out, hashes and all.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

#: What every image needs. Jina's convention keeps it out of an executor's own requirements.
COMMON = ("docarray", "jina", "setuptools")
_ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def main() -> int:
    """Install, or exit with pip's status."""
    lock = read_lock(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        names = resolve(lock, Path(sys.argv[2]), scratch)
        chosen = scratch / "chosen.txt"
        chosen.write_text("".join(lock[name] for name in names), encoding="utf-8")
        pip("install", "--no-deps", "--require-hashes", "--requirement", str(chosen))
    return 0


def read_lock(text: str) -> dict[str, str]:
    """Return a lock's entries, each with its marker and hashes, by normalised name.

    A package that has other versions on other Pythons has one text of several entries.
    """
    starts = [match.start() for match in _ENTRY.finditer(text)]
    ends = [*starts[1:], len(text)]
    entries: dict[str, str] = {}
    for start, end in zip(starts, ends, strict=True):
        name = normalised(text[start:end].split("==", 1)[0])
        entries[name] = entries.get(name, "") + text[start:end]
    return entries


def resolve(lock: dict[str, str], wanted: Path, scratch: Path) -> list[str]:
    """Return the names of `wanted`, of `COMMON`, and of all that they need."""
    constraints, report = scratch / "constraints.txt", scratch / "report.json"
    # With the markers: pip heeds those that hold for the Python it installs for.
    lines = "".join(lock.values()).splitlines()
    versions = (line.removesuffix("\\").strip() for line in lines if _ENTRY.match(line))
    constraints.write_text("\n".join(versions), encoding="utf-8")
    pip(
        *("install", "--dry-run", "--ignore-installed", "--quiet", "--report", str(report)),
        *("--constraint", str(constraints), "--requirement", str(wanted), *COMMON),
    )
    found = json.loads(report.read_text(encoding="utf-8"))["install"]
    names = sorted(normalised(item["metadata"]["name"]) for item in found)
    if unlocked := [name for name in names if name not in lock]:
        sys.exit(f"not in the lock: {', '.join(unlocked)}; run: make lock")
    return names


def pip(*arguments: str) -> None:
    """Run this Python's pip on ``$VIRTUAL_ENV``, which has none of its own."""
    python = Path(os.environ["VIRTUAL_ENV"], "bin", "python")
    command = [sys.executable, "-m", "pip", "--python", str(python), *arguments]
    status = subprocess.run(command, check=False).returncode  # noqa: S603 - arguments of our own
    if status:
        sys.exit(status)


def normalised(name: str) -> str:
    """Return a package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
