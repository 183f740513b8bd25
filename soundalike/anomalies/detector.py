"""Learn models of what is normal from files or a collection, and score files, with a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from soundalike.anomalies.model import NormalModel, distinct, fit
from soundalike.anomalies.packing import pack, unpack
from soundalike.anomalies.requests import DEFAULT_RATE, LearnRequest
from soundalike.anomalies.results import NormalRecording, Score
from soundalike.anomalies.summary import summary_of
from soundalike.audio.sources import path_of, recording_id_of
from soundalike.audio.windows import WindowPlan
from soundalike.errors import (
    ModelMismatch,
    NormalModelNotFound,
    SilentQuery,
    SoundalikeError,
    StoreError,
)
from soundalike.faults import recording_error
from soundalike.filters import Filters
from soundalike.store.base import MAX_PAGE, Content
from soundalike.store.normal_models import NormalStore
from soundalike.store.protocol import Store
from soundalike.types import FloatArray, IndexSpec, Window

if TYPE_CHECKING:
    from soundalike.audio.sandbox import IsolatedDecoding
    from soundalike.encoders.base import Encoder
    from soundalike.encoders.clips import FileEmbedding

#: Attempts to add to a model that other processes change as well.
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Learned:
    """What learning has changed.

    Attributes
    ----------
    outcome : str
        ``created``, ``updated`` or ``unchanged``.
    model : NormalModel
    n_new : int
        Recordings that the model did not have.
    """

    outcome: Literal["created", "updated", "unchanged"]
    model: NormalModel
    n_new: int


@dataclass(frozen=True, slots=True)
class HeardFile:
    """A file with its windows, or its error.

    Attributes
    ----------
    uri : str
        Absolute path.
    recording : NormalRecording or None
        None if the file cannot be used.
    warnings : tuple of str
        Damage that did not stop the decoding, and windows that are left out.
    error : SoundalikeError or None
    """

    uri: str
    recording: NormalRecording | None = None
    warnings: tuple[str, ...] = ()
    error: SoundalikeError | None = None


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A file with its score, or its error."""

    uri: str
    score: Score | None = None
    warnings: tuple[str, ...] = ()
    error: SoundalikeError | None = None


def listen(
    files: Iterable[str | Path],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    request: LearnRequest | None = None,
    decoding: IsolatedDecoding | None = None,
) -> Iterator[HeardFile]:
    """Embed files, and yield their searchable windows in order; a failure is its file's own.

    Parameters
    ----------
    files : iterable of str or Path
    encoder : Encoder
    plan : WindowPlan
    request : LearnRequest, optional
        Says which files belong to one session.
    decoding : IsolatedDecoding, optional
        Decoding processes; by default the shared ones of this program.
    """
    # Where only vectors are scored, nothing decodes.
    from soundalike.encoders.clips import embed_files

    for found in embed_files(files, encoder, plan=plan, decoding=decoding):
        if found.error is not None:
            yield HeardFile(found.uri, error=found.error)
            continue
        try:
            yield _heard(found, request or LearnRequest())
        except Exception as exc:
            yield HeardFile(found.uri, error=recording_error(exc, found.uri))


def _heard(found: FileEmbedding, request: LearnRequest) -> HeardFile:
    assert found.vectors is not None
    rows = _searchable(found.windows, found.vectors)
    if not rows:
        raise SilentQuery(f"{found.uri!r} holds nothing that can be scored: it is silent or overdriven")
    path = path_of(found.uri)
    recording = NormalRecording(
        recording_id_of(path),
        found.uri,
        [(found.windows[row].start_s, found.windows[row].end_s) for row in rows],
        found.vectors[rows],
        request.group_of(path.stem),
        request.accept,
    )
    left_out = len(found.windows) - len(rows)
    note = (f"{left_out} of {len(found.windows)} windows are silent or overdriven, and not scored",)
    return HeardFile(found.uri, recording, (*found.warnings, *(note if left_out else ())))


def _searchable(windows: Sequence[Window], vectors: FloatArray) -> list[int]:
    return [row for row, window in enumerate(windows) if window.quality == "ok" and vectors[row].any()]


def stored_recordings(
    store: Store, collection: str, filters: Filters, request: LearnRequest
) -> Iterator[NormalRecording]:
    """Yield the recordings of a collection that pass filters of label, tags and path."""
    after, seen = "", set()
    while page := store.page_of_files(filters, after=after, limit=MAX_PAGE, collection=collection):
        for file in page:
            recording = file.recording
            if recording.recording_id in seen:
                continue
            seen.add(recording.recording_id)
            content = store.content(recording.recording_id, collection=collection)
            if content is not None and (found := _stored(content, recording.uri, request)):
                yield found
        after = page[-1].recording.uri


