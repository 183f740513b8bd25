"""Import a collection from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np

from soundalike.archive.format import Summary
from soundalike.archive.reading import Archive
from soundalike.errors import ArchiveInvalid, ParameterError, SoundalikeError, StoreError
from soundalike.store.base import (
    Content,
    Entry,
    check_annotations,
    check_collection_name,
    check_recording,
    check_spec,
    import_name,
    is_under,
    is_unfinished,
)
from soundalike.store.each import batches
from soundalike.store.protocol import Store

#: Number of windows and paths per transaction.
_BATCH_WINDOWS = 2000


@dataclass(frozen=True, slots=True)
class Rebase:
    """A folder that has another path on this machine.

    Attributes
    ----------
    old : str
        The folder on the machine of the export.
    new : str
        The same folder on this machine.
    """

    old: str
    new: str

    def __post_init__(self) -> None:
        if not self.old.startswith("/") or not self.new.startswith("/"):
            raise ParameterError(
                f"paths cannot be moved from {self.old!r} to {self.new!r}; give two absolute folders"
            )

    def moved(self, uri: str) -> str | None:
        """Return the new path, or None for a path outside of the old folder."""
        old, new = self.old.rstrip("/"), self.new.rstrip("/")
        if not is_under(uri, old):
            return None
        return new + uri.removeprefix(old)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Result of an import.

    Attributes
    ----------
    collection : str
        Name of the collection.
    created : bool
        Whether the collection was created; otherwise the content was added to an existing one.
    outcomes : mapping of str to int
        Numbers of paths that were ``added``, ``unchanged``, ``updated``, ``linked`` and ``replaced``;
        see `soundalike.store.Outcome`.
    """

    collection: str
    created: bool
    outcomes: Mapping[str, int]


def import_collection(
    store: Store,
    archive: Archive,
    *,
    collection: str | None = None,
    rebase: Sequence[Rebase] = (),
    on_progress: Callable[[int], None] | None = None,
) -> ImportResult:
    """Import a file into a store.

    The whole file is read and checked first. A new collection has a temporary name until it is complete.
    Recordings are added to an existing collection as by `Store.add`; after an interruption, importing
    the file again adds the rest.

    Parameters
    ----------
    store : Store
    archive : Archive
        From `soundalike.archive.open_archive`.
    collection : str, optional
        Name of the collection; by default the exported name.
    rebase : sequence of Rebase
        Folders with other paths on this machine; the first one that contains a path counts.
    on_progress : callable, optional
        Called with the number of recordings stored so far.

    Raises
    ------
    ArchiveInvalid
        The file is damaged.
    ModelMismatch
        The collection exists with another specification.
    ParameterError
        The name is invalid, or a folder of `rebase` contains no path.
    StoreError
        The database rejected the content or cannot be reached.
    """
    name = archive.summary.name if collection is None else collection
    check_collection_name(name)
    if is_unfinished(name):
        raise ParameterError(f"collection is {name!r}, a reserved name; choose another")
    there = store.status(collection=name).spec
    if there is not None:
        check_spec(there, archive.summary.spec)
    archive.verify()
    _check(archive, rebase)
    if there is None:
        outcomes = _import_new(store, archive, name, rebase, on_progress)
    else:
        outcomes = _add_all(store, archive, name, rebase, on_progress)
        store.finish_batch(collection=name)
    return ImportResult(name, there is None, dict(outcomes))


def _import_new(
    store: Store,
    archive: Archive,
    name: str,
    rebase: Sequence[Rebase],
    on_progress: Callable[[int], None] | None,
) -> Mapping[str, int]:
    hidden = import_name(name)
    # Left over from an interrupted import.
    store.drop_collection(hidden)
    try:
        store.create_collection(hidden, archive.summary.spec)
        outcomes = _add_all(store, archive, hidden, rebase, on_progress)
        _check_complete(store, hidden, archive.summary)
        store.finish_batch(collection=hidden)
        store.rename_collection(hidden, name)
    except BaseException:
        with suppress(SoundalikeError):
            store.drop_collection(hidden)
        raise
    return outcomes


def _check_complete(store: Store, hidden: str, summary: Summary) -> None:
    status = store.status(collection=hidden)
    found = (status.recordings, status.files, status.windows)
    expected = (summary.recordings, summary.files, summary.windows)
    if found != expected:
        raise StoreError(
            f"{found} recordings, files and windows were stored instead of {expected}: two paths were "
            "moved to the same one, or another import of this collection is running; nothing was "
            "imported"
        )


def _add_all(
    store: Store,
    archive: Archive,
    name: str,
    rebase: Sequence[Rebase],
    on_progress: Callable[[int], None] | None,
) -> Mapping[str, int]:
    outcomes: Counter[str] = Counter()
    done = 0
    for batch in batches(_rebased(archive, rebase), _size, _BATCH_WINDOWS):
        entries = [
            Entry(file, content.windows, embeddings, content.decoder_version)
            for content in batch
            for embeddings in [content.embeddings.astype(np.float32)]
            for file in content.files
        ]
        outcomes.update(store.add_many(entries, archive.summary.spec, collection=name))
        done += len(batch)
        if on_progress is not None:
            on_progress(done)
    for spans in batches(archive.annotations(), lambda one: 1, _BATCH_WINDOWS):
        store.annotate(spans, collection=name)
    return outcomes


def _size(content: Content) -> int:
    # Paths count too, because of their metadata.
    return len(content.windows) + len(content.files)


def _rebased(archive: Archive, rebase: Sequence[Rebase]) -> Iterator[Content]:
    for content in archive.contents():
        files = [replace(file, uri=_moved(file.uri, rebase)) for file in content.files]
        yield replace(content, files=files)


def _moved(uri: str, rebase: Sequence[Rebase]) -> str:
    return next((moved for each in rebase if (moved := each.moved(uri)) is not None), uri)


@contextmanager
def _blaming(archive: Archive) -> Iterator[None]:
    """Blame the file for values that cannot be stored."""
    try:
        yield
    except ParameterError as exc:
        raise ArchiveInvalid(
            f"{str(archive.path)!r} contains an invalid recording or annotation: {exc.message}"
        ) from exc


def _check(archive: Archive, rebase: Sequence[Rebase]) -> None:
    """Read and check the whole file before anything is stored."""
    counts = [0, 0, 0]
    unused = dict.fromkeys(rebase)
    example = ""
    for content in archive.contents():
        for file in content.files:
            example = example or file.uri
            with _blaming(archive):
                check_recording(file, has_length=True)
            for each in [each for each in unused if each.moved(file.uri) is not None]:
                del unused[each]
        for number, count in enumerate((1, len(content.files), len(content.windows))):
            counts[number] += count
    for annotation in archive.annotations():
        with _blaming(archive):
            check_annotations([annotation])
    summary = archive.summary
    if tuple(counts) != (summary.recordings, summary.files, summary.windows):
        raise ArchiveInvalid(
            f"{str(archive.path)!r} contains {counts} recordings, files and windows instead of "
            f"{[summary.recordings, summary.files, summary.windows]}; export the collection again"
        )
    for each in unused:
        raise ParameterError(f"no path in the file is inside {each.old!r}; the first one is {example!r}")
