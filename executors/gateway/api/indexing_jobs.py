"""The two kinds of jobs: index a folder, and index uploaded files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple, TypeVar

from starlette.exceptions import HTTPException

from executors.gateway.api.context import Context
from executors.gateway.background.job import MOST_LEFT_OUT, Job, JobFile
from executors.gateway.background.uploads import Kept
from executors.gateway.problems import problem_of
from executors.messages.documents import Clip, Indexed, time_text
from executors.messages.int32 import to_int64
from executors.messages.listings import StoredDoc
from soundalike.audio.files import NO_TRACK, FileList, find_files, is_film_without_sound, is_gone
from soundalike.audio.sources import folder_label, path_of, recording_id_of, uri_of
from soundalike.audio.urls import is_remote
from soundalike.clock.start_time import zone_named
from soundalike.config import Settings
from soundalike.errors import AudioError, AudioNotFound, ParameterError, SoundalikeError, class_of
from soundalike.faults import recording_error
from soundalike.indexing.metadata import FileMetadata, find_tables, read_file_metadata

#: Files that are sent through the Flow together: enough to fill the network's batches, and few enough
#: to show progress.
_BATCH = 16
#: Files that the index is asked for at once.
_PAGE = 500
_NOTHING = FileMetadata(None, {}, None)
_Item = TypeVar("_Item")
#: How outcomes of the index are counted.
_COUNTED = {
    "added": "added",
    "linked": "added",
    "updated": "replaced",
    "replaced": "replaced",
    "unchanged": "unchanged",
}


@dataclass(frozen=True)
class FolderSync:
    """Indexes new and changed files of a folder.

    Attributes
    ----------
    context : Context
    folder : Path
    label : str or None
        Label of all files; None: the name of each file's folder.
    prune : bool
        Remove recordings whose files were deleted.
    metadata : bool
        Read the tables ``metadata.csv`` and ``metadata.jsonl`` in the folder.
    """

    context: Context
    folder: Path
    label: Optional[str] = None
    prune: bool = False
    metadata: bool = True
    _told: Dict[Path, FileMetadata] = field(default_factory=dict)

    def request(self) -> Dict[str, Any]:
        """Return what is needed beside the folder to do it again; JSON-compatible."""
        return {"label": self.label, "prune": self.prune, "metadata": self.metadata}

    async def run(self, job: Job) -> None:
        """Index new and changed files; files whose content is stored already are not decoded."""
        found = await self.context.decoding.run(find_files, [str(self.folder)])
        for folder, reason in found.unreadable.items():
            job.note_error(str(folder), AudioNotFound.code, f"the folder cannot be read: {reason}")
        tables = await self._read_tables(job, found)
        job.left_out = found.skipped - len(tables)
        left_out = {uri: why for uri, why in found.left_out.items() if Path(uri) not in tables}
        for uri, reason in islice(left_out.items(), MOST_LEFT_OUT):
            job.note_left_out(uri_of(Path(uri)), reason)
        job.total = len(found.files)
        for page in _pages(found.files, _PAGE):
            known = await self.context.library.known([uri_of(path) for path in page], job.collection)
            for batch in _pages(page, _BATCH):
                clips = await self._new_ones(job, batch, known)
                await _index(self.context, job, clips)
        if self.prune:
            await self._prune(job, any_left=bool(found.files))

    async def _read_tables(self, job: Job, found: FileList) -> List[Path]:
        """Read the tables in the folder; return their paths."""
        tables = await self.context.decoding.run(find_tables, found) if self.metadata else []
        if tables:
            job.metadata = [uri_of(table) for table in tables]
            zone = zone_named(Settings.from_env().time_zone)
            self._told.update(await self.context.decoding.run(read_file_metadata, tables, [], zone))
        return tables

    async def _new_ones(
        self, job: Job, batch: Sequence[Path], known: Dict[str, StoredDoc]
    ) -> List[Clip]:
        """Count unchanged files; return the others."""
        clips: List[Clip] = []
        for path in batch:
            uri = uri_of(path)
            if await self.context.decoding.run(self._is_unchanged, path, known.get(uri)):
                job.unchanged += 1
                job.done += 1
            else:
                clips.append(self._clip(len(clips), path))
        return clips

    def _clip(self, number: int, path: Path) -> Clip:
        told = self._told.get(path) or _NOTHING
        label = self.label if told.label is None else told.label
        began = time_text(told.recorded_at)
        return Clip(
            id=str(number), uri=uri_of(path), label=label, tags=to_int64(told.tags), recorded_at=began
        )

    def _is_unchanged(self, path: Path, stored: Optional[StoredDoc]) -> bool:
        """Compare by content: the gateway does not know the file's earlier modification time."""
        wanted = self._clip(0, path)
        label = folder_label(path) if wanted.label is None else wanted.label
        if stored is None or stored.label != label:
            return False
        # Tags stay as they are where no table lists the file.
        if path in self._told and stored.tags != wanted.tags:
            return False
        if wanted.recorded_at not in (None, stored.recorded_at):
            return False
        try:
            if stored.size_bytes is not None and stored.size_bytes != path.stat().st_size:
                return False
            return recording_id_of(path) == stored.recording_id
        except Exception:
            # The error is reported when the file is indexed.
            return False

    async def _prune(self, job: Job, *, any_left: bool) -> None:
        """Remove recordings whose files were deleted, unless all were: a disk may not be mounted."""
        stored = self.context.library.below(str(self.folder), job.collection)
        uris = [str(doc.uri) async for doc in stored]
        gone = await self.context.decoding.run(_gone, uris)
        if gone and not any_left:
            raise AudioNotFound(
                f"nothing is left in {str(self.folder)!r}, but the index holds files of it, so nothing "
                "is pruned; is the disk mounted? What is gone for good: DELETE /api/recordings"
            )
        for uri in gone:
            job.pruned += await self.context.library.delete(job.collection, uri=uri)
            await self.context.jobs.notify()


