"""Stages of indexing: read, decode, embed and store files; failures affect single files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial

from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sandbox.reading import RecordingReader
from soundalike.audio.segmenter import Segments
from soundalike.audio.sources import FileSnapshot
from soundalike.audio.windows import WindowPlan
from soundalike.clock.start_time import StartTime
from soundalike.clock.wall_clock import StartTimeRules, start_from_mtime, with_start
from soundalike.encoders.base import Encoder, index_spec
from soundalike.encoders.embedding import CutRecording, embed_each
from soundalike.errors import SoundalikeError
from soundalike.faults import recording_error
from soundalike.indexing.items import IndexItem, IndexResult, ScannedFile, failed_result, identified
from soundalike.remote.objects import RemoteObject
from soundalike.remote.spool import FetchedFile, Spool, SpoolPlace
from soundalike.runtime.parallel import threads
from soundalike.store.base import Entry, Outcome
from soundalike.store.each import add_each
from soundalike.store.protocol import Store
from soundalike.store.renewal import count_searchable, zero_warning
from soundalike.types import FloatArray, Recording

#: Scanned files, and the results of unchanged ones.
Batch = Sequence[ScannedFile | IndexResult]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A decoded recording."""

    recording: Recording
    segments: Segments

    def as_cut_recording(self) -> CutRecording:
        """Return the input of the encoder."""
        part = self.segments
        return CutRecording(part.samples, part.windows, part.offset_s)

    def stored(self, outcome: Outcome, embeddings: FloatArray) -> IndexResult:
        """Return the result of a stored recording."""
        return IndexResult(
            self.recording.uri,
            outcome,
            self.recording.recording_id,
            len(self.segments.windows),
            self.segments.duration_s,
            (*self.segments.warnings, *zero_warning(self.segments.windows, embeddings)),
            n_searchable=count_searchable(self.segments.windows, embeddings),
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file with a known id, and the pending result of reading it.

    For stored audio that is the start time, otherwise the decoded sound.
    """

    recording: Recording
    snapshot: FileSnapshot | FetchedFile
    item: IndexItem
    header: Future[StartTime] | None = None
    sound: Future[tuple[Segments, StartTime]] | None = None
    stored_s: float = 0.0

    def described(self, start: StartTime | None, duration_s: float = 0.0) -> Recording:
        """Return the recording with its start time and length."""
        found = replace(self.recording, duration_s=duration_s, stat=self.snapshot.trusted_stat())
        if duration_s and self.item.recorded_at is None and found.recorded_at_source == "mtime":
            return start_from_mtime(found, duration_s)
        return found if start is None or self.item.is_upload else with_start(found, start)


@dataclass(frozen=True, slots=True)
class Indexing:
    """Indexes batches of files; while one is embedded and stored, the next one is decoded.

    Attributes
    ----------
    store, encoder, plan, collection, start_rules, decoding, spool
        As for `soundalike.indexing.pipeline.Pipeline`.
    """

    store: Store
    encoder: Encoder
    plan: WindowPlan
    collection: str
    start_rules: StartTimeRules
    decoding: IsolatedDecoding
    spool: SpoolPlace

    def run(self, batches: Iterable[Batch]) -> Iterator[IndexResult]:
        """Yield the result of each file, in order.

        Raises
        ------
        StoreError, ModelError, ServiceError
            The database, the encoder or the decoding processes cannot be used; the yielded results
            are stored.
        """
        ahead: deque[list[_Opened | IndexResult]] = deque()
        with Spool(self.spool) as spool, threads() as readers, threads() as decoders:
            for batch in batches:
                ahead.append(self._started(batch, spool, readers, decoders))
                if len(ahead) > 1:
                    yield from self._finished(ahead.popleft(), decoders)
            while ahead:
                yield from self._finished(ahead.popleft(), decoders)

    def _started(
        self, batch: Batch, spool: Spool, readers: Executor, decoders: Executor
    ) -> list[_Opened | IndexResult]:
        """Compute the ids of a batch of files, and start decoding new ones."""
        read = list(readers.map(partial(_read, spool), batch))
        ids = {one.recording.recording_id for one in read if isinstance(one, _Opened)}
        known = self.store.known_lengths(list(ids), collection=self.collection) if ids else {}
        return [
            one if isinstance(one, IndexResult) else self._submitted(one, known, decoders)
            for one in read
        ]

    def _submitted(self, one: _Opened, known: dict[str, float], decoders: Executor) -> _Opened:
        stored_s = known.get(one.recording.recording_id)
        if stored_s is None:
            return replace(one, sound=self._decoded(one, decoders))
        if one.recording.recorded_at is not None or one.item.is_upload:
            return replace(one, stored_s=stored_s)
        ask = partial(self.decoding.run, self.start_rules.start_of, one.snapshot.path, None, None)
        return replace(one, stored_s=stored_s, header=decoders.submit(ask))

    def _decoded(self, one: _Opened, decoders: Executor) -> Future[tuple[Segments, StartTime]]:
        read = RecordingReader(self.plan, self.start_rules).read
        return decoders.submit(
            self.decoding.run, read, one.snapshot.path, given=one.recording.recorded_at
        )

    def _finished(
        self, batch: Sequence[_Opened | IndexResult], decoders: Executor
    ) -> Iterator[IndexResult]:
        """Link audio that is stored already, and embed and store the rest."""
        linked = [
            self._linked(one, decoders) if isinstance(one, _Opened) and one.sound is None else one
            for one in batch
        ]
        parts = [_cut(one) if isinstance(one, _Opened) else one for one in linked]
        for one in batch:
            if isinstance(one, _Opened):
                one.snapshot.discard()
        results = iter(self._stored([part for part in parts if isinstance(part, _Cut)]))
        for part in parts:
            yield next(results) if isinstance(part, _Cut) else part

    def _linked(self, one: _Opened, decoders: Executor) -> _Opened | IndexResult:
        """Store another path of known audio without decoding it.

        The stored start time remains. If the new one is more reliable, the recording is decoded and
        stored again.
        """
        uri = one.recording.uri
        try:
            recording = one.described(one.header.result() if one.header else None)
            spec = index_spec(self.encoder, self.plan)
            renew = one.item.stored is not None
            outcome = self.store.link(recording, spec, renew=renew, collection=self.collection)
        except Exception as exc:
            return failed_result(uri, recording_error(exc, uri))
        if outcome is None:
            return replace(one, sound=self._decoded(one, decoders))
        return IndexResult(uri, outcome, recording.recording_id, duration_s=one.stored_s)

    def _stored(self, cuts: Sequence[_Cut]) -> list[IndexResult]:
        """Embed and store recordings, together if possible."""
        names = [cut.recording.uri for cut in cuts]
        found = embed_each([cut.as_cut_recording() for cut in cuts], names, self.encoder, self.plan)
        entries = [
            Entry(cut.recording, cut.segments.windows, rows)
            for cut, rows in zip(cuts, found, strict=True)
            if not isinstance(rows, SoundalikeError)
        ]
        spec = index_spec(self.encoder, self.plan)
        outcomes = iter(add_each(self.store, entries, spec, collection=self.collection))
        return [_result(cut, rows, outcomes) for cut, rows in zip(cuts, found, strict=True)]


def _read(spool: Spool, one: ScannedFile | IndexResult) -> _Opened | IndexResult:
    """Read a file to compute its id; a remote one is copied first."""
    if isinstance(one, IndexResult):
        return one
    found = one.snapshot
    try:
        if isinstance(found, SoundalikeError):
            raise found
        file = spool.fetch(found) if isinstance(found, RemoteObject) else found
        return _Opened(identified(file, one.item), file, one.item)
    except Exception as exc:
        return failed_result(one.item.uri, recording_error(exc, one.item.uri))


def _cut(one: _Opened) -> _Cut | IndexResult:
    """Wait for the decoding of a recording."""
    assert one.sound is not None
    try:
        segments, start = one.sound.result()
        return _Cut(one.described(start, segments.duration_s), segments)
    except Exception as exc:
        return failed_result(one.recording.uri, recording_error(exc, one.recording.uri))


def _result(
    cut: _Cut, rows: FloatArray | SoundalikeError, outcomes: Iterator[Outcome | SoundalikeError]
) -> IndexResult:
    if isinstance(rows, SoundalikeError):
        return failed_result(cut.recording.uri, rows)
    outcome = next(outcomes)
    if isinstance(outcome, SoundalikeError):
        return failed_result(cut.recording.uri, outcome)
    return cut.stored(outcome, rows)
