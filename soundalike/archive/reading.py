"""Read archive files without unpacking them; all content is untrusted and checked."""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.archive.format import ANNOTATIONS, FILES, HEAD, RECORDINGS, parse_summary
from soundalike.errors import ArchiveError, ArchiveInvalid, SoundalikeError
from soundalike.faults import one_line
from soundalike.store.base import START_SOURCES, Content
from soundalike.types import FileStat, HalfArray, Recording, Window

_MAX_HEAD_BYTES = 64 << 20
#: Decoder version of older files.
FIRST_DECODER = 1
#: Errors of reading damaged bytes.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, TypeError, KeyError),
    *(IndexError, AttributeError, NotImplementedError, RuntimeError, MemoryError, OverflowError),
    OSError,
)
_ARRAYS: Mapping[str, tuple[Any, int]] = {
    "recording_id": (np.uint8, 2),
    "n_windows": (np.int32, 1),
    "index": (np.int32, 1),
    "start_s": (np.float64, 1),
    "end_s": (np.float64, 1),
    "quality": (np.uint8, 1),
    "embedding": (np.float16, 2),
}


class Archive:
    """An open archive file.

    Attributes
    ----------
    path : Path
    summary : Summary
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._zip = archive
        info = archive.getinfo(HEAD) if HEAD in archive.namelist() else None
        if info is None or info.file_size > _MAX_HEAD_BYTES:
            raise ArchiveInvalid(f"{str(path)!r} is a ZIP file, but not an exported collection")
        self.summary = parse_summary(archive.read(info))

    def verify(self) -> None:
        """Compare every member with its checksum.

        Raises
        ------
        ArchiveInvalid
            A member is missing, damaged or unexpected.
        """
        with _checked(self.path):
            self._verify()

    def _verify(self) -> None:
        infos = {info.filename: info for info in self._zip.infolist()}
        doubled = len(infos) < len(self._zip.infolist())
        if doubled or infos.keys() != self.summary.members.keys() | {HEAD}:
            raise ArchiveInvalid(
                f"the members of {str(self.path)!r} differ from {HEAD}; export the collection again"
            )
        for name, member in self.summary.members.items():
            info = infos[name]
            # Uncompressed members cannot expand when they are read.
            is_whole = info.compress_type == zipfile.ZIP_STORED and info.file_size == member.bytes
            if not is_whole or self._sha256(name) != member.sha256:
                raise ArchiveInvalid(
                    f"{name} in {str(self.path)!r} is damaged; copy the file again, or export the "
                    "collection again"
                )

    def _sha256(self, name: str) -> str:
        with self._zip.open(name) as member:
            return hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]

    def contents(self) -> Iterator[Content]:
        """Yield all recordings with their paths and windows, sorted by id.

        Raises
        ------
        ArchiveInvalid
            The members are inconsistent.
        """
        with _checked(self.path):
            yield from self._contents()

    def annotations(self) -> Iterator[StoredAnnotation]:
        """Yield all annotations.

        Raises
        ------
        ArchiveInvalid
            An annotation is invalid.
        """
        if self.summary.has_annotations:
            with _checked(self.path):
                yield from map(_annotation, self._lines(ANNOTATIONS))

    def _contents(self) -> Iterator[Content]:
        recordings = self._lines(RECORDINGS)
        files = groupby(self._lines(FILES), key=lambda row: row["recording_id"])
        last = ""
        for name in self.summary.parts:
            for key, windows, embeddings in self._windows(name):
                row, (of, paths) = next(recordings, {}), next(files, ("", iter(())))
                if not last < key == row["recording_id"] == of or row["n_windows"] != len(windows):
                    raise ValueError(f"recording {key} differs between {name} and the lists")
                last = key
                known = [_recording(row, path) for path in paths]
                yield Content(known, windows, embeddings, _decoder_version(row))
        if next(recordings, None) is not None or next(files, None) is not None:
            raise ValueError("there are recordings without windows")

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        with self._zip.open(name) as member:
            for line in io.BufferedReader(member):  # type: ignore[type-var]
                yield json.loads(line)

    def _windows(self, name: str) -> Iterator[tuple[str, list[Window], HalfArray]]:
        """Yield id, windows and embeddings of each recording of a part."""
        arrays = _load(self._zip.read(name))
        _check_shapes(arrays, self.summary.spec.dimension)
        names = np.array(self.summary.qualities)[arrays["quality"]]
        silent, clipped = names == "silent", names == "clipped"
        stop = 0
        for key, count in zip(arrays["recording_id"], arrays["n_windows"].tolist(), strict=True):
            begin, stop = stop, stop + count
            rows = slice(begin, stop)
            columns = (arrays[column][rows].tolist() for column in ("index", "start_s", "end_s"))
            flags = silent[rows].tolist(), clipped[rows].tolist()
            windows = [Window(*row) for row in zip(*columns, *flags, strict=True)]
            _check_windows(windows)
            yield str(uuid.UUID(bytes=key.tobytes())), windows, arrays["embedding"][rows]


def _load(content: bytes) -> dict[str, Any]:
    """Read the arrays of a part; pickles and compressed arrays are rejected."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer) as inner:
        if any(info.compress_type != zipfile.ZIP_STORED for info in inner.infolist()):
            raise ValueError("a part is compressed")
    with np.load(buffer, allow_pickle=False) as found:
        return {name: found[name] for name in _ARRAYS}


