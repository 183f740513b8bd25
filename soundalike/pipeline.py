"""Index and search in one process, without Jina: for the command line, tests and benchmarks.

The Flow's executors call the same functions; what is here is only the order of the calls.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np

from soundalike.audio import folder_label, recording_id_of, resolve_path, uri_of
from soundalike.audio.sources import AudioSource, Glance, glance
from soundalike.config import DEFAULT_COLLECTION
from soundalike.embedding import CutRecording, Encoder, embed_windows, index_spec
from soundalike.errors import AudioError, SilentQuery
from soundalike.ranking import rank
from soundalike.segmenter import Segments, segment
from soundalike.start_time import DEFAULT_PATTERNS
from soundalike.store.base import Entry, Outcome, start_differs, start_source
from soundalike.store.protocol import Store
from soundalike.types import Filters, FloatArray, Match, Recording, Tags, Window
from soundalike.wall_clock import Dating, counted_back
from soundalike.windows import WindowPlan

#: Recordings that are embedded together, so that their patches fill the batches.
BATCH_RECORDINGS = 16
_STANDARD_DATING = Dating()
#: Paths that the store is asked for at once.
PAGE_FILES = 500


@dataclass(frozen=True, slots=True)
class IndexItem:
    """A file to index.

    Attributes
    ----------
    uri : str
        Its path.
    label : str or None
        Class of the sound. None: the name of the folder that holds the file.
    tags : mapping
        Free metadata, JSON-compatible.
    recorded_at : datetime or None
        When the recording began, with time zone. None: what the file itself tells; see
        `soundalike.start_time`.
    recorded_at_source : str or None
        Who said so; None stands for ``given``.
    """

    uri: str
    label: str | None = None
    tags: Tags = field(default_factory=dict)
    recorded_at: datetime | None = None
    recorded_at_source: str | None = None


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What became of one file.

    Attributes
    ----------
    uri : str
        As stored, or as given where the file failed.
    outcome : str
        An `soundalike.store.Outcome`, or ``failed``.
    recording_id : str or None
    n_windows : int
        Windows that were embedded; 0 for audio that was known already.
    duration_s : float
        Length that was decoded, in seconds; 0.0 for audio that was known already.
    warnings : tuple of str
        Damage that did not stop the decoding.
    error_code, error : str or None
        Set where the outcome is ``failed``.
    """

    uri: str
    outcome: str
    recording_id: str | None = None
    n_windows: int = 0
    duration_s: float = 0.0
    warnings: tuple[str, ...] = ()
    error_code: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a query.

    Attributes
    ----------
    query : str
        The query's path.
    recording_id : str
        Id of the query's content.
    windows : list of Window
        The query's windows.
    matches : list of Match
        Best first.
    warnings : tuple of str
        Damage that did not stop the decoding.
    """

    query: str
    recording_id: str
    windows: list[Window]
    matches: list[Match]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Cut:
    recording: Recording
    segments: Segments

    def stored(self, outcome: Outcome) -> IndexResult:
        """Return the result for a recording that was stored."""
        return IndexResult(
            self.recording.uri,
            outcome,
            self.recording.recording_id,
            len(self.segments.windows),
            self.segments.duration_s,
            self.segments.warnings,
        )


@dataclass(frozen=True, slots=True)
class _Pending:
    """A file that is being decoded."""

    recording: Recording
    glance: Glance
    segments: Future[Segments]
    is_dated_by_end: bool

    def cut(self) -> _Cut | IndexResult:
        """Wait for the segments."""
        try:
            segments = self.segments.result()
        except AudioError as exc:
            return failed_result(self.recording.uri, exc)
        recording = replace(
            self.recording, duration_s=segments.duration_s, stat=self.glance.trusted_stat()
        )
        if self.is_dated_by_end:
            recording = counted_back(recording, segments.duration_s)
        return _Cut(recording, segments)


@dataclass(frozen=True, slots=True)
class SightedFile:
    """A file that was not opened yet.

    Attributes
    ----------
    item : IndexItem
        What is wanted of it.
    glance : Glance or AudioError
        Its path, size and time, or why there is nothing to be read.
    known : Recording or None
        What is stored under its path.
    may_gain_start : bool
        Patterns of a person's own may tell when it began, which nothing trustworthy has told yet.
    """

    item: IndexItem
    glance: Glance | AudioError
    known: Recording | None = None
    may_gain_start: bool = False

    def is_unchanged(self) -> bool:
        """Tell whether what is stored is what is wanted, so that the file need not be opened."""
        if self.known is None or self.may_gain_start or isinstance(self.glance, AudioError):
            return False
        return self.known.stat == self.glance.stat and is_as_wanted(
            self.known, described(self.glance.path, self.item)
        )


def is_as_wanted(known: Recording, wanted: Recording) -> bool:
    """Tell whether a stored path of the same content has the label, tags and start that are wanted."""
    same = (known.label, known.tags) == (wanted.label, wanted.tags)
    return same and not start_differs(known, wanted)


def failed_result(uri: str, exc: AudioError) -> IndexResult:
    """Return the result of a file that cannot be used."""
    return IndexResult(uri, "failed", error_code=exc.code, error=exc.message)


class Pipeline:
    """Segments, embeds, stores and searches.

    Parameters
    ----------
    store : Store
        Where windows are kept.
    encoder : Encoder
        What embeds them.
    plan : WindowPlan
        How recordings are cut.
    collection : str
        Which of the store's collections is meant.
    dating : Dating
        How to find out when recordings began.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        plan: WindowPlan,
        collection: str = DEFAULT_COLLECTION,
        dating: Dating = _STANDARD_DATING,
    ) -> None:
        self.store = store
        self.encoder = encoder
        self.plan = plan
        self.collection = collection
        self.dating = dating
        self.spec = index_spec(encoder, plan)

    def index(self, items: Iterable[IndexItem], *, checksum: bool = False) -> Iterator[IndexResult]:
        """Index files; yield one result each, in order, as they are done.

        A file that cannot be used yields a ``failed`` result and the rest goes on. While a batch is
        embedded and stored, the next one is decoded.

        Parameters
        ----------
        items : iterable of IndexItem
        checksum : bool
            Read every file, also where its size and its time of last change are those stored.

        Raises
        ------
        StoreError, ModelError
            The database or the encoder cannot be used; what was yielded is stored.
        """
        ahead: deque[list[_Pending | IndexResult]] = deque()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for batch in self._batches(items, pool, checksum=checksum):
                    ahead.append(batch)
                    if len(ahead) > 1:
                        yield from self._finish(ahead.popleft())
                while ahead:
                    yield from self._finish(ahead.popleft())
            finally:
                pool.shutdown(cancel_futures=True)
        self.store.finish_batch(collection=self.collection)

    def sight(self, items: Iterable[IndexItem]) -> Iterator[SightedFile]:
        """Look at files without opening them, and at what is stored of them: a question a page.

        Raises
        ------
        ModelMismatch
            The collection was made with another encoder or other windows.
        """
        iterator = iter(items)
        while page := list(islice(iterator, PAGE_FILES)):
            sighted = [SightedFile(item, _glance(item)) for item in page]
            names = [uri_of(file.glance.path) for file in sighted if isinstance(file.glance, Glance)]
            known = self.store.known_files(names, self.spec, collection=self.collection)
            for file in sighted:
                yield self._recognised(file, known)

    def _recognised(self, file: SightedFile, known: Mapping[str, Recording]) -> SightedFile:
        if isinstance(file.glance, AudioError):
            return file
        stored = known.get(uri_of(file.glance.path))
        vague = stored is not None and start_source(stored) in (None, "mtime")
        may_gain_start = vague and self.dating.patterns != DEFAULT_PATTERNS
        return replace(file, known=stored, may_gain_start=may_gain_start)

    def _batches(
        self, items: Iterable[IndexItem], pool: ThreadPoolExecutor, *, checksum: bool
    ) -> Iterator[list[_Pending | IndexResult]]:
        """Yield parts, in each batch only so many that had to be opened."""
        batch: list[_Pending | IndexResult] = []
        n_opened = 0
        for file in self.sight(items):
            if file.known is not None and not checksum and file.is_unchanged():
                batch.append(IndexResult(file.known.uri, "unchanged", file.known.recording_id))
            else:
                batch.append(self._begin(file, pool))
                n_opened += 1
            if n_opened == BATCH_RECORDINGS or len(batch) == PAGE_FILES:
                yield batch
                batch, n_opened = [], 0
        if batch:
            yield batch

    def described(self, file: SightedFile) -> Recording:
        """Read a file for its id and its start; its duration is 0 until it is decoded.

        Raises
        ------
        AudioError
            It cannot be read.
        """
        if isinstance(file.glance, AudioError):
            raise file.glance
        path = file.glance.path
        told = replace(described(path, file.item), recording_id=recording_id_of(path))
        return self.dating.dated(told, path)

    def _begin(self, file: SightedFile, pool: ThreadPoolExecutor) -> _Pending | IndexResult:
        """Let a file be decoded, unless its audio is stored already or it fails at once."""
        if isinstance(file.glance, AudioError):
            return failed_result(file.item.uri, file.glance)
        path = file.glance.path
        try:
            recording = replace(self.described(file), stat=file.glance.trusted_stat())
            # Of known audio the stored start stays, unless this one is more trustworthy; then it is
            # stored anew, for which it must be decoded.
            outcome = self.store.link(recording, self.spec, collection=self.collection)
        except AudioError as exc:
            return failed_result(file.item.uri, exc)
        if outcome is not None:
            return IndexResult(recording.uri, outcome, recording.recording_id)
        is_dated_by_end = file.item.recorded_at is None and recording.recorded_at_source == "mtime"
        segments = pool.submit(segment, path, self.plan)
        return _Pending(recording, file.glance, segments, is_dated_by_end)

    def _finish(self, pending: Sequence[_Pending | IndexResult]) -> Iterator[IndexResult]:
        """Embed and store what was decoded; the next batch is being decoded meanwhile."""
        parts = [part.cut() if isinstance(part, _Pending) else part for part in pending]
        cuts = [part for part in parts if isinstance(part, _Cut)]
        if not cuts:
            yield from (part for part in parts if isinstance(part, IndexResult))
            return
        embedded = self._embed([cut.segments for cut in cuts])
        entries = [
            Entry(cut.recording, cut.segments.windows, rows)
            for cut, rows in zip(cuts, embedded, strict=True)
        ]
        outcomes = iter(self.store.add_many(entries, self.spec, collection=self.collection))
        for part in parts:
            yield part.stored(next(outcomes)) if isinstance(part, _Cut) else part

    def search(
        self,
        source: str | Path,
        *,
        top_k: int = 10,
        filters: Filters | None = None,
        exclude_self: bool = False,
        min_score: float = -1.0,
    ) -> Answer:
        """Find the recordings that hold something like a file.

        Parameters
        ----------
        source : str or Path
            The query.
        top_k : int
            At most this many matches.
        filters : Filters, optional
            Which recordings may answer.
        exclude_self : bool
            Leave out the query's own recording, under whatever path it is stored.
        min_score : float
            Leave out matches with a lower cosine similarity.

        Raises
        ------
        SilentQuery
            Every window of the query is silent.
        AudioError, StoreError, ParameterError
            As their names say.
        """
        path = resolve_path(source)
        recording_id = recording_id_of(path)
        segments = segment(path, self.plan)
        (embeddings,) = self._embed([segments])
        loud = audible(segments.windows)
        filters = filters or Filters()
        if exclude_self:
            filters = replace(filters, exclude_recording_id=recording_id)
        found = self.store.search(
            embeddings[loud], self.spec, top_k=top_k, filters=filters, collection=self.collection
        )
        matches = rank(
            found.hits,
            found.recordings,
            [segments.windows[index] for index in loud],
            top_k=top_k,
            min_score=min_score,
        )
        return Answer(uri_of(path), recording_id, segments.windows, matches, segments.warnings)

    def embed(self, source: str | Path) -> tuple[Segments, FloatArray]:
        """Return a file's windows and their embeddings, ``(n_windows, dimension)`` float32."""
        segments = segment(resolve_path(source), self.plan)
        return segments, self._embed([segments])[0]

    def _embed(self, segments: Sequence[Segments]) -> list[FloatArray]:
        recordings = [CutRecording(part.samples, part.windows) for part in segments]
        return embed_windows(recordings, self.encoder, self.plan)


