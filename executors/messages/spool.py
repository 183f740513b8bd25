"""Files for audio that is too long to travel in a message, from the segmenter to the encoder.

Both must see the same folder; in containers that is a shared volume. A file is removed as soon as it
was taken; one whose taker died is removed when the segmenter starts an hour later.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from uuid import uuid4

from soundalike.audio.loading import map_samples, release_pages
from soundalike.errors import ServiceError
from soundalike.types import FloatArray

_NAME = re.compile(r"[0-9a-f]{32}\.f32")
_STALE_S = 3600
_BLOCK_SAMPLES = 1 << 20


def put(folder: Path, samples: FloatArray) -> str:
    """Write samples into a new file; return its name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{uuid4().hex}.f32"
    partial = folder / f"{name}.part"
    with partial.open("wb") as file:
        for begin in range(0, len(samples), _BLOCK_SAMPLES):
            file.write(samples[begin : begin + _BLOCK_SAMPLES].data)
            release_pages(samples)
    partial.rename(folder / name)
    return name


def take(folder: Path, name: str) -> FloatArray:
    """Map a file into memory and remove its name.

    Raises
    ------
    ServiceError
        `name` is not one that `put` gives, or no such file is in the folder.
    """
    path = folder / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise ServiceError(
            f"the spool file {name!r} is not in {folder}; segmenter and encoder must share the folder "
            "that SOUNDALIKE_SPOOL_DIR names"
        )
    with path.open("rb") as file:
        samples = map_samples(file)
    path.unlink()
    return samples


def remove_stale(folder: Path) -> None:
    """Remove files that were not taken for an hour."""
    if not folder.is_dir():
        return
    for path in folder.glob("*.f32*"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()
        except FileNotFoundError:
            continue
