"""What indexing would do, without doing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from soundalike.errors import AudioError
from soundalike.items import IndexItem, IndexResult, failed_result, is_as_wanted
from soundalike.pipeline import Pipeline
from soundalike.types import Recording


def preview(
    pipeline: Pipeline, items: Iterable[IndexItem], *, checksum: bool = False
) -> Iterator[IndexResult]:
    """Yield what `Pipeline.index` would do with each file; nothing is decoded and nothing changes.

    Files that are new or changed are read, because their content decides. What only decoding shows is
    not foreseen: a file that is no audio counts as ``added`` here.

    Parameters
    ----------
    pipeline : Pipeline
    items : iterable of IndexItem
    checksum : bool
        As for `Pipeline.index`.

    Raises
    ------
    ModelMismatch
        Indexing would be refused: the collection was made with something else.
    """
    foreseen: dict[str, Recording] = {}
    contents: set[str] = set()
    for file in pipeline.sight(items):
        if file.known is not None and not checksum and file.is_unchanged():
            yield IndexResult(file.known.uri, "unchanged", file.known.recording_id)
            continue
        try:
            wanted = pipeline.described(file)
        except AudioError as exc:
            yield failed_result(file.item.uri, exc)
            continue
        outcome = _outcome(pipeline, foreseen.get(wanted.uri, file.known), wanted, contents)
        foreseen[wanted.uri] = wanted
        contents.add(wanted.recording_id)
        yield IndexResult(wanted.uri, outcome, wanted.recording_id)


def _outcome(pipeline: Pipeline, before: Recording | None, wanted: Recording, contents: Set[str]) -> str:
    """Return what would become of a path under which there would be `before`."""
    if before is not None:
        if before.recording_id != wanted.recording_id:
            return "replaced"
        return "unchanged" if is_as_wanted(before, wanted) else "updated"
    key = wanted.recording_id
    is_known = key in contents or pipeline.store.known_ids([key], collection=pipeline.collection)
    return "linked" if is_known else "added"
