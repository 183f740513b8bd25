"""Format of archive files.

A ZIP file with uncompressed members, because vectors are hardly compressible. In this order:

``windows-0000.npz``, ``windows-0001.npz``, ...
    The windows of up to a few thousand recordings; a recording is never split. Arrays, for R recordings
    with N windows in total:

    ================  =======  ================  ====================================================
    name              dtype    shape             content
    ================  =======  ================  ====================================================
    ``recording_id``  uint8    (R, 16)           UUIDs, in ascending order over all parts
    ``n_windows``     int32    (R,)              number of rows below per recording
    ``index``         int32    (N,)              position of the window in its recording
    ``start_s``       float64  (N,)              bounds in seconds from the recording's start
    ``end_s``         float64  (N,)
    ``quality``       uint8    (N,)              index into ``qualities`` of ``collection.json``
    ``embedding``     float16  (N, dimension)    as stored, zeros if the quality is not ``ok``
    ================  =======  ================  ====================================================

``recordings.jsonl``
    A line per recording, in the same order: ``recording_id``, ``duration_s``, ``recorded_at`` (ISO 8601,
    UTC, or null), ``recorded_at_source``, ``n_windows``, ``decoder_version`` (by default 1, in older
    files).
``files.jsonl``
    A line per path, in the order of the recordings: ``recording_id``, ``uri``, ``label``, ``tags``,
    ``size_bytes``, ``mtime_ns``.
``annotations.jsonl``
    Only if there are annotations. A line per annotation, in the order of the recordings:
    ``recording_id``, ``start_s``, ``end_s``, ``label``, ``low_hz``, ``high_hz``, ``source``.
``collection.json``
    ``format`` and ``version`` of this layout, the collection's ``name`` and ``spec``, ``qualities``,
    ``counts``, and ``members``: ``bytes`` and ``sha256`` of every other member. The version is 2 with
    annotations, and 1 without, so that older programs can read the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from soundalike.errors import ArchiveInvalid, ArchiveTooNew
from soundalike.types import IndexSpec

FORMAT = "soundalike-collection"
VERSION = 2
_VERSION_WITHOUT_ANNOTATIONS = 1
SUFFIX = ".soundalike.zip"
HEAD = "collection.json"
RECORDINGS = "recordings.jsonl"
FILES = "files.jsonl"
ANNOTATIONS = "annotations.jsonl"
#: Qualities of windows by their number in the parts.
QUALITIES = ("ok", "silent", "clipped")


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the file, as ``collection.json`` describes it."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Content of ``collection.json``.

    Attributes
    ----------
    name : str
        Name of the exported collection.
    spec : IndexSpec
        Specification of its vectors.
    recordings, files, windows : int
        Numbers of recordings, paths and windows.
    qualities : tuple of str
        Names of the qualities in the parts.
    members : mapping of str to Member
        All other members.
    """

    name: str
    spec: IndexSpec
    recordings: int
    files: int
    windows: int
    qualities: tuple[str, ...]
    members: Mapping[str, Member]

    @property
    def parts(self) -> list[str]:
        """Names of the members with windows, in order."""
        n_lists = len({RECORDINGS, FILES, ANNOTATIONS} & self.members.keys())
        return [part_name(number) for number in range(len(self.members) - n_lists)]

    @property
    def has_annotations(self) -> bool:
        """Whether the file has annotations."""
        return ANNOTATIONS in self.members

    @property
    def version(self) -> int:
        """Version of the layout."""
        return VERSION if self.has_annotations else _VERSION_WITHOUT_ANNOTATIONS

    def to_json(self) -> bytes:
        """Return the content of ``collection.json``."""
        values = {
            "format": FORMAT,
            "version": self.version,
            "name": self.name,
            "spec": asdict(self.spec),
            "qualities": self.qualities,
            "counts": {
                "recordings": self.recordings,
                "files": self.files,
                "windows": self.windows,
            },
            "members": {name: asdict(member) for name, member in self.members.items()},
        }
        return json.dumps(values, indent=1, ensure_ascii=False).encode()


def part_name(number: int) -> str:
    """Return the name of a part with windows."""
    return f"windows-{number:04}.npz"


def parse_summary(content: bytes) -> Summary:
    """Read ``collection.json``.

    Raises
    ------
    ArchiveTooNew
        A later version of Soundalike wrote the file.
    ArchiveInvalid
        The content does not have the format of `Summary.to_json`.
    """
    try:
        values = json.loads(content)
        if values["format"] != FORMAT:
            raise ValueError(f"its format is {values['format']!r}")
        version = values["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise ArchiveInvalid(f"{HEAD} does not belong to an exported collection ({exc})") from exc
    if type(version) is not int or version > VERSION:
        raise ArchiveTooNew(
            f"the file has format version {version!r}, this program supports {VERSION}; import it with "
            "a later version of Soundalike"
        )
    try:
        found = _summary(values)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ArchiveInvalid(
            f"{HEAD} is damaged ({type(exc).__name__}: {exc}); export it again"
        ) from exc
    unknown = set(found.qualities) - set(QUALITIES)
    if unknown:
        raise ArchiveTooNew(
            f"the file has windows of the unknown quality {', '.join(sorted(unknown))}; import it with "
            "a later version of Soundalike"
        )
    return found


def _summary(values: dict[str, Any]) -> Summary:
    spec, counts = values["spec"], values["counts"]
    recordings, files, windows = (_count(counts[name]) for name in ("recordings", "files", "windows"))
    found = Summary(
        _text(values["name"]),
        IndexSpec(
            _text(spec["encoder"]),
            _text(spec["fingerprint"]),
            _count(spec["dimension"]),
            float(spec["window_s"]),
            float(spec["stride_s"]),
        ),
        recordings,
        files,
        windows,
        tuple(_text(name) for name in values["qualities"]),
        {
            name: Member(_count(member["bytes"]), _text(member["sha256"]))
            for name, member in values["members"].items()
        },
    )
    lists = {RECORDINGS, FILES, ANNOTATIONS} if found.has_annotations else {RECORDINGS, FILES}
    if {*lists, *found.parts} != found.members.keys() or "ok" not in found.qualities:
        raise ValueError("its list of members or of qualities is incomplete")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is not a count")
    return value