def _stored(content: Content, uri: str, request: LearnRequest) -> NormalRecording | None:
    vectors = content.embeddings.astype(np.float32)
    rows = _searchable(content.windows, vectors)
    if not rows:
        return None
    spans = [(content.windows[row].start_s, content.windows[row].end_s) for row in rows]
    group = request.group_of(Path(uri).stem)
    key = content.files[0].recording_id
    return NormalRecording(key, uri, spans, vectors[rows], group, request.accept)


class Detector:
    """Keeps models of what is normal in a store, and scores recordings.

    Parameters
    ----------
    store : NormalStore
    """

    def __init__(self, store: NormalStore) -> None:
        self.store = store

    def model(self, name: str) -> NormalModel:
        """Return a model.

        Raises
        ------
        NormalModelNotFound
            There is none of this name.
        """
        return unpack(self.store.normal_model(name)[1])

    def spec_of(self, name: str) -> IndexSpec | None:
        """Return encoder and windows of a model; None if it does not exist."""
        try:
            return self.model(name).spec
        except NormalModelNotFound:
            return None

    def learn(
        self,
        name: str,
        recordings: Sequence[NormalRecording],
        spec: IndexSpec,
        request: LearnRequest | None = None,
    ) -> Learned:
        """Add recordings to a model, or make it; the same audio is learned once.

        Parameters
        ----------
        name : str
        recordings : sequence of NormalRecording
        spec : IndexSpec
            Encoder and windows of their vectors.
        request : LearnRequest, optional

        Raises
        ------
        ModelMismatch
            The model was learned with another encoder or other windows.
        ParameterError
            There are too few recordings, or the name is not valid.
        StoreError
            Other processes kept changing the model.
        """
        asked = request or LearnRequest()
        for _ in range(_ATTEMPTS):
            known, version = self._known(name)
            learned = _learned(name, None if asked.replace else known, recordings, spec, asked)
            if learned.outcome == "unchanged":
                return learned
            model = learned.model
            if self.store.save_normal_model(name, pack(model), summary_of(model), version=version):
                is_new = known is None
                return replace(learned, outcome="created" if is_new else "updated")
        raise StoreError(f"the model {name!r} is being changed repeatedly; try again later")

    def _known(self, name: str) -> tuple[NormalModel | None, int | None]:
        try:
            summary, content = self.store.normal_model(name)
        except NormalModelNotFound:
            return None, None
        return unpack(content), summary.version

    def score(
        self,
        name: str,
        files: Iterable[str | Path],
        encoder: Encoder,
        *,
        decoding: IsolatedDecoding | None = None,
    ) -> Iterator[ScoredFile]:
        """Score files with a model, in order; a failure is its file's own.

        Raises
        ------
        NormalModelNotFound, ModelMismatch
            There is no such model, or it was learned with another encoder.
        """
        from soundalike.encoders.base import index_spec

        model = self.model(name)
        plan = WindowPlan(model.spec.window_s, model.spec.stride_s)
        check_same(name, model.spec, index_spec(encoder, plan))
        return score_files(model, files, encoder, decoding=decoding)


def score_files(
    model: NormalModel,
    files: Iterable[str | Path],
    encoder: Encoder,
    *,
    decoding: IsolatedDecoding | None = None,
) -> Iterator[ScoredFile]:
    """Score files with a model that was learned with the same encoder; see `Detector.score`."""
    plan = WindowPlan(model.spec.window_s, model.spec.stride_s)
    for found in listen(files, encoder, plan, decoding=decoding):
        if found.recording is None:
            yield ScoredFile(found.uri, error=found.error)
        else:
            yield ScoredFile(found.uri, model.score(found.recording), found.warnings)


def check_same(name: str, stored: IndexSpec, given: IndexSpec) -> None:
    """Raise `ModelMismatch` unless vectors of both can be compared."""
    if stored != given:
        raise ModelMismatch(
            f"the model {name!r} was learned with {stored.describe()}, and this request uses "
            f"{given.describe()}; use --model {stored.encoder} and the windows of the model, or learn "
            "it again with --replace"
        )


def _learned(
    name: str,
    known: NormalModel | None,
    recordings: Sequence[NormalRecording],
    spec: IndexSpec,
    request: LearnRequest,
) -> Learned:
    if known is not None:
        check_same(name, known.spec, spec)
    method = request.method or "auto"
    rate = request.false_alarm_rate or DEFAULT_RATE
    before: Sequence[NormalRecording] = ()
    if known is not None:
        before = known.recordings
        method = request.method or known.asked_method
        rate = request.false_alarm_rate or known.false_alarm_rate
    old = {found.recording_id for found in before}
    new = [found for found in distinct(recordings) if found.recording_id not in old]
    is_same = known is not None and (method, rate) == (known.asked_method, known.false_alarm_rate)
    if known is not None and not new and is_same:
        return Learned("unchanged", known, 0)
    model = fit([*before, *new], spec, method=method, false_alarm_rate=rate)
    return Learned("updated", model, len(new))
