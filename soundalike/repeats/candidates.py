"""Find which recordings may be copies of each other, through the index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from soundalike.errors import RecordingNotFound
from soundalike.filters import Filters
from soundalike.ranges import MAX_PAGE
from soundalike.repeats.requests import DuplicatesRequest
from soundalike.types import IndexSpec, Recording

# The gateway and the encoder have no driver of the database.
if TYPE_CHECKING:
    from soundalike.store.base import SearchableWindows
    from soundalike.store.protocol import Store

#: Windows of a recording that are looked up.
_PROBES = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two recordings with a pair of windows that are alike.

    Attributes
    ----------
    first, second : str
        Ids of the recordings.
    first_s, second_s : float
        Begins of the windows.
    score : float
        Cosine of the windows.
    """

    first: str
    second: str
    first_s: float
    second_s: float
    score: float


def spec_of(store: Store, collection: str) -> IndexSpec:
    """Return the spec of a collection.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    """
    from soundalike.store.base import check_collection_name, not_indexed

    check_collection_name(collection)
    spec = store.collections().get(collection)
    if spec is None:
        raise not_indexed(collection)
    return spec


def nothing_under(collection: str, under: str) -> RecordingNotFound:
    """Return the error of a path below which nothing is stored."""
    return RecordingNotFound(f"nothing in {collection!r} is stored under {under!r}; check the path")


def files_by_recording(store: Store, filters: Filters, collection: str) -> dict[str, list[Recording]]:
    """Return the paths of all recordings that pass a filter of paths, by id."""
    found: dict[str, list[Recording]] = {}
    after = ""
    while page := store.page_of_files(filters, after=after, limit=MAX_PAGE, collection=collection):
        for file in page:
            found.setdefault(file.recording.recording_id, []).append(file.recording)
        after = page[-1].recording.uri
    return found


def candidates(
    store: Store,
    spec: IndexSpec,
    request: DuplicatesRequest,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Iterator[list[Candidate]]:
    """Yield, for each recording, the most alike recordings, the best first.

    Parameters
    ----------
    store : Store
    spec : IndexSpec
        That of the collection.
    request : DuplicatesRequest
    on_progress : callable, optional
        Called with the number of recordings that were looked up, and None.
    """
    filters = Filters(uri_prefix=request.under)
    recordings = store.searchable_windows(filters, collection=request.collection)
    for done, windows in enumerate(recordings, start=1):
        found = most_alike(store, spec, windows, request)
        on_progress(done, None)
        yield found


def most_alike(
    store: Store, spec: IndexSpec, windows: SearchableWindows, request: DuplicatesRequest
) -> list[Candidate]:
    """Return the recordings that are most like one, the best first; parameters as in `candidates`."""
    probes = distinctive(windows)
    own = windows.recording.recording_id
    answer = store.search(
        windows.embeddings[probes].astype(np.float32),
        spec,
        top_k=request.candidates,
        filters=Filters(uri_prefix=request.under, exclude_recording_id=own),
        collection=request.collection,
    )
    best: dict[str, Candidate] = {}
    for hit in sorted(answer.hits, key=lambda hit: -hit.score):
        if hit.recording_id in answer.recordings and hit.recording_id not in best:
            begin_s = float(windows.starts_s[probes[hit.query_window]])
            best[hit.recording_id] = Candidate(own, hit.recording_id, begin_s, hit.start_s, hit.score)
    return list(best.values())


def distinctive(windows: SearchableWindows) -> npt.NDArray[np.int64]:
    """Return rows of a recording's windows: of each stretch, the one that differs most from the mean."""
    vectors = windows.embeddings.astype(np.float32)
    distances = ((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1)
    parts = np.array_split(np.arange(len(vectors)), min(_PROBES, len(vectors)))
    return np.array([part[distances[part].argmax()] for part in parts])
