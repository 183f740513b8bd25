"""Which stored paths are gone from the disk; careful, because a disk may only be out of reach.

Nothing is taken for gone unless the file system says so, and a place in which nothing is found any more
is refused as a whole: that is what a disk looks like that is not mounted.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from soundalike.audio.files import find_files, is_gone
from soundalike.audio.sources import path_of, stored_names
from soundalike.errors import AudioNotFound
from soundalike.indexing.pipeline import IndexResult
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec, Recording

#: Paths that are deleted together.
_PAGE_FILES = 500


@dataclass(frozen=True, slots=True)
class Place:
    """What an argument of a person means in the index.

    Attributes
    ----------
    folder : Path
        Stored paths below it are looked at.
    pattern : str or None
        Of them only those that match; None: all.
    is_gone : bool
        A single file that is not there any more.
    """

    folder: Path
    pattern: str | None = None
    is_gone: bool = False

    def covers(self, path: Path) -> bool:
        """Tell whether a path below the folder is meant."""
        if self.pattern is None or self.is_gone:
            return self.pattern in (None, str(path))
        return glob_matches(str(path), self.pattern)


def find_places(
    store: Store, arguments: Sequence[str], spec: IndexSpec, *, collection: str
) -> dict[str, Place]:
    """Return the places in which stored paths may be pruned, by argument.

    Parameters
    ----------
    store : Store
    arguments : sequence of str
        Files, folders and patterns. One that names nothing, neither on the disk nor in the index, is
        left out.
    spec : IndexSpec
        What the collection is made with.
    collection : str

    Raises
    ------
    AudioNotFound
        A folder is missing or cannot be read, or nothing is found in a place any more although the
        index holds something of it.
    """
    places = {}
    for argument in arguments:
        place = _place(store, argument, spec, collection)
        if place is not None:
            places[argument] = place
            _check(store, argument, place, collection)
    return places


def _place(store: Store, argument: str, spec: IndexSpec, collection: str) -> Place | None:
    path = Path(os.path.abspath(argument))
    if path.is_dir():
        return Place(path)
    if os.path.lexists(path):
        return None
    if store.known_files(stored_names(str(path)), spec, collection=collection):
        return Place(path.parent, str(path), is_gone=True)
    if _first(store, Place(path), collection):
        return Place(path)
    if not glob.has_magic(str(path)):
        return None
    parts = path.parts
    plain = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    place = Place(Path(*parts[:plain]), str(path))
    return place if _first(store, place, collection) else None


def _check(store: Store, argument: str, place: Place, collection: str) -> None:
    try:
        with os.scandir(place.folder) as entries:
            is_empty = next(entries, None) is None
    except OSError as exc:
        raise AudioNotFound(
            f"the folder {str(place.folder)!r} cannot be read ({exc.strerror}), so nothing is pruned; "
            f"is its disk mounted? What is gone for good: soundalike delete {argument}"
        ) from exc
    found = not is_empty if place.is_gone else bool(find_files([argument]).files)
    if not found and _first(store, place, collection):
        raise AudioNotFound(
            f"nothing is left at {argument!r}, but the index holds files of it, so nothing is pruned; "
            f"is the disk mounted? What is gone for good: soundalike delete {argument}"
        )


def _first(store: Store, place: Place, collection: str) -> Recording | None:
    return next(_stored(store, place, collection), None)


def _stored(store: Store, place: Place, collection: str) -> Iterator[Recording]:
    """Yield what is stored of a place."""
    for folder in stored_names(str(place.folder)):
        for file in store.files(under=folder, collection=collection):
            if place.covers(path_of(file.uri)):
                yield file


def find_gone(store: Store, places: Sequence[Place], *, collection: str) -> Iterator[Recording]:
    """Yield the stored paths of these places that are gone from the disk, each once."""
    seen: set[str] = set()
    for place in places:
        for file in _stored(store, place, collection):
            if file.uri not in seen and is_gone(path_of(file.uri)):
                seen.add(file.uri)
                yield file


def prune(store: Store, places: Sequence[Place], *, collection: str) -> Iterator[IndexResult]:
    """Delete the stored paths of these places that are gone; yield one result each."""
    gone = list(find_gone(store, places, collection=collection))
    files = iter(gone)
    while page := list(islice(files, _PAGE_FILES)):
        # Once more: a file may have come back while others were looked for.
        uris = [file.uri for file in page if is_gone(path_of(file.uri))]
        deleted = set(store.delete_files(uris, collection=collection))
        for file in page:
            if file.uri in deleted:
                yield pruned_result(file)


def pruned_result(file: Recording) -> IndexResult:
    """Return the result of a path that is taken out of the index."""
    return IndexResult(file.uri, "pruned", file.recording_id)


def glob_matches(path: str, pattern: str) -> bool:
    """Tell whether `glob.glob(pattern, recursive=True)` would find a file of this path.

    Examples
    --------
    >>> glob_matches("/a/b/c/d.wav", "/a/**/*.wav"), glob_matches("/a/b/c.wav", "/a/*.wav")
    (True, False)
    """
    return _match(path.split("/"), pattern.split("/"))


def _match(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts or not names:
        return not parts and not names
    is_hidden = names[0].startswith(".")
    if parts[0] != "**":
        visible = not is_hidden or parts[0].startswith(".")
        return visible and fnmatch.fnmatchcase(names[0], parts[0]) and _match(names[1:], parts[1:])
    if len(parts) > 1 and _match(names, parts[1:]):
        return True
    is_last = len(parts) == 1 and len(names) == 1
    return not is_hidden and (is_last or _match(names[1:], parts))