@dataclass(frozen=True)
class UploadIndexing:
    """Indexes files that were uploaded and are kept.

    Attributes
    ----------
    context : Context
    label : str or None
    recorded_at : str or None
        Start of all of them, ISO-8601 with zone; None: as header or name say.
    tags : dict
        Of all files; each has its name as well.
    files : list of Kept
    """

    context: Context
    label: Optional[str] = None
    recorded_at: Optional[str] = None
    tags: Dict[str, Any] = field(default_factory=dict)
    files: List[Kept] = field(default_factory=list)
    #: Paths that were sent to be indexed and have not failed.
    _sent: Set[Path] = field(default_factory=set)

    @classmethod
    def of(cls, context: Context, request: Dict[str, Any]) -> UploadIndexing:
        """Return the work of a `request`, after a restart; its files are kept for it."""
        files = [Kept(Path(path), name) for path, name in request["files"]]
        for kept in files:
            context.uploads.keep_again(kept.path)
        return cls(context, **{**request, "files": files})

    def request(self) -> Dict[str, Any]:
        """Return what is needed to do it again; JSON-compatible."""
        return {
            "label": self.label,
            "recorded_at": self.recorded_at,
            "tags": self.tags,
            "files": [(str(kept.path), kept.name) for kept in self.files],
        }

    async def run(self, job: Job) -> None:
        """Index them."""
        job.total = len(self.files)
        for batch in _pages(self.files, _BATCH):
            clips = [
                Clip(
                    id=str(number),
                    uri=str(kept.path),
                    label=self.label,
                    recorded_at=self.recorded_at,
                    tags={**self.tags, "filename": kept.name},
                )
                for number, kept in enumerate(batch)
            ]
            self._sent.update(kept.path for kept in batch)
            await _index(self.context, job, clips, batch, self._sent)

    async def let_go(self) -> None:
        """Release the files; remove the ones that are in no collection.

        Files that were sent when a job is cancelled may still be stored, so they stay. All stay where
        the index cannot be asked.
        """
        for kept in self.files:
            self.context.uploads.let_go(kept.path)
        with suppress(HTTPException, SoundalikeError):
            for path in {kept.path for kept in self.files} - self._sent:
                await self.context.forget_upload(path)


def find_folder(context: Context, name: str) -> Path:
    """Return a folder that may be indexed.

    Raises
    ------
    AudioNotAllowed
        It lies outside of the allowed folders.
    AudioNotFound
        It is not a folder.
    """
    if is_remote(name):
        context.roots.check(name)
    # The paths of its files will be like this.
    folder = Path(os.path.abspath(name))
    context.roots.check(str(folder))
    if not folder.is_dir():
        raise AudioNotFound(f"{name!r} is not a folder; give the path of one that the server can read")
    return folder


