"""Remove recordings whose files were deleted.

A file counts as deleted only if the file system, or the machine that had it, says so. A folder without
any remaining files is an error, because its disk may not be mounted.
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
from soundalike.audio.urls import checked_url, is_remote
from soundalike.errors import AudioNotFound
from soundalike.indexing.pipeline import IndexResult
from soundalike.remote.objects import RemoteList, list_remote
from soundalike.remote.objects import is_gone as is_gone_remotely
from soundalike.store.protocol import Store
from soundalike.types import IndexSpec, Recording

#: Number of paths to delete together.
_PAGE_FILES = 500


@dataclass(frozen=True, slots=True)
class Place:
    """Stored paths that an argument of the command line selects.

    Attributes
    ----------
    folder : Path
        Folder of the paths.
    pattern : str or None
        Pattern of the paths; None: all.
    is_gone : bool
        The argument is a single file that does not exist any more.
    """

    folder: Path
    pattern: str | None = None
    is_gone: bool = False

    def covers(self, path: Path) -> bool:
        """Return whether a path in the folder is selected."""
        if self.pattern is None or self.is_gone:
            return self.pattern in (None, str(path))
        return glob_matches(str(path), self.pattern)


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """Stored URLs that an argument of the command line selects.

    Attributes
    ----------
    url : str
        Of a folder or a file.
    listed : frozenset of str
        URLs that are still there.
    is_gone : bool
        The argument is a single file that does not exist any more.
    """

    url: str
    listed: frozenset[str] = frozenset()
    is_gone: bool = False

    def covers(self, uri: str) -> bool:
        """Return whether a URL in the folder is selected, and not known to be there."""
        return uri == self.url if self.is_gone else uri not in self.listed


def find_places(
    store: Store, arguments: Sequence[str], spec: IndexSpec, *, collection: str
) -> dict[str, Place | RemotePlace]:
    """Return the places in which stored paths may be pruned, by argument.

    Parameters
    ----------
    store : Store
    arguments : sequence of str
        Files, folders and patterns. Arguments without a match on the disk and in the index are ignored.
    spec : IndexSpec
        Specification of the collection.
    collection : str

    Raises
    ------
    AudioNotFound
        A folder is missing or cannot be read, or has no files any more although the index has some.
    AudioError
        A remote folder cannot be read.
    """
    places: dict[str, Place | RemotePlace] = {}
    for argument in arguments:
        if is_remote(argument):
            if remote := _remote_place(store, argument, spec, collection):
                places[argument] = remote
            continue
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


def _remote_place(store: Store, argument: str, spec: IndexSpec, collection: str) -> RemotePlace | None:
    url = checked_url(argument).rstrip("/")
    is_file = bool(store.known_files([url], spec, collection=collection))
    if is_file and not is_gone_remotely(url):
        return None
    try:
        found = list_remote(url.rpartition("/")[0] + "/" if is_file else argument)
    except AudioNotFound:
        found = RemoteList([], {}, is_folder=True)
    if is_file:
        place = RemotePlace(url, is_gone=True)
    elif found.is_folder:
        place = RemotePlace(url, frozenset(one.uri for one in found.objects))
    else:
        return None
    if not found.objects:
        if _first(store, place, collection) is None:
            return None
        raise AudioNotFound(
            f"no files are left at {argument!r}, but the index has some, so nothing is pruned; is the "
            f"URL right? If they were deleted, run: soundalike delete {argument}"
        )
    return place


def _check(store: Store, argument: str, place: Place, collection: str) -> None:
    try:
        with os.scandir(place.folder) as entries:
            is_empty = next(entries, None) is None
    except OSError as exc:
        raise AudioNotFound(
            f"the folder {str(place.folder)!r} cannot be read ({exc.strerror}), so nothing is pruned; "
            f"is its disk mounted? If it was deleted, run: soundalike delete {argument}"
        ) from exc
    found = not is_empty if place.is_gone else bool(find_files([argument]).files)
    if not found and _first(store, place, collection):
        raise AudioNotFound(
            f"no files are left at {argument!r}, but the index has some, so nothing is pruned; is the "
            f"disk mounted? If they were deleted, run: soundalike delete {argument}"
        )


def _first(store: Store, place: Place | RemotePlace, collection: str) -> Recording | None:
    return next(_stored(store, place, collection), None)


def _stored(store: Store, place: Place | RemotePlace, collection: str) -> Iterator[Recording]:
    """Yield the stored paths of a place, except URLs that were listed just now."""
    if isinstance(place, RemotePlace):
        folder = place.url.rpartition("/")[0] if place.is_gone else place.url
        files = store.files(under=folder, collection=collection)
        yield from (file for file in files if place.covers(file.uri))
        return
    for folder in stored_names(str(place.folder)):
        for file in store.files(under=folder, collection=collection):
            if place.covers(path_of(file.uri)):
                yield file


def find_gone(
    store: Store, places: Sequence[Place | RemotePlace], *, collection: str
) -> Iterator[Recording]:
    """Yield the stored paths of these places whose files were deleted, without duplicates."""
    seen: set[str] = set()
    for place in places:
        for file in _stored(store, place, collection):
            if file.uri not in seen and _is_gone(file.uri):
                seen.add(file.uri)
                yield file


def prune(
    store: Store, places: Sequence[Place | RemotePlace], *, collection: str
) -> Iterator[IndexResult]:
    """Delete the stored paths of these places whose files were deleted; yield their results."""
    gone = list(find_gone(store, places, collection=collection))
    files = iter(gone)
    while page := list(islice(files, _PAGE_FILES)):
        # Check again: a file may have been restored meanwhile.
        uris = [file.uri for file in page if _is_gone(file.uri)]
        deleted = set(store.delete_files(uris, collection=collection))
        for file in page:
            if file.uri in deleted:
                yield pruned_result(file)


def _is_gone(uri: str) -> bool:
    return is_gone_remotely(uri) if is_remote(uri) else is_gone(path_of(uri))


def pruned_result(file: Recording) -> IndexResult:
    """Return the result of a path that was removed from the index."""
    return IndexResult(file.uri, "pruned", file.recording_id)


def glob_matches(path: str, pattern: str) -> bool:
    """Return whether `glob.glob(pattern, recursive=True)` would find a file with this path.

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
