"""Add the labels of label files to stored recordings."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from soundalike.annotations.reading import AnnotationFormat, read_annotations
from soundalike.annotations.types import Annotation, BadRow, StoredAnnotation
from soundalike.audio.sources import stored_names
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import MetadataError, ParameterError, RecordingNotFound
from soundalike.store.base import is_storable
from soundalike.store.each import batches
from soundalike.store.protocol import Store
from soundalike.types import Recording

#: Endings that programs add to the name of a recording for its label file, without the suffix.
_LABEL_FILE = re.compile(
    r"(?:\.Table\.\d+)?\.selections$|[._-]labels?$|[._-]annotations?$", re.IGNORECASE
)
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """Result of a label file.

    Attributes
    ----------
    path : Path
    added, unchanged : int
        Numbers of new and of already stored annotations.
    bad : list of BadRow
        Rows that could not be used, by line.
    """

    path: Path
    added: int
    unchanged: int
    bad: list[BadRow]


def import_annotations(
    store: Store,
    paths: Sequence[Path],
    *,
    format: AnnotationFormat | None = None,  # noqa: A002 - as users call it
    recording: str | None = None,
    label: str | None = None,
    label_column: str | None = None,
    collection: str = DEFAULT_COLLECTION,
) -> Iterator[ImportedFile | tuple[Path, MetadataError]]:
    """Add label files; yield the result of each file, or its error.

    A row belongs to the stored recording that it names; a name without a folder must be unique in the
    collection. A file whose rows name none belongs to the recording of its own name:
    ``night.txt``, ``night_labels.txt`` and ``night.Table.1.selections.txt`` to ``night.wav``, in the
    same folder or else anywhere in the collection if unique.

    Parameters
    ----------
    store : Store
    paths : sequence of Path
    format : str, optional
        As for `soundalike.annotations.reading.read_annotations`.
    recording : str, optional
        Path or id of the recording to which all rows belong.
    label : str, optional
        Label of rows without one.
    label_column : str, optional
        Column of the labels in a table.
    collection : str

    Raises
    ------
    RecordingNotFound
        `recording` is not stored.
    StoreError
        The database failed.
    """
    recordings = RecordingNames(store, collection)
    if recording is not None:
        recordings.named(recording)
    for path in paths:
        bad: list[BadRow] = []
        try:
            rows = read_annotations(
                path, format, label=label, label_column=label_column, on_bad=bad.append
            )
        except MetadataError as exc:
            yield path, exc
            continue
        source = str(path.absolute()).encode(errors="backslashreplace").decode()
        found = add_annotations(
            recordings, rows, name=path.name, folder=path.parent, source=source, recording=recording
        )
        yield replace(found, path=path, bad=sorted((*bad, *found.bad), key=lambda row: row.line))


def add_annotations(
    recordings: RecordingNames,
    rows: Sequence[Annotation],
    *,
    name: str,
    source: str,
    folder: Path | None = None,
    recording: str | None = None,
) -> ImportedFile:
    """Add the rows of a label file.

    Parameters
    ----------
    recordings : RecordingNames
    rows : sequence of Annotation
    name : str
        Name of the label file.
    source : str
        Origin to store.
    folder : Path, optional
        Folder of the label file, to which names of recordings are relative.
    recording : str, optional
        As for `import_annotations`.

    Raises
    ------
    RecordingNotFound
        `recording` is not stored.
    StoreError
        The database failed.
    """
    bad: list[BadRow] = []
    only = None if recording is None else recordings.named(recording)
    find = recordings.finder(name, folder) if only is None else lambda _: only
    placed = list(_placed(rows, find, source, bad))
    store, collection = recordings.store, recordings.collection
    batched = batches(placed, lambda one: 1, _BATCH)
    added = sum(store.annotate(some, collection=collection) for some in batched)
    return ImportedFile(Path(name), added, len(placed) - added, bad)


def _placed(
    rows: Sequence[Annotation],
    find: Callable[[str], Recording],
    source: str,
    bad: list[BadRow],
) -> Iterator[StoredAnnotation]:
    """Yield rows with their recordings."""
    for row in rows:
        try:
            recording = find(row.file)
            row.check(recording.duration_s)
            if not is_storable(row.label):
                raise ParameterError(f"the label {row.label!r} has a character that cannot be stored")
        except (ParameterError, RecordingNotFound) as exc:
            bad.append(BadRow(row.line, exc.message))
            continue
        # Some programs let the last span end a little after the sound.
        end_s = min(row.end_s, max(recording.duration_s, row.start_s))
        span = replace(row, end_s=end_s, file="", line=0)
        yield StoredAnnotation(0, recording.recording_id, recording.uri, span, source)


class RecordingNames:
    """Finds stored recordings by path, name or id; reads the list of names once, if needed.

    Parameters
    ----------
    store : Store
    collection : str
    """

    def __init__(self, store: Store, collection: str) -> None:
        self.store, self.collection = store, collection
        self._by_name: dict[str, dict[str, Recording]] | None = None
        self._found: dict[str, Recording | None] = {}

    def named(self, key: str) -> Recording:
        """Return the recording of a path or an id.

        Raises
        ------
        RecordingNotFound
            It is not stored.
        """
        for name in (key, *stored_names(key)):
            if found := self._at(name):
                return found
        raise RecordingNotFound(f"{key!r} is not in the collection {self.collection!r}; index it first")

    def finder(self, name: str, folder: Path | None) -> Callable[[str], Recording]:
        """Return the function that finds the recording that a row of a label file names."""

        def find(named: str) -> Recording:
            return self._of_row(folder, named) if named else self._of_file(name, folder)

        return find

    def _of_row(self, folder: Path | None, name: str) -> Recording:
        # Raven on Windows writes backslashes.
        parts = name.replace("\\", "/")
        beside = [] if folder is None else [os.path.abspath(folder / parts)]
        for place in (name, *beside):
            if found := self._at(place):
                return found
        return self._only_one(PurePath(parts).name, parts)

    def _of_file(self, name: str, folder: Path | None) -> Recording:
        stem = PurePath(name).stem
        stems = list(dict.fromkeys((stem, _LABEL_FILE.sub("", stem))))
        for one in stems if folder is not None else ():
            assert folder is not None
            same = [
                recording
                for uri, recording in self._with_stem(one).items()
                if os.path.dirname(uri) == str(folder.absolute())
            ]
            if len(same) == 1:
                return same[0]
        for one in stems:
            if found := self._with_stem(one):
                return _unique(found, one)
        raise RecordingNotFound(
            f"the rows name no recording, and none in the collection {self.collection!r} is called "
            f"{stems[-1]!r}; give --recording"
        )

    def _only_one(self, name: str, shown: str) -> Recording:
        found = {
            uri: one for uri, one in self._with_stem(PurePath(name).stem).items() if _name(uri) == name
        }
        if not found:
            raise RecordingNotFound(f"{shown!r} is not in the collection {self.collection!r}")
        return _unique(found, name)

    def _with_stem(self, stem: str) -> dict[str, Recording]:
        """Return the stored paths whose names have a stem."""
        if self._by_name is None:
            self._by_name = defaultdict(dict)
            for recording in self.store.files(collection=self.collection):
                self._by_name[PurePath(_name(recording.uri)).stem][recording.uri] = recording
        return self._by_name.get(stem, {})

    def _at(self, key: str) -> Recording | None:
        if key not in self._found:
            found = self.store.files_named([key], collection=self.collection).get(key)
            self._found[key] = found and found.recording
        return self._found[key]


def _name(uri: str) -> str:
    return uri.rpartition("/")[2]


def _unique(found: dict[str, Recording], name: str) -> Recording:
    """Return the only recording of several paths."""
    if len({one.recording_id for one in found.values()}) > 1:
        first, second, *_ = sorted(found)
        raise RecordingNotFound(
            f"{name!r} may be {first!r} or {second!r}; give --recording, or a path in the file"
        )
    return next(iter(found.values()))