async def _index(
    context: Context,
    job: Job,
    clips: Sequence[Clip],
    uploads: Sequence[Kept] = (),
    sent: Optional[Set[Path]] = None,
) -> None:
    """Index files, and count the outcomes.

    The result of each upload is noted; uploads that are not stored are removed from `sent`.

    Raises
    ------
    CancelledError
        The job was cancelled. Files that had been sent are indexed and counted all the same.
    """
    if not clips:
        await context.jobs.notify()
        return
    results, is_cancelled = await _asked(context, job, clips)
    for number, (clip, result) in enumerate(zip(clips, results, strict=False)):
        job.done += 1
        if uploads:
            context.jobs.note_file(job, _of_upload(uploads[number], result))
        if sent is not None and result.outcome == "failed":
            sent.discard(uploads[number].path)
        own = str(clip.uri)
        name = uploads[number].name if uploads else own
        if not uploads and is_film_without_sound(path_of(own), result.error_code):
            # The client named the folder, not this file.
            result.outcome = "skipped"
            job.skipped += 1
            job.note_left_out(own, NO_TRACK)
        elif result.error_code:
            job.failed += 1
            job.note_error(name, result.error_code, str(result.error).replace(own, name))
        else:
            counter = _COUNTED[result.outcome]
            setattr(job, counter, getattr(job, counter) + 1)
            job.unsearchable += result.n_windows > 0 and not result.n_searchable
        for warning in result.warnings:
            job.note_warning(name, warning.replace(own, name))
    context.metrics.count_indexed(results)
    await context.jobs.notify()
    if is_cancelled:
        raise asyncio.CancelledError


async def _asked(context: Context, job: Job, clips: Sequence[Clip]) -> Tuple[List[Indexed], bool]:
    """Return the results of files, and whether the job was cancelled meanwhile.

    Where the request fails as a whole, for example by an unexpected error of an executor, files are
    sent one by one, so that only the one at fault fails. If the job is cancelled then, the results
    so far are returned.

    Raises
    ------
    HTTPException, SoundalikeError
        No file is to blame.
    """
    question = context.flow.ask("/index", clips, Indexed, {"collection": job.collection})
    try:
        answers, is_cancelled = await _seen_through(question)
    except Exception as exc:
        error = _own_error(exc, str(clips[0].uri))
        if error is None:
            raise
        if len(clips) == 1:
            return [_failed(clips[0], error)], False
    else:
        by_id = {answer.id: answer for answer in answers}
        return [by_id[clip.id] for clip in clips], is_cancelled
    results: List[Indexed] = []
    for clip in clips:
        found, is_cancelled = await _asked(context, job, [clip])
        results += found
        if is_cancelled:
            return results, True
    return results, False


def _own_error(exc: Exception, name: str) -> Optional[SoundalikeError]:
    """Return the error of the file that made a request fail; None where no file is to blame."""
    if not isinstance(exc, HTTPException):
        is_of_all = isinstance(exc, SoundalikeError) and not isinstance(
            exc, (AudioError, ParameterError)
        )
        return None if is_of_all else recording_error(exc, name)
    problem = problem_of(exc.status_code, str(exc.detail))
    kind = class_of(problem["code"])
    if kind is SoundalikeError:
        return recording_error(RuntimeError(problem["detail"]), name)
    if kind is not None and issubclass(kind, (AudioError, ParameterError)):
        return kind(problem["detail"])
    return None


def _failed(clip: Clip, error: SoundalikeError) -> Indexed:
    return Indexed(id=clip.id, uri=clip.uri, error_code=error.code, error=error.message)


async def _seen_through(question: Coroutine[Any, Any, _Item]) -> Tuple[_Item, bool]:
    """Wait for an answer although this task is cancelled once; tell whether it was.

    Raises
    ------
    CancelledError
        It was cancelled, and then once more or without an answer.
    """
    asking = asyncio.create_task(question)
    try:
        return await asyncio.shield(asking), False
    except asyncio.CancelledError:
        try:
            return await asking, True
        except Exception as exc:
            raise asyncio.CancelledError from exc


def _of_upload(kept: Kept, result: Indexed) -> JobFile:
    """Return the result of an upload, with its client's name in place of the path."""
    told = result.model_dump(include=set(JobFile.model_fields))
    error = result.error and result.error.replace(str(kept.path), kept.name)
    # A failed upload is not stored, so it has no id.
    stored_id = None if result.error_code else result.recording_id
    return JobFile(**{**told, "uri": kept.name, "recording_id": stored_id, "error": error})


def _gone(uris: Sequence[str]) -> List[str]:
    return [uri for uri in uris if is_gone(path_of(uri))]


def _pages(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
