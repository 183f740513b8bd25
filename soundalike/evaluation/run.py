"""Evaluate labelled clips by exact best-window search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.audio.sources import resolve_path
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import Encoder
from soundalike.encoders.clips import embed_searchable
from soundalike.errors import ParameterError
from soundalike.evaluation.clips import LabelledClip
from soundalike.evaluation.metrics import (
    N_RECALL_LEVELS,
    BoolArray,
    average_precision,
    interpolated_precision,
    precision_at_k,
    reciprocal_rank,
)
from soundalike.evaluation.reliability import LabelledRows, reliability
from soundalike.evaluation.results import METRICS, Answer, Evaluation, Failure, QueryResult, Setting
from soundalike.evaluation.scores import NO_SCORE, Candidates, best_pair
from soundalike.faults import recording_error
from soundalike.runtime.parallel import map_ahead
from soundalike.types import FloatArray, Window

_MEASURES: dict[str, Callable[[BoolArray], float]] = {
    "p_at_1": lambda relevant: precision_at_k(relevant, 1),
    "p_at_5": lambda relevant: precision_at_k(relevant, 5),
    "map": average_precision,
    "mrr": reciprocal_rank,
}


@dataclass(frozen=True, slots=True)
class _Embedded:
    """A readable clip with its searchable windows and their vectors."""

    clip: LabelledClip
    windows: list[Window]
    rows: FloatArray


@dataclass(frozen=True, slots=True)
class _Ranked:
    query: QueryResult
    relevant: BoolArray
    chance: float


def evaluate(
    clips: Sequence[LabelledClip],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    example_hop_s: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Rank the candidates for every query by exact best-window scores.

    Parameters
    ----------
    clips : sequence of LabelledClip
        Sorted by path, as in a search: equal scores are ranked in this order.
    encoder : Encoder
    plan : WindowPlan
    example_hop_s : float, optional
        As for `soundalike.encoders.embedding.embed_windows`.
    on_progress : callable, optional
        Called with the number of finished clips and of all clips.

    Raises
    ------
    ParameterError
        Fewer than two clips can be read, or no query has a relevant candidate.
    """

    def embed(clip: LabelledClip) -> _Embedded | Failure:
        try:
            return _embedded(clip, encoder, plan, example_hop_s)
        except Exception as exc:
            error = recording_error(exc, str(clip.path))
            return Failure(str(clip.path), error.code, error.message)

    embedded, failed = [], []
    for number, found in enumerate(map_ahead(embed, clips), start=1):
        if isinstance(found, Failure):
            failed.append(found)
        else:
            embedded.append(found)
        if on_progress is not None:
            on_progress(number, len(clips))
    if len(embedded) < 2:
        raise ParameterError(f"{len(embedded)} of {len(clips)} clips can be read; at least 2 are needed")
    return _evaluated(
        embedded,
        failed,
        Setting(
            encoder.name,
            encoder.fingerprint,
            # Only VGGish has a precision; the other encoder uses float32.
            getattr(encoder, "precision", "float32"),
            plan.window_s,
            plan.stride_s,
            example_hop_s or encoder.parts[0].network.layout.hop_s,
        ),
    )


def _embedded(
    clip: LabelledClip, encoder: Encoder, plan: WindowPlan, example_hop_s: float | None
) -> _Embedded:
    windows, rows = embed_searchable(resolve_path(clip.path), encoder, plan, example_hop_s=example_hop_s)
    # As in a search, zero vectors, whose cosine is undefined, are ignored.
    keep = rows.any(axis=1)
    return _Embedded(clip, [windows[index] for index in np.flatnonzero(keep)], rows[keep])


def _evaluated(embedded: Sequence[_Embedded], failed: list[Failure], setting: Setting) -> Evaluation:
    candidates = [each for each in embedded if each.clip.is_candidate]
    queries, values, curves = [], [], np.zeros(N_RECALL_LEVELS)
    chance = 0.0
    for ranked in _rankings(embedded):
        queries.append(ranked.query)
        values.append([_MEASURES[name](ranked.relevant) for name in METRICS])
        curves += interpolated_precision(ranked.relevant)
        chance += ranked.chance
    if not queries:
        raise ParameterError(
            "no query has a candidate with its label; put the clips of each class into a separate "
            "folder, or check the fold pattern, the query pattern or the metadata"
        )
    return Evaluation(
        setting=setting,
        n_clips=len(embedded),
        n_candidates=len(candidates),
        n_windows=sum(len(each.windows) for each in candidates),
        n_labels=len({each.clip.label for each in embedded}),
        queries=queries,
        values=np.ascontiguousarray(np.array(values).T),
        chance=chance / len(queries),
        recall_curve=curves / len(queries),
        failed=failed,
        reliability=reliability([_labelled_rows(each) for each in embedded]),
    )


def _labelled_rows(each: _Embedded) -> LabelledRows:
    clip = each.clip
    return LabelledRows(
        str(clip.path), clip.label, clip.fold, clip.is_query, clip.is_candidate, each.rows
    )


def _rankings(embedded: Sequence[_Embedded]) -> Iterator[_Ranked]:
    """Rank the candidates for each query with a relevant candidate."""
    labels = _codes([each.clip.label for each in embedded])
    folds = _codes([each.clip.fold for each in embedded])
    may_answer = [each.clip.is_candidate for each in embedded]
    candidates = np.flatnonzero(np.array(may_answer, dtype=np.bool_))

    def others(query: int) -> npt.NDArray[np.intp]:
        """Return the positions of the candidates to rank for a query."""
        if embedded[query].clip.fold is None:
            return np.flatnonzero(candidates != query)
        return np.flatnonzero(folds[candidates] != folds[query])

    asked = [
        number
        for number, each in enumerate(embedded)
        if each.clip.is_query and (labels[candidates[others(number)]] == labels[number]).any()
    ]
    field = Candidates([embedded[number].rows for number in candidates.tolist()])
    all_scores = field.scores(embedded[number].rows for number in asked)
    for number, scores in zip(asked, all_scores, strict=True):
        allowed = others(number)
        order = allowed[np.argsort(-scores[allowed], kind="stable")]
        same_label = labels[candidates[order]] == labels[number]
        # Silent clips count as misses.
        relevant = same_label & (scores[order] > NO_SCORE)
        best = embedded[int(candidates[order[0]])]
        answer = _answer(embedded[number], best, float(scores[order[0]]))
        yield _Ranked(QueryResult(embedded[number].clip, answer), relevant, float(same_label.mean()))


def _codes(names: Sequence[str | None]) -> npt.NDArray[np.intp]:
    """Return integer codes of names."""
    known: dict[str | None, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.intp)


def _answer(query: _Embedded, best: _Embedded, score: float) -> Answer | None:
    if score <= NO_SCORE:
        return None
    own, found = best_pair(query.rows, best.rows)
    return Answer(best.clip, score, query.windows[own], best.windows[found])
