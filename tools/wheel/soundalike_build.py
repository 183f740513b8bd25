"""The build backend: setuptools, and two files more at the top of each wheel.

Python runs ``soundalike.pth`` at its start when it lies in ``site-packages``. Setuptools has no setting
that puts a file there, least of all for ``pip install --editable``.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_FOLDER = Path(__file__).parent
_FILES = ("soundalike.pth", "soundalike_startup.py")


def build_wheel(wheel_directory: str, *arguments: Any, **options: Any) -> str:
    """Build a wheel; PEP 517 says how."""
    name = build_meta.build_wheel(wheel_directory, *arguments, **options)
    add_files(Path(wheel_directory, name))
    return name


def build_editable(wheel_directory: str, *arguments: Any, **options: Any) -> str:
    """Build a wheel that points to this folder; PEP 660 says how."""
    name = build_meta.build_editable(wheel_directory, *arguments, **options)
    add_files(Path(wheel_directory, name))
    return name


def add_files(wheel: Path) -> None:
    """Add the files to a wheel, and to the list of files inside it."""
    added = {name: (_FOLDER / name).read_bytes() for name in _FILES}
    new = wheel.with_suffix(".new")
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as after:
        for item in before.infolist():
            content = before.read(item)
            if item.filename.endswith(".dist-info/RECORD"):
                content += "".join(record(*pair) for pair in added.items()).encode()
            after.writestr(item, content)
        for name, content in added.items():
            after.writestr(name, content)
    new.replace(wheel)


def record(name: str, content: bytes) -> str:
    """Return a file's line of a wheel's RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