def audible(windows: Sequence[Window]) -> list[int]:
    """Return the indexes of the windows that are not silent.

    Raises
    ------
    SilentQuery
        There are none.
    """
    loud = [window.index for window in windows if not window.is_silent]
    if not loud:
        raise SilentQuery(
            "the query is silent (below -80 dBFS throughout); there is nothing to look for"
        )
    return loud


def _glance(item: IndexItem) -> Glance | AudioError:
    try:
        return glance(item.uri)
    except AudioError as exc:
        return exc


def described(path: Path, item: IndexItem) -> Recording:
    """Return what is known of a file before it is opened: neither its id nor its duration."""
    return Recording(
        recording_id="",
        uri=uri_of(path),
        duration_s=0.0,
        label=folder_label(path) if item.label is None else item.label,
        tags=dict(item.tags),
        recorded_at=item.recorded_at,
        recorded_at_source=item.recorded_at_source,
    )


def embed_audible(
    source: AudioSource, encoder: Encoder, plan: WindowPlan, *, example_hop_s: float = 1.0
) -> tuple[list[Window], FloatArray]:
    """Return the audible windows of a recording and their embeddings.

    Returns
    -------
    windows : list of Window
        Possibly empty.
    embeddings : (n_audible_windows, 128 * k) float32
    """
    segments = segment(source, plan)
    recording = CutRecording(segments.samples, segments.windows)
    (embeddings,) = embed_windows([recording], encoder, plan, example_hop_s=example_hop_s)
    windows = [window for window in segments.windows if window.quality == "ok"]
    return windows, np.take(embeddings, [window.index for window in windows], axis=0)


def embed_source(
    source: AudioSource, encoder: Encoder, plan: WindowPlan, *, example_hop_s: float = 1.0
) -> FloatArray:
    """Return the embeddings of the audible windows of a recording.

    Returns
    -------
    embeddings : (n_audible_windows, 128 * k) float32
        Possibly without rows.
    """
    return embed_audible(source, encoder, plan, example_hop_s=example_hop_s)[1]
