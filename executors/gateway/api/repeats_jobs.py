"""The jobs that compare recordings: find copies, and find sounds that occur again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, TypeVar

from executors.gateway.api.context import Context
from executors.gateway.background.job import Job
from executors.gateway.flow.events import in_batches
from executors.messages.events import ListenClip, ListenedDoc
from executors.messages.repeats import CandidatesDoc, MotifPartsDoc, RepeatsClip
from executors.messages.repeats_values import candidates_of, files_of, heard_of, outliers_of
from soundalike.audio.sources import resolve_path
from soundalike.repeats.candidates import Candidate, nothing_under
from soundalike.repeats.copies import Copy, SoundMissing, compare_sounds
from soundalike.repeats.duplicates import Groups, group_to_json, members_of
from soundalike.repeats.hearing import strongest, to_read
from soundalike.repeats.motifs import motif_to_json, motifs_of
from soundalike.repeats.requests import (
    MAX_OUTLIERS,
    DuplicatesRequest,
    MotifsRequest,
    prefix_of_path,
)
from soundalike.repeats.sounds import Sounds
from soundalike.repeats.standing_out import Outlier
from soundalike.types import Recording

#: Recordings that the index is asked for at once, and paths of a page.
_TOGETHER, _PAGE = 16, 1000
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class DuplicatesSearch:
    """Finds groups of copies.

    Attributes
    ----------
    context : Context
    request : DuplicatesRequest
    """

    context: Context
    request: DuplicatesRequest

    def parameters(self) -> Dict[str, Any]:
        """Return what is needed to do it again; JSON-compatible."""
        return asdict(self.request)

    async def run(self, job: Job) -> None:
        """Compare each recording with the ones that are most like it."""
        docs = await self._candidates(await _ids(self.context, self.request))
        files = {doc.recording_id: files_of(doc) for doc in docs}
        job.total = len(docs)
        await self.context.jobs.notify()
        sounds = Sounds(self.context.isolated, self._locate)
        groups = Groups()
        for doc in docs:
            for one in candidates_of(doc):
                if groups.is_open(one, files):
                    groups.take(one, await self._compared(sounds, files, one))
            job.done += 1
            await self.context.jobs.notify()
        found = await self.context.decoding.run(members_of, groups, files, sounds)
        rows = [group_to_json(number, members) for number, members in enumerate(found, start=1)]
        self.context.jobs.keep_result(job, {"groups": rows})

    async def _candidates(self, ids: Sequence[str]) -> List[CandidatesDoc]:
        request = self.request
        parameters = {
            "under": request.under,
            "candidates": request.candidates,
            "collection": request.collection,
        }
        found: List[CandidatesDoc] = []
        for some in _pages(ids, _TOGETHER):
            clips = [RepeatsClip(id=each, recording_id=each) for each in some]
            found += await self.context.flow.ask("/duplicates", clips, CandidatesDoc, parameters)
        return found

    async def _compared(
        self, sounds: Sounds, files: Mapping[str, Sequence[Recording]], one: Candidate
    ) -> Optional[Copy]:
        """Compare two recordings by their sound, or by the stored vectors if it cannot be read."""
        try:
            return await self.context.decoding.run(
                compare_sounds, sounds, files[one.first], files[one.second], one, self.request
            )
        except SoundMissing:
            clip = RepeatsClip(
                id=one.first,
                recording_id=one.first,
                other_id=one.second,
                start_s=one.first_s,
                other_start_s=one.second_s,
            )
            parameters = {"collection": self.request.collection}
            found = await self.context.flow.one("/duplicates", clip, CandidatesDoc, parameters)
            return None if found.offset_s is None else Copy(found.offset_s, found.score, "vectors")

    def _locate(self, uri: str) -> Path:
        self.context.roots.check(uri)
        return resolve_path(uri)


@dataclass(frozen=True)
class MotifsSearch:
    """Finds sounds that occur again and again.

    Attributes
    ----------
    context : Context
    request : MotifsRequest
    """

    context: Context
    request: MotifsRequest

    def parameters(self) -> Dict[str, Any]:
        """Return what is needed to do it again; JSON-compatible."""
        return asdict(self.request)

    async def run(self, job: Job) -> None:
        """Find the parts that stand out, read their sound again, and join the ones that are alike."""
        ids = await _ids(self.context, self.request)
        found, file_texts = await self._parts(job, ids)
        status = await self.context.library.status(self.request.collection)
        if self.request.reread_s > 0 and status.encoder == status.configured_encoder:
            heard = await self._heard(job, found, file_texts)
            # Vectors of different steps are not comparable: what was not read is left out.
            found = heard or found
        motifs = await self.context.decoding.run(motifs_of, found, self.request)
        rows = [motif_to_json(number, motif) for number, motif in enumerate(motifs, start=1)]
        self.context.jobs.keep_result(job, {"motifs": rows})

    async def _parts(self, job: Job, ids: Sequence[str]) -> Tuple[List[Outlier], Dict[str, str]]:
        """Return the parts that stand out, and what is known of each recording's file."""
        found: List[Outlier] = []
        file_texts: Dict[str, str] = {}
        parameters = {"collection": self.request.collection}
        # Each recording counts twice: its vectors are read, and then its sound.
        job.total = 2 * len(ids)
        for some in _pages(ids, _TOGETHER):
            clips = [RepeatsClip(id=each, recording_id=each) for each in some]
            for doc in await self.context.flow.ask("/motifs", clips, MotifPartsDoc, parameters):
                found += outliers_of(doc)
                file_texts[str(doc.id)] = doc.file
            if len(found) > 2 * MAX_OUTLIERS:
                found = strongest(found)
            job.done += len(some)
            await self.context.jobs.notify()
        return strongest(found), file_texts

    async def _heard(
        self, job: Job, found: Sequence[Outlier], file_texts: Mapping[str, str]
    ) -> List[Outlier]:
        heard: List[Outlier] = []
        read = to_read(found, self.request.reread_s)
        job.total = job.done + len(read)
        for recording, stretches in read:
            clips = [
                ListenClip(
                    id=f"{start_s}",
                    uri=recording.uri,
                    file=file_texts[recording.recording_id],
                    start_s=start_s,
                    end_s=end_s,
                )
                for start_s, end_s in stretches
            ]
            for some in in_batches(clips):
                answers = await self.context.flow.ask("/listen", some, ListenedDoc)
                for clip, answer in zip(some, answers, strict=True):
                    heard += heard_of(recording, clip.start_s, answer)
            job.done += 1
            await self.context.jobs.notify()
        return heard


async def check_collection(context: Context, collection: str) -> None:
    """Raise an error before a job begins that would have nothing to compare.

    Raises
    ------
    HTTPException
        The collection does not exist.
    """
    # Without documents, the index only looks whether it has the collection.
    await context.flow.ask("/motifs", [], MotifPartsDoc, {"collection": collection})


async def _ids(context: Context, request: DuplicatesRequest | MotifsRequest) -> List[str]:
    """Return the ids of the recordings that a request means.

    Raises
    ------
    RecordingNotFound
        Nothing is stored under its path.
    """
    ids: Dict[str, None] = {}
    after = ""
    prefix = prefix_of_path(request.under)
    while page := await context.library.page(
        request.collection, uri_prefix=prefix, after=after, limit=_PAGE
    ):
        ids.update((str(doc.recording_id), None) for doc in page)
        after = str(page[-1].uri)
    if prefix and not ids:
        raise nothing_under(request.collection, prefix)
    return list(ids)


def _pages(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
