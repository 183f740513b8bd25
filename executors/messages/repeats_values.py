"""The translation of documents of copies and repeated sounds to the core's types."""

from typing import Iterator, List, Optional, Sequence

import numpy as np

from executors.messages.events import ListenedDoc, facts_of, file_text, recording_of
from executors.messages.repeats import CandidatesDoc, MotifPartsDoc
from soundalike.repeats.candidates import Candidate
from soundalike.repeats.standing_out import Outlier
from soundalike.types import FileStat, Recording


def candidates_doc(files: Sequence[Recording], found: Sequence[Candidate]) -> CandidatesDoc:
    """Return the document of a recording under its paths."""
    places = [(one.first_s, one.second_s, one.score) for one in found]
    return CandidatesDoc(
        id=files[0].recording_id,
        recording_id=files[0].recording_id,
        duration_s=files[0].duration_s,
        paths=[file.uri for file in files],
        labels=[file.label or "" for file in files],
        files=[file_text(file.stat) for file in files],
        other_ids=[one.second for one in found],
        places=np.array(places, dtype=np.float64).reshape(len(places), 3),
    )


def files_of(doc: CandidatesDoc) -> List[Recording]:
    """Return the recording of a document under each of its paths."""
    return [
        Recording(doc.recording_id, uri, doc.duration_s, label or None, stat=_stat_of(file))
        for uri, label, file in zip(doc.paths, doc.labels, doc.files, strict=True)
    ]


def candidates_of(doc: CandidatesDoc) -> List[Candidate]:
    """Return the candidates of a document."""
    places = [] if doc.places is None else np.asarray(doc.places).reshape(-1, 3).tolist()
    return [
        Candidate(doc.recording_id, other, *place)
        for other, place in zip(doc.other_ids, places, strict=True)
    ]


def motif_parts_doc(recording: Recording, found: Sequence[Outlier]) -> MotifPartsDoc:
    """Return the document of a recording with the parts that stand out."""
    parts = [(one.start_s, one.end_s, one.contrast) for one in found]
    return MotifPartsDoc(
        **facts_of(recording),
        parts=np.array(parts, dtype=np.float64).reshape(len(parts), 3),
        vectors=np.array([one.vector for one in found], dtype=np.float32),
    )


def outliers_of(doc: MotifPartsDoc) -> List[Outlier]:
    """Return the parts of a document."""
    recording = recording_of(doc)
    parts = [] if doc.parts is None else np.asarray(doc.parts).reshape(-1, 3).tolist()
    vectors = np.asarray(doc.vectors, dtype=np.float32)
    return [
        Outlier(recording, start_s, end_s, contrast, vector)
        for (start_s, end_s, contrast), vector in zip(parts, vectors, strict=True)
    ]


def write_heard(found: Sequence[Outlier], result: ListenedDoc) -> None:
    """Write the active parts of a stretch into an answer."""
    result.active = np.array([(one.start_s, one.end_s) for one in found], np.float64).reshape(-1, 2)
    if found:
        shapes = [one.shape for one in found if one.shape is not None]
        result.vectors = np.array([one.vector for one in found], dtype=np.float32)
        result.columns = np.concatenate(shapes).astype(np.float32)
        result.n_columns = [len(shape) for shape in shapes]


def heard_of(recording: Recording, begin_s: float, doc: ListenedDoc) -> Iterator[Outlier]:
    """Yield the active parts of an answer for a stretch that begins at a second of a recording."""
    if doc.active is None or not doc.n_columns:
        return
    ends = np.cumsum(doc.n_columns)
    columns = np.asarray(doc.columns).astype(np.float16)
    vectors = np.asarray(doc.vectors, dtype=np.float32)
    rows = np.asarray(doc.active).reshape(-1, 2).tolist()
    for (start_s, end_s), vector, end, size in zip(rows, vectors, ends, doc.n_columns, strict=True):
        shape = columns[end - size : end]
        yield Outlier(recording, begin_s + start_s, begin_s + end_s, 0.0, vector, shape)


def _stat_of(text: str) -> Optional[FileStat]:
    """Return the size and time of a text that `file_text` made."""
    size, _, time_ns = text.partition(":")
    return FileStat(int(size), int(time_ns)) if time_ns else None
