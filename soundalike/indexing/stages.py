"""The order in which files are opened, decoded, embedded and stored; each that fails fails alone."""

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
from soundalike.encoders.base import CutRecording, Encoder, embed_each, index_spec
from soundalike.errors import SoundalikeError
from soundalike.faults import recording_error
from soundalike.indexing.items import IndexItem, IndexResult, ScannedFile, failed_result, identified
from soundalike.runtime.parallel import threads
from soundalike.store.base import Entry, Outcome
from soundalike.store.each import add_each
from soundalike.store.protocol import Store
from soundalike.store.renewal import count_searchable, hidden_by_encoder
from soundalike.types import FloatArray, Recording

#: Files that were looked at; those that need not be opened have their result.
Batch = Sequence[ScannedFile | IndexResult]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A recording that was decoded."""

    recording: Recording
    segments: Segments

    def as_cut_recording(self) -> CutRecording:
        """Return what is embedded."""
        part = self.segments
        return CutRecording(part.samples, part.windows, part.offset_s)

    def stored(self, outcome: Outcome, embeddings: FloatArray) -> IndexResult:
        """Return the result for a recording that was stored."""
        return IndexResult(
            self.recording.uri,
            outcome,
            self.recording.recording_id,
            len(self.segments.windows),
            self.segments.duration_s,
            (*self.segments.warnings, *hidden_by_encoder(self.segments.windows, embeddings)),
            n_searchable=count_searchable(self.segments.windows, embeddings),
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose content is known by its id, and what is still being found out about it.

    Of audio that is stored that is when it began, otherwise everything.
    """

    recording: Recording
    snapshot: FileSnapshot
    item: IndexItem
    header: Future[StartTime] | None = None
    sound: Future[tuple[Segments, StartTime]] | None = None
    stored_s: float = 0.0

    def described(self, start: StartTime | None, duration_s: float = 0.0) -> Recording:
        """Return the recording with what was found out."""
        found = replace(self.recording, duration_s=duration_s, stat=self.snapshot.trusted_stat())
        if duration_s and self.item.recorded_at is None and found.recorded_at_source == "mtime":
            return start_from_mtime(found, duration_s)
        return found if start is None or self.item.is_upload else with_start(found, start)


@dataclass(frozen=True, slots=True)
class Indexing:
    """Indexes batches of files; while one is embedded and stored, the next one is decoded.

    Attributes
    ----------
    store, encoder, plan, collection, start_rules, decoding
        As for `soundalike.indexing.pipeline.Pipeline`.
    """

    store: Store
    encoder: Encoder
    plan: WindowPlan
    collection: str
    start_rules: StartTimeRules
    decoding: IsolatedDecoding

    def run(self, batches: Iterable[Batch]) -> Iterator[IndexResult]:
        """Yield a result for each file, in order.

        Raises
        ------
        StoreError, ModelError, ServiceError
            The database, the encoder or the decoding processes cannot be used; what was yielded is
            stored.
        """
        ahead: deque[list[_Opened | IndexResult]] = deque()
        with threads() as readers, threads() as decoders:
            for batch in batches:
                ahead.append(self._new_result(batch, readers, decoders))
                if len(ahead) > 1:
                    yield from self._finished(ahead.popleft(), decoders)
            while ahead:
                yield from self._finished(ahead.popleft(), decoders)

    def _new_result(
        self, batch: Batch, readers: Executor, decoders: Executor
    ) -> list[_Opened | IndexResult]:
        """Read the files of a batch for their ids, and let those be decoded that are not stored."""
        read = list(readers.map(_read, batch))
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
        take = RecordingReader(self.plan, self.start_rules).take
        return decoders.submit(
            self.decoding.run, take, one.snapshot.path, given=one.recording.recorded_at
        )

    def _finished(
        self, batch: Sequence[_Opened | IndexResult], decoders: Executor
    ) -> Iterator[IndexResult]:
        """Link what is stored already, embed and store the rest."""
        linked = [
            self._linked(one, decoders) if isinstance(one, _Opened) and one.sound is None else one
            for one in batch
        ]
        parts = [_cut(one) if isinstance(one, _Opened) else one for one in linked]
        results = iter(self._stored([part for part in parts if isinstance(part, _Cut)]))
        for part in parts:
            yield next(results) if isinstance(part, _Cut) else part

    def _linked(self, one: _Opened, decoders: Executor) -> _Opened | IndexResult:
        """Store another path of known audio, without decoding it.

        Of known audio the stored start stays, unless this one is more trustworthy; then it is stored
        anew, for which it must be decoded.
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
        """Embed and store recordings, together where none of them stands in the way."""
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


def _read(one: ScannedFile | IndexResult) -> _Opened | IndexResult:
    if isinstance(one, IndexResult):
        return one
    try:
        recording = identified(one)
    except SoundalikeError as exc:
        return failed_result(one.item.uri, recording_error(exc, one.item.uri))
    assert isinstance(one.snapshot, FileSnapshot)
    return _Opened(recording, one.snapshot, one.item)


def _cut(one: _Opened) -> _Cut | IndexResult:
    """Wait until a recording is decoded."""
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
