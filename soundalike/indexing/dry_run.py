"""Preview of indexing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from soundalike.faults import recording_error
from soundalike.indexing.items import (
    IndexItem,
    IndexResult,
    failed_result,
    is_up_to_date,
    unchanged_result,
)
from soundalike.indexing.pipeline import Pipeline
from soundalike.remote.objects import RemoteObject
from soundalike.types import Recording


def preview(
    pipeline: Pipeline, items: Iterable[IndexItem], *, checksum: bool = False
) -> Iterator[IndexResult]:
    """Yield the outcome of `Pipeline.index` for each file without decoding or changing anything.

    New and changed files are read, because the outcome depends on their content. Decoding errors are not
    predicted: a file that is not audio counts as ``added``. Remote recordings are not fetched: one whose
    version has changed counts as ``replaced``.

    Parameters
    ----------
    pipeline : Pipeline
    items : iterable of IndexItem
    checksum : bool
        As for `Pipeline.index`.

    Raises
    ------
    ModelMismatch
        The collection has another specification.
    """
    planned: dict[str, Recording] = {}
    contents: set[str] = set()
    for file in pipeline.scan(items):
        if file.known is not None and not checksum and file.is_unchanged():
            yield unchanged_result(file.known)
            continue
        if isinstance(file.snapshot, RemoteObject):
            yield _of_remote(file.snapshot, file.known)
            continue
        try:
            wanted = pipeline.described(file)
        except Exception as exc:
            yield failed_result(file.item.uri, recording_error(exc, file.item.uri))
            continue
        before = planned.get(wanted.uri, file.known)
        if before is None:
            outcome, length_s = _outcome_of_new(pipeline, wanted, contents)
        else:
            outcome, length_s = _outcome_of_known(before, wanted)
        planned[wanted.uri] = wanted
        contents.add(wanted.recording_id)
        yield IndexResult(wanted.uri, outcome, wanted.recording_id, duration_s=length_s)


def _of_remote(file: RemoteObject, known: Recording | None) -> IndexResult:
    """Return the outcome for a remote recording, which is not fetched to find a copy of it."""
    if known is None:
        return IndexResult(file.uri, "added")
    outcome = "updated" if file.stat is not None and file.stat == known.stat else "replaced"
    return IndexResult(file.uri, outcome, known.recording_id, duration_s=known.duration_s)


def _outcome_of_known(before: Recording, wanted: Recording) -> tuple[str, float]:
    """Return the outcome for a path whose content is `before`, and the known length."""
    if before.recording_id != wanted.recording_id:
        return "replaced", 0.0
    return "unchanged" if is_up_to_date(before, wanted) else "updated", before.duration_s


def _outcome_of_new(pipeline: Pipeline, wanted: Recording, contents: Set[str]) -> tuple[str, float]:
    """Return the outcome for a path that is not stored, and the known length."""
    key = wanted.recording_id
    lengths = pipeline.store.known_lengths([key], collection=pipeline.collection)
    return "linked" if key in contents or lengths else "added", lengths.get(key, 0.0)