def _check_shapes(arrays: Mapping[str, Any], dimension: int) -> None:
    for name, (kind, ndim) in _ARRAYS.items():
        if arrays[name].dtype != kind or arrays[name].ndim != ndim:
            raise ValueError(f"{name} is {arrays[name].ndim}-d {arrays[name].dtype}")
    counts = arrays["n_windows"]
    n_windows = int(counts.sum(dtype=np.int64))
    per_window = ("index", "start_s", "end_s", "quality", "embedding")
    lengths = {name: len(arrays[name]) for name in per_window}
    if (counts < 1).any() or set(lengths.values()) != {n_windows}:
        raise ValueError(f"a part's arrays have lengths {lengths}, and {n_windows} windows")
    if arrays["recording_id"].shape != (len(counts), 16) or arrays["embedding"].shape[1] != dimension:
        raise ValueError("a part's arrays have invalid shapes")
    if not np.isfinite(arrays["embedding"]).all():
        raise ValueError("an embedding is not finite")


def _check_windows(windows: list[Window]) -> None:
    last = -1
    for window in windows:
        is_right = last < window.index and 0 <= window.start_s < window.end_s < math.inf
        if not is_right:
            raise ValueError(f"window {window.index} is from {window.start_s} to {window.end_s} s")
        last = window.index


def _recording(row: Mapping[str, Any], path: Mapping[str, Any]) -> Recording:
    recorded_at = row["recorded_at"] and datetime.fromisoformat(row["recorded_at"])
    source = row["recorded_at_source"]
    if (recorded_at and recorded_at.tzinfo is None) or source not in START_SOURCES:
        raise ValueError(f"recorded_at is {row['recorded_at']!r} by {source!r}")
    size_bytes, mtime_ns = path["size_bytes"], path["mtime_ns"]
    known = size_bytes is not None and mtime_ns is not None
    if not math.isfinite(row["duration_s"]):
        raise ValueError(f"duration_s is {row['duration_s']}")
    if not isinstance(path["uri"], str) or not isinstance(path["label"] or "", str):
        raise TypeError("a path or label is not text")
    if not isinstance(path["tags"], dict):
        raise TypeError("tags are not an object")
    return Recording(
        row["recording_id"],
        path["uri"],
        float(row["duration_s"]),
        path["label"],
        path["tags"],
        recorded_at or None,
        source,
        FileStat(int(size_bytes), int(mtime_ns)) if known else None,
    )


def _annotation(row: Mapping[str, Any]) -> StoredAnnotation:
    numbers = [row["start_s"], row["end_s"], row["low_hz"], row["high_hz"]]
    start_s, end_s, low_hz, high_hz = (None if one is None else float(one) for one in numbers)
    texts = (row["recording_id"], row["label"], row["source"])
    if start_s is None or end_s is None or not all(isinstance(text, str) for text in texts):
        raise TypeError("an annotation lacks a time or a text")
    annotation = Annotation(start_s, end_s, row["label"], low_hz, high_hz)
    return StoredAnnotation(0, row["recording_id"], "", annotation, row["source"])


def _decoder_version(row: Mapping[str, Any]) -> int:
    version = row.get("decoder_version", FIRST_DECODER)
    if type(version) is not int or not FIRST_DECODER <= version < 1 << 31:
        raise ValueError(f"decoder_version is {version!r}")
    return version


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an archive file.

    Raises
    ------
    ArchiveInvalid
        The file is not a complete file of `export_collection`.
    ArchiveTooNew
        A later version of Soundalike wrote the file.
    ArchiveError
        The file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as exc:
        raise ArchiveError(f"{str(path)!r} cannot be read ({exc.strerror}); check the path") from exc
    with file, ExitStack() as stack:
        with _checked(path):
            archive = Archive(path, stack.enter_context(zipfile.ZipFile(file)))
        yield archive


@contextmanager
def _checked(path: Path) -> Iterator[None]:
    """Convert errors of damaged content to `ArchiveInvalid`."""
    try:
        yield
    except SoundalikeError:
        raise
    except _DAMAGED as exc:
        raise ArchiveInvalid(
            f"{str(path)!r} is damaged or not an exported collection ({one_line(exc)}); copy or export "
            "it again"
        ) from exc
