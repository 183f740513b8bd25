"""Rebuild a collection with another encoder or other windows, while the old one stays in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soundalike.audio.sources import path_of
from soundalike.audio.urls import is_remote
from soundalike.errors import AudioNotFound, IndexEmpty, ParameterError
from soundalike.indexing.items import failed_result
from soundalike.indexing.pipeline import IndexItem, IndexResult, Pipeline
from soundalike.store.base import rebuild_name
from soundalike.types import IndexSpec, Recording


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Plan of a rebuild.

    Attributes
    ----------
    before : IndexSpec
        Current specification of the collection.
    after : IndexSpec
        New specification.
    files : list of Recording
        Stored paths to embed, sorted.
    done : int
        Number of paths that an interrupted run has embedded already.
    """

    before: IndexSpec
    after: IndexSpec
    files: list[Recording]
    done: int


def plan_rebuild(pipeline: Pipeline) -> Rebuild:
    """Plan a rebuild, and drop an incomplete successor with another specification.

    Parameters
    ----------
    pipeline : Pipeline
        With the new encoder and windows, and the name of the collection.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    ParameterError
        Another program computed its vectors.
    """
    store, successor = pipeline.store, rebuild_name(pipeline.collection)
    before = store.status(collection=pipeline.collection).spec
    if before is None:
        raise IndexEmpty(f"there is no collection {pipeline.collection!r} to rebuild")
    if before.is_external:
        raise ParameterError(
            f"the collection {pipeline.collection!r} contains vectors of another program "
            f"({before.describe()}), which Soundalike cannot compute; index new ones with --vectors"
        )
    incomplete = store.status(collection=successor).spec
    if incomplete is not None and incomplete != pipeline.spec:
        store.drop_collection(successor)
    store.create_collection(successor, pipeline.spec, like=pipeline.collection)
    return _missing(pipeline, before)


def _missing(pipeline: Pipeline, before: IndexSpec) -> Rebuild:
    store, successor = pipeline.store, rebuild_name(pipeline.collection)
    made = {file.uri: file for file in store.files(collection=successor)}
    files = list(store.files(collection=pipeline.collection))
    missing = [file for file in files if not _agree(file, made.get(file.uri))]
    return Rebuild(before, pipeline.spec, missing, len(files) - len(missing))


def _agree(old: Recording, new: Recording | None) -> bool:
    """Return whether a path has the same label and tags in both collections.

    The content may differ: the file may have changed since it was indexed.
    """
    return new is not None and (old.label, old.tags) == (new.label, new.tags)


def rebuild(
    pipeline: Pipeline, work: Rebuild, *, without_failed: bool = False, uploads: Path | None = None
) -> Iterator[IndexResult]:
    """Embed every stored path again, then replace the old collection.

    An interrupted rebuild can be resumed. If files fail, the old collection stays, unless
    `without_failed` is set.

    Parameters
    ----------
    pipeline : Pipeline
        As for `plan_rebuild`.
    work : Rebuild
        Result of `plan_rebuild`.
    without_failed : bool
        Replace the old collection without the files that failed.
    uploads : Path, optional
        Folder of stored uploads.

    Yields
    ------
    result : IndexResult
        Result of each path. After the last one, `is_rebuilt` returns whether the old collection was
        replaced.
    """
    builder = Pipeline(
        pipeline.store,
        pipeline.encoder,
        pipeline.plan,
        rebuild_name(pipeline.collection),
        pipeline.start_rules,
        pipeline.decoding,
        pipeline.spool,
    )
    failed: set[str] = set()
    todo = work.files
    while True:
        for result in _embedded(builder, todo, uploads):
            if result.outcome == "failed":
                failed.add(result.uri)
            yield result
        if failed and not without_failed:
            return
        if pipeline.store.replace_collection(pipeline.collection, builder.collection, without=failed):
            return
        # Paths added to the old collection meanwhile need another round.
        todo = [file for file in _missing(pipeline, work.before).files if file.uri not in failed]


def _embedded(
    builder: Pipeline, files: Sequence[Recording], uploads: Path | None
) -> Iterator[IndexResult]:
    """Index files under their stored names; uploads that are not stored as files fail."""
    on_disk = [file for file in files if is_file(file)]
    for file in files:
        if not is_file(file):
            yield failed_result(file.uri, upload_error(file))
    items = (item_of(file, uploads) for file in on_disk)
    for file, result in zip(on_disk, builder.index(items), strict=True):
        yield replace(result, uri=file.uri)


def is_file(file: Recording) -> bool:
    """Return whether a stored recording can be read again, from this machine or another one."""
    return file.uri.startswith(("/", "file://")) or is_remote(file.uri)


def upload_error(file: Recording) -> AudioNotFound:
    """Return the error for an upload without a stored file."""
    return AudioNotFound(f"{file.uri!r} was uploaded; delete it, or upload it again")


def item_of(file: Recording, uploads: Path | None) -> IndexItem:
    """Return the item that indexes a stored file again.

    Parameters
    ----------
    file : Recording
        The stored recording.
    uploads : Path or None
        Folder of stored uploads.
    """
    is_upload = uploads is not None and path_of(file.uri).parent == uploads
    return IndexItem(file.uri, stored=file, is_upload=is_upload)


def is_rebuilt(pipeline: Pipeline) -> bool:
    """Return whether the collection is complete and has the pipeline's encoder and windows."""
    store = pipeline.store
    same = store.status(collection=pipeline.collection).spec == pipeline.spec
    return same and rebuild_name(pipeline.collection) not in store.collections()
