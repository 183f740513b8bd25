"""Hashes of large files, computed once."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def sha256_of(files: Sequence[Path]) -> str:
    """Return the SHA-256 of the content of some files, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def known_sha256(files: Sequence[Path], notes: Sequence[Path]) -> str:
    """Return the SHA-256 of some files, from a note if they have not been changed since it was written.

    Parameters
    ----------
    files : sequence of Path
    notes : sequence of Path
        Places of the note; the first that can be written to gets it.
    """
    stamp = [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    for note in notes:
        # There may be no note yet, or a damaged one.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(note.read_text(encoding="utf-8"))
            if kept["files"] == stamp:
                return str(kept["sha256"])
    sha256 = sha256_of(files)
    text = json.dumps({"files": stamp, "sha256": sha256})
    for note in notes:
        with contextlib.suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(text, encoding="utf-8")
            break
    return sha256
