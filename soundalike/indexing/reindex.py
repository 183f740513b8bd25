"""Making a collection anew with another encoder or other windows, while the old one goes on serving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soundalike.audio.sources import path_of
from soundalike.errors import AudioNotFound, IndexEmpty, ParameterError
from soundalike.indexing.items import failed_result
from soundalike.indexing.pipeline import IndexItem, IndexResult, Pipeline
from soundalike.store.base import rebuild_name
from soundalike.types import IndexSpec, Recording


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What there is to do.

    Attributes
    ----------
    before : IndexSpec
        What the collection is made with now.
    after : IndexSpec
        What it will be made with.
    files : list of Recording
        Stored paths that are still to be embedded, in their order.
    done : int
        Stored paths that an interrupted run has embedded already.
    """

    before: IndexSpec
    after: IndexSpec
    files: list[Recording]
    done: int


def plan_rebuild(pipeline: Pipeline) -> Rebuild:
    """Return what there is to do, and drop a half-made successor that is of no use any more.

    Parameters
    ----------
    pipeline : Pipeline
        With the new encoder and windows, and the name of the collection.

    Raises
    ------
    IndexEmpty
        There is no such collection.
    ParameterError
        Another program computed its vectors.
    """
    store, successor = pipeline.store, rebuild_name(pipeline.collection)
    before = store.status(collection=pipeline.collection).spec
    if before is None:
        raise IndexEmpty(f"there is no collection {pipeline.collection!r} to rebuild")
    if before.is_external:
        raise ParameterError(
            f"the collection {pipeline.collection!r} holds vectors of another program "
            f"({before.describe()}), which no encoder here can compute; index new ones with --vectors"
        )
    half_made = store.status(collection=successor).spec
    if half_made is not None and half_made != pipeline.spec:
        store.drop_collection(successor)
    store.create_collection(successor, pipeline.spec)
    return _missing(pipeline, before)


def _missing(pipeline: Pipeline, before: IndexSpec) -> Rebuild:
    store, successor = pipeline.store, rebuild_name(pipeline.collection)
    made = {file.uri: file for file in store.files(collection=successor)}
    files = list(store.files(collection=pipeline.collection))
    missing = [file for file in files if not _agree(file, made.get(file.uri))]
    return Rebuild(before, pipeline.spec, missing, len(files) - len(missing))


def _agree(old: Recording, new: Recording | None) -> bool:
    """Tell whether a path is in the successor as it is in the old collection.

    The content may differ: the file may have changed since it was indexed.
    """
    return new is not None and (old.label, old.tags) == (new.label, new.tags)


def rebuild(
    pipeline: Pipeline, work: Rebuild, *, without_failed: bool = False, uploads: Path | None = None
) -> Iterator[IndexResult]:
    """Embed every stored path once more; then let the new collection take the old one's place.

    Nothing is lost where it is interrupted: run again, it goes on where it was. Where files failed,
    the old collection stays, unless it was said that they may go.

    Parameters
    ----------
    pipeline : Pipeline
        As given to `plan_rebuild`.
    work : Rebuild
        What `plan_rebuild` has returned.
    without_failed : bool
        Replace the old collection even where files failed; they are then in none.
    uploads : Path, optional
        Folder of uploads that the service has kept.

    Yields
    ------
    result : IndexResult
        For each path, as it is done. The old collection was replaced when the last one is out and
        `is_rebuilt` says so.
    """
    builder = Pipeline(
        pipeline.store,
        pipeline.encoder,
        pipeline.plan,
        rebuild_name(pipeline.collection),
        pipeline.start_rules,
        pipeline.decoding,
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
        # What was added to the old collection meanwhile comes in another round.
        todo = [file for file in _missing(pipeline, work.before).files if file.uri not in failed]


def _embedded(
    builder: Pipeline, files: Sequence[Recording], uploads: Path | None
) -> Iterator[IndexResult]:
    """Index files under the names that they have; uploads were never files, unless they are kept."""
    on_disk = [file for file in files if _is_file(file)]
    for file in files:
        if not _is_file(file):
            yield failed_result(file.uri, not_kept(file))
    items = (item_of(file, uploads) for file in on_disk)
    for file, result in zip(on_disk, builder.index(items), strict=True):
        yield replace(result, uri=file.uri)


def _is_file(file: Recording) -> bool:
    return file.uri.startswith(("/", "file://"))


def not_kept(file: Recording) -> AudioNotFound:
    """Return the error of an upload that was sent along with a request."""
    return AudioNotFound(f"{file.uri!r} was uploaded; delete it, or upload it again")


def item_of(file: Recording, uploads: Path | None) -> IndexItem:
    """Return what makes a stored file anew.

    Parameters
    ----------
    file : Recording
        As it is stored.
    uploads : Path or None
        Folder of uploads that are kept.
    """
    is_upload = uploads is not None and path_of(file.uri).parent == uploads
    return IndexItem(file.uri, stored=file, is_upload=is_upload)


def is_rebuilt(pipeline: Pipeline) -> bool:
    """Tell whether the collection is made with the pipeline's encoder and windows, and complete."""
    store = pipeline.store
    same = store.status(collection=pipeline.collection).spec == pipeline.spec
    return same and rebuild_name(pipeline.collection) not in store.collections()
