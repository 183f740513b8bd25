"""Compare false-alarm rates with the share of unrelated clips that really score as high."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soundalike.evaluation.scores import NO_SCORE, Candidates
from soundalike.scores.fitting import SampledRecording, fit
from soundalike.store.blocks import SAMPLE_RECORDINGS, choose_blocks
from soundalike.types import FloatArray

#: Rates that are compared.
EXPECTED = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
#: Groups of clips without folds; each is left out once.
_GROUPS = 5


class LabelledRows(NamedTuple):
    """A clip: its name, label, fold, role, and the vectors of its searchable windows, of length 1."""

    name: str
    label: str
    fold: str | None
    is_query: bool
    is_candidate: bool
    rows: FloatArray


@dataclass(frozen=True, slots=True)
class Reliability:
    """Shares of pairs of unrelated held-out clips, by their false-alarm rate.

    Attributes
    ----------
    n_pairs : int
        Number of pairs of a query and a candidate with another label.
    observed : tuple of float or None
        For each rate in `EXPECTED`, the share of these pairs with this false-alarm rate or a lower one;
        None for rates that are finer than the clips allow.
    """

    n_pairs: int
    observed: tuple[float | None, ...]


def reliability(clips: Sequence[LabelledRows]) -> Reliability | None:
    """Return how reliable false-alarm rates are for queries that the model has not seen.

    For each fold, the scores of unrelated recordings are fitted on the candidates of the other folds.
    The queries of the fold are compared with those candidates that have another label.

    Parameters
    ----------
    clips : sequence of LabelledRows
        Without folds, five random groups take their place.

    Returns
    -------
    found : Reliability or None
        None if there are fewer than 20 candidates, or no unrelated pairs.
    """
    usable = [clip for clip in clips if len(clip.rows)]
    folds = [clip.fold if clip.fold is not None else _group(clip.name) for clip in usable]
    placed = list(zip(usable, folds, strict=True))
    rates = []
    for fold in dict.fromkeys(folds):
        queries = [clip for clip, its_fold in placed if clip.is_query and its_fold == fold]
        # Clips that never ask need no group.
        others = [clip for clip, its in placed if its != fold or not (clip.is_query or clip.fold)]
        rates.append(_rates(queries, [clip for clip in others if clip.is_candidate]))
    found = np.concatenate([np.zeros(0), *(of_fold for of_fold, _ in rates)])
    if not len(found):
        return None
    finest = max(limit for _, limit in rates)
    shares = (float((found <= rate).mean()) if rate >= finest else None for rate in EXPECTED)
    return Reliability(len(found), tuple(shares))


def _rates(
    queries: Sequence[LabelledRows], candidates: Sequence[LabelledRows]
) -> tuple[npt.NDArray[np.float64], float]:
    """Return the false-alarm rates of all unrelated pairs of a query and a candidate, and the finest."""
    model = fit(_sample(candidates), len(candidates)) if queries and candidates else None
    if model is None:
        return np.zeros(0), 0.0
    sizes = np.array([len(clip.rows) for clip in candidates])
    labels = np.array([clip.label for clip in candidates], dtype=object)
    found = []
    all_scores = Candidates([clip.rows for clip in candidates]).scores(clip.rows for clip in queries)
    for query, scores in zip(queries, all_scores, strict=True):
        unrelated = (labels != query.label) & (scores > NO_SCORE)
        found.append(model.rates(scores[unrelated].tolist(), len(query.rows), sizes[unrelated].tolist()))
    return np.concatenate(found), model.finest_rate


def _sample(clips: Sequence[LabelledRows]) -> list[SampledRecording]:
    """Return the sample that a store would take."""
    by_id = {str(_id(clip.name)): clip for clip in clips}
    chosen = sorted(by_id)[:SAMPLE_RECORDINGS]
    counts = [(key, len(by_id[key].rows)) for key in chosen]
    return [
        SampledRecording(frozenset([by_id[key].label]), by_id[key].rows[first : first + length])
        for key, first, length in choose_blocks(counts, clips[0].rows.shape[1])
    ]


def _group(name: str) -> str:
    return str(_id(name).int % _GROUPS)


def _id(name: str) -> uuid.UUID:
    return uuid.UUID(bytes=sha256(os.fsencode(name)).digest()[:16])
