"""Decode recordings of an earlier decoder again, while the collection stays in use."""

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
from soundalike.indexing.reindex import is_file, item_of, upload_error
from soundalike.types import Recording


@dataclass(frozen=True, slots=True)
class Outdated:
    """A recording from an earlier decoder.

    Attributes
    ----------
    files : list of Recording
        The recording under each of its paths, sorted by path; at least one.
    """

    files: list[Recording]

    @property
    def recording_id(self) -> str:
        """Id of its content."""
        return self.files[0].recording_id


def find_outdated(pipeline: Pipeline) -> list[Outdated]:
    """Return the recordings from an earlier decoder, sorted by their first path."""
    found: dict[str, Outdated] = {}
    for file in pipeline.store.outdated_files(collection=pipeline.collection):
        found.setdefault(file.recording_id, Outdated([])).files.append(file)
    return list(found.values())


def renew(
    pipeline: Pipeline, recordings: Sequence[Outdated], uploads: Path | None = None
) -> Iterator[IndexResult]:
    """Decode recordings again, and replace the stored content if it changes.

    Each recording is replaced atomically; one that cannot be read is unchanged. After an interruption,
    `find_outdated` returns the rest.

    Parameters
    ----------
    pipeline : Pipeline
        With the encoder and windows of the collection.
    recordings : sequence of Outdated
    uploads : Path, optional
        Folder of stored uploads.

    Yields
    ------
    result : IndexResult
        ``updated`` if the content has changed, ``unchanged`` if not, ``replaced`` if the file has other
        audio now, ``failed`` if no path could be read.
    """
    todo = [_Attempt(recording, uploads) for recording in recordings]
    while todo:
        yield from (attempt.failure for attempt in todo if attempt.failure and not attempt.has_more())
        todo = [attempt for attempt in todo if attempt.has_more()]
        items = (attempt.next_item() for attempt in list(todo))
        for attempt, result in zip(todo, pipeline.index(items, checksum=True), strict=True):
            attempt.note(result)
            if result.outcome in ("added", "linked"):
                # The recording was deleted meanwhile.
                pipeline.store.delete_files([result.uri], collection=pipeline.collection)
            elif result.error_code is None:
                yield result
        todo = [attempt for attempt in todo if not attempt.is_done]


class _Attempt:
    """A recording, and the files that are still to be tried."""

    def __init__(self, recording: Outdated, uploads: Path | None) -> None:
        self._recording, self._uploads = recording, uploads
        files = [file for file in recording.files if is_file(file)]
        self._items = deque(item_of(file, uploads) for file in files)
        self._uri = recording.files[0].uri
        #: Result if no file is left.
        self.failure: IndexResult | None = failed_result(self._uri, upload_error(recording.files[0]))
        self.is_done = False
        self._has_failed = False

    def has_more(self) -> bool:
        """Return whether another file can be tried."""
        if not self._items and self._uploads is not None:
            self._items.extend(_other_uploads(self._recording, self._uploads))
            self._uploads = None
        return bool(self._items)

    def next_item(self) -> IndexItem:
        """Return the next file to try."""
        item = self._items.popleft()
        self._uri = item.stored.uri if item.stored else item.uri
        return item

    def note(self, result: IndexResult) -> None:
        """Record a result; only the recording's own audio ends the attempts."""
        if result.error_code is None:
            self.failure = None
            self.is_done = result.recording_id == self._recording.recording_id
        elif not self._has_failed:
            self.failure, self._has_failed = replace(result, uri=self._uri), True


def _other_uploads(recording: Outdated, uploads: Path) -> Iterator[IndexItem]:
    """Yield stored uploads of a recording that are not among its paths; they are named by its id."""
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
