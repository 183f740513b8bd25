"""Decoding again what an earlier decoder has decoded, while the collection goes on serving."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soundalike.audio.files import AUDIO_SUFFIXES
from soundalike.audio.sources import path_of, recording_id_of
from soundalike.errors import AudioError
from soundalike.indexing.items import IndexItem, IndexResult, failed_result
from soundalike.indexing.pipeline import Pipeline
from soundalike.indexing.reindex import item_of, not_kept
from soundalike.types import Recording


@dataclass(frozen=True, slots=True)
class Outdated:
    """A recording that an earlier decoder has decoded.

    Attributes
    ----------
    files : list of Recording
        Under each of its paths, in their order; at least one.
    """

    files: list[Recording]

    @property
    def recording_id(self) -> str:
        """Id of its content."""
        return self.files[0].recording_id


def find_outdated(pipeline: Pipeline) -> list[Outdated]:
    """Return what an earlier decoder has decoded of a collection, in the order of the first paths."""
    found: dict[str, Outdated] = {}
    for file in pipeline.store.outdated_files(collection=pipeline.collection):
        found.setdefault(file.recording_id, Outdated([])).files.append(file)
    return list(found.values())


def renew(
    pipeline: Pipeline, recordings: Sequence[Outdated], uploads: Path | None = None
) -> Iterator[IndexResult]:
    """Decode recordings again, and put what has changed in the place of what is stored.

    Each is replaced at once and as a whole. What cannot be read stays as it is. Where it is interrupted,
    `find_outdated` has the rest.

    Parameters
    ----------
    pipeline : Pipeline
        With the encoder and windows of the collection.
    recordings : sequence of Outdated
    uploads : Path, optional
        Folder of uploads that the service has kept.

    Yields
    ------
    result : IndexResult
        ``updated`` where something has changed, ``unchanged`` where it came out the same, ``replaced``
        where the file holds other audio by now, ``failed`` where no path of it could be read.
    """
    todo = [_Attempt(recording, uploads) for recording in recordings]
    while todo:
        yield from (attempt.failure for attempt in todo if attempt.failure and not attempt.has_more())
        todo = [attempt for attempt in todo if attempt.has_more()]
        items = (attempt.next_item() for attempt in list(todo))
        for attempt, result in zip(todo, pipeline.index(items, checksum=True), strict=True):
            attempt.note(result)
            if result.outcome in ("added", "linked"):
                # Somebody has deleted it meanwhile.
                pipeline.store.delete_files([result.uri], collection=pipeline.collection)
            elif result.error_code is None:
                yield result
        todo = [attempt for attempt in todo if not attempt.is_done]


class _Attempt:
    """A recording, and the places that are still to be tried."""

    def __init__(self, recording: Outdated, uploads: Path | None) -> None:
        self._recording, self._uploads = recording, uploads
        files = [file for file in recording.files if file.uri.startswith(("/", "file://"))]
        self._items = deque(item_of(file, uploads) for file in files)
        self._uri = recording.files[0].uri
        #: What is to be told where no place is left.
        self.failure: IndexResult | None = failed_result(self._uri, not_kept(recording.files[0]))
        self.is_done = False
        self._has_failed = False

    def has_more(self) -> bool:
        """Tell whether another place can be tried."""
        if not self._items and self._uploads is not None:
            self._items.extend(_kept(self._recording, self._uploads))
            self._uploads = None
        return bool(self._items)

    def next_item(self) -> IndexItem:
        """Return what is to be tried now."""
        item = self._items.popleft()
        self._uri = item.stored.uri if item.stored else item.uri
        return item

    def note(self, result: IndexResult) -> None:
        """Keep the first failure; other audio under one path says nothing of the other paths."""
        if result.error_code is None:
            self.failure = None
            self.is_done = result.recording_id == self._recording.recording_id
        elif not self._has_failed:
            self.failure, self._has_failed = replace(result, uri=self._uri), True


def _kept(recording: Outdated, uploads: Path) -> Iterator[IndexItem]:
    """Yield uploads of a recording that lie elsewhere than its paths say; their names are its id."""
    paths = {path_of(file.uri) for file in recording.files}
    for suffix in ("", *sorted(AUDIO_SUFFIXES)):
        path = uploads / f"{recording.recording_id}{suffix}"
        if path not in paths and _holds(path, recording.recording_id):
            yield IndexItem(str(path), stored=recording.files[0], is_upload=True)


def _holds(path: Path, recording_id: str) -> bool:
    try:
        return path.is_file() and recording_id_of(path) == recording_id
    except AudioError:
        return False
