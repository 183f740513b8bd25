"""Export a collection to a file, with a few thousand windows in memory at a time."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import IO, Any

import numpy as np

from soundalike.annotations.types import StoredAnnotation
from soundalike.archive.format import (
    ANNOTATIONS,
    FILES,
    HEAD,
    QUALITIES,
    RECORDINGS,
    Member,
    Summary,
    part_name,
)
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ArchiveError, IndexEmpty
from soundalike.store.base import Content
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec

#: Minimum number of windows of a part, except the last one.
PART_WINDOWS = 8192
_BLOCK_BYTES = 1 << 20


def export_collection(
    store: Store,
    target: Path,
    *,
    collection: str = DEFAULT_COLLECTION,
    on_progress: Callable[[int], None] | None = None,
) -> Summary:
    """Export a collection to a file, which is created or replaced atomically.

    Parameters
    ----------
    store : Store
    target : Path
        The file.
    collection : str
    on_progress : callable, optional
        Called with the number of recordings written so far.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    ModelMismatch
        The collection was replaced meanwhile.
    ArchiveError
        The file cannot be written.
    """
    spec = store.status(collection=collection).spec
    if spec is None:
        raise IndexEmpty(
            f"there is no collection {collection!r} to export; list them with: soundalike collections"
        )
    try:
        with (
            _finished(target) as file,
            tempfile.TemporaryFile(dir=target.parent) as spool,
            zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
        ):
            writer = _Writer(archive, spool, collection, spec)
            for number, content in enumerate(store.contents(collection=collection), start=1):
                writer.add(content)
                if on_progress is not None:
                    on_progress(number)
            for annotation in store.annotations(collection=collection):
                writer.annotate(annotation)
            return writer.finish()
    except OSError as exc:
        raise ArchiveError(
            f"{str(target)!r} cannot be written ({exc.strerror or exc}); nothing was changed there"
        ) from exc


@contextmanager
def _finished(target: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary file, and rename it to the target on success."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # With the permissions of an ordinary new file; mkstemp allows only its owner to read.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


class _Writer:
    """Writes recordings: windows directly into the archive, other lines first into a spool file.

    A ZIP file is written one member at a time, so the spool file buffers the lines of
    ``recordings.jsonl``, ``files.jsonl`` and ``annotations.jsonl``.
    """

    def __init__(self, archive: zipfile.ZipFile, spool: IO[bytes], name: str, spec: IndexSpec) -> None:
        self._archive = archive
        self._spool = spool
        self._name = name
        self._spec = spec
        self._members: dict[str, Member] = {}
        self._pending: list[Content] = []
        self._pending_windows = 0
        self._counts = [0, 0, 0]
        self._ids: set[str] = set()
        self._has_annotations = False

    def add(self, content: Content) -> None:
        first = content.files[0]
        self._ids.add(first.recording_id)
        recorded_at = first.recorded_at and first.recorded_at.astimezone(UTC).isoformat()
        row = {
            "recording_id": first.recording_id,
            "duration_s": first.duration_s,
            "recorded_at": recorded_at,
            "recorded_at_source": first.recorded_at_source,
            "n_windows": len(content.windows),
            "decoder_version": content.decoder_version,
        }
        self._line(b"R", row)
        for file in content.files:
            size_bytes, mtime_ns = file.stat or (None, None)
            row = {
                "recording_id": file.recording_id,
                "uri": file.uri,
                "label": file.label,
                "tags": dict(file.tags),
                "size_bytes": size_bytes,
                "mtime_ns": mtime_ns,
            }
            self._line(b"F", row)
        for number, count in enumerate((1, len(content.files), len(content.windows))):
            self._counts[number] += count
        self._pending.append(content)
        self._pending_windows += len(content.windows)
        if self._pending_windows >= PART_WINDOWS:
            self._write_part()

    def annotate(self, stored: StoredAnnotation) -> None:
        """Add an annotation, unless its recording was added to the collection meanwhile."""
        if stored.recording_id not in self._ids:
            return
        row = asdict(stored.annotation)
        del row["file"], row["line"]
        self._has_annotations = True
        self._line(b"A", {"recording_id": stored.recording_id, **row, "source": stored.source})

    def _line(self, kind: bytes, row: dict[str, Any]) -> None:
        self._spool.write(kind + json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def _write_part(self) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **_arrays(self._pending, self._spec.dimension))
        self._pending, self._pending_windows = [], 0
        buffer.seek(0)
        blocks = iter(lambda: buffer.read(_BLOCK_BYTES), b"")
        self._put(part_name(len(self._members)), blocks)

    def _put(self, name: str, blocks: Iterator[bytes]) -> None:
        digest, length = hashlib.sha256(), 0
        with self._archive.open(_member(name), "w", force_zip64=True) as member:
            for block in blocks:
                digest.update(block)
                length += member.write(block)
        self._members[name] = Member(length, digest.hexdigest())

    def finish(self) -> Summary:
        """Write the remaining members; return the summary of the archive."""
        if self._pending:
            self._write_part()
        lists = [(RECORDINGS, b"R"), (FILES, b"F")]
        if self._has_annotations:
            lists.append((ANNOTATIONS, b"A"))
        for name, kind in lists:
            self._spool.seek(0)
            self._put(name, (line[1:] for line in self._spool if line.startswith(kind)))
        recordings, files, windows = self._counts
        summary = Summary(self._name, self._spec, recordings, files, windows, QUALITIES, self._members)
        self._archive.writestr(_member(HEAD), summary.to_json())
        return summary


def _member(name: str) -> zipfile.ZipInfo:
    """Return a member without a time stamp, so that equal collections give equal files."""
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o600 << 16
    return info


def _arrays(contents: list[Content], dimension: int) -> dict[str, Any]:
    windows = [window for content in contents for window in content.windows]
    ids = b"".join(uuid.UUID(content.files[0].recording_id).bytes for content in contents)
    embeddings = [content.embeddings for content in contents]
    return {
        "recording_id": np.frombuffer(ids, dtype=np.uint8).reshape(-1, 16),
        "n_windows": np.array([len(content.windows) for content in contents], dtype=np.int32),
        "index": np.array([window.index for window in windows], dtype=np.int32),
        "start_s": np.array([window.start_s for window in windows], dtype=np.float64),
        "end_s": np.array([window.end_s for window in windows], dtype=np.float64),
        "quality": np.array([QUALITIES.index(w.quality) for w in windows], dtype=np.uint8),
        "embedding": np.concatenate(embeddings).reshape(-1, dimension),
    }
