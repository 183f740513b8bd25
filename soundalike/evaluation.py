"""How well does search work on a folder of labelled clips? Every clip queries all others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundalike.embedding import Encoder
from soundalike.errors import AudioError, ParameterError
from soundalike.metrics import average_precision, precision_at_k, reciprocal_rank
from soundalike.parallel import map_ahead
from soundalike.pipeline import embed_source
from soundalike.types import FloatArray
from soundalike.windows import WindowPlan

#: Below every cosine similarity: clips without an audible window.
_NO_SCORE = -2.0


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip and the name of the folder that holds it.

    Attributes
    ----------
    path : Path
    label : str
    fold : str or None
        Clips of the query's own fold are never among its answers; None: only the query itself.
    """

    path: Path
    label: str
    fold: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Means over the queries.

    Attributes
    ----------
    encoder : str
        Name of the encoder.
    n_clips : int
        Clips that could be read.
    n_queries : int
        Clips with at least one relevant clip to find.
    n_labels : int
        Distinct labels.
    p_at_1, p_at_5, map, mrr : float
        Precision at 1 and 5, mean average precision, mean reciprocal rank; 0 to 1.
    failed : list of (path, code, message)
        Clips that could not be read.
    """

    encoder: str
    n_clips: int
    n_queries: int
    n_labels: int
    p_at_1: float
    p_at_5: float
    map: float
    mrr: float
    failed: list[tuple[str, str, str]]


def labelled_clips(files: Sequence[Path], fold_pattern: str | None) -> list[LabelledClip]:
    """Label each file by its folder, and find its fold.

    Parameters
    ----------
    files : sequence of Path
    fold_pattern : str or None
        Regular expression that is searched for in the file name; its first group, or the whole of
        what it matches, names the fold.

    Raises
    ------
    ParameterError
        The pattern is no regular expression, or does not match some file name.
    """
    if fold_pattern is None:
        return [LabelledClip(path, path.parent.name) for path in files]
    try:
        pattern = re.compile(fold_pattern)
    except re.error as exc:
        raise ParameterError(f"fold pattern {fold_pattern!r}: {exc}") from exc
    clips = []
    for path in files:
        found = pattern.search(path.name)
        if found is None:
            raise ParameterError(f"fold pattern {fold_pattern!r} does not match {path.name!r}")
        fold = found.group(1) if pattern.groups else found.group(0)
        clips.append(LabelledClip(path, path.parent.name, fold))
    return clips


def evaluate(
    clips: Sequence[LabelledClip],
    encoder: Encoder,
    plan: WindowPlan,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Let every clip query all others, exactly, by best-window score.

    Parameters
    ----------
    clips : sequence of LabelledClip
    encoder : Encoder
    plan : WindowPlan
    on_progress : callable, optional
        Called with clips done and all clips.

    Raises
    ------
    ParameterError
        Fewer than two clips can be read, or none has a relevant clip to find.
    """

    def embed(clip: LabelledClip) -> FloatArray | AudioError:
        try:
            return embed_source(clip.path, encoder, plan)
        except AudioError as exc:
            return exc

    embedded, usable, failed = [], [], []
    for number, (clip, found) in enumerate(zip(clips, map_ahead(embed, clips), strict=True), 1):
        if isinstance(found, AudioError):
            failed.append((str(clip.path), found.code, found.message))
        else:
            embedded.append(found)
            usable.append(clip)
        if on_progress is not None:
            on_progress(number, len(clips))
    if len(usable) < 2:
        raise ParameterError(f"{len(usable)} of {len(clips)} clips can be read; at least 2 are needed")
    rankings = [ranking for ranking in _rankings(usable, best_window_scores(embedded)) if ranking.any()]
    if not rankings:
        raise ParameterError(
            "no clip has another one of its label to find; put the clips of a class into a folder "
            "of its own, or check the fold pattern"
        )
    return Evaluation(
        encoder=encoder.name,
        n_clips=len(usable),
        n_queries=len(rankings),
        n_labels=len({clip.label for clip in usable}),
        p_at_1=_mean([precision_at_k(ranking, 1) for ranking in rankings]),
        p_at_5=_mean([precision_at_k(ranking, 5) for ranking in rankings]),
        map=_mean([average_precision(ranking) for ranking in rankings]),
        mrr=_mean([reciprocal_rank(ranking) for ranking in rankings]),
        failed=failed,
    )


def best_window_scores(embedded: Sequence[FloatArray]) -> npt.NDArray[np.float32]:
    """Return the highest cosine similarity of any window pair, for every pair of clips.

    Parameters
    ----------
    embedded : sequence of (n_windows, dimension) float32
        Rows of length 1; clips without rows score below everything.

    Returns
    -------
    scores : (n_clips, n_clips) float32
    """
    n_clips = len(embedded)
    scores = np.full((n_clips, n_clips), _NO_SCORE, dtype=np.float32)
    filled = [index for index, rows in enumerate(embedded) if len(rows)]
    if not filled:
        return scores
    stacked = np.concatenate([embedded[index] for index in filled])
    first_rows = np.cumsum([0, *(len(embedded[index]) for index in filled[:-1])])
    for index in filled:
        similarity = embedded[index] @ stacked.T
        scores[index, filled] = np.maximum.reduceat(similarity.max(axis=0), first_rows)
    return scores


def _rankings(
    clips: Sequence[LabelledClip], scores: npt.NDArray[np.float32]
) -> list[npt.NDArray[np.bool_]]:
    labels = np.array([clip.label for clip in clips])
    folds = np.array([clip.fold if clip.fold is not None else "" for clip in clips])
    rankings = []
    for query, clip in enumerate(clips):
        others = np.arange(len(clips)) != query
        if clip.fold is not None:
            others &= folds != clip.fold
        candidates = np.flatnonzero(others)
        order = candidates[np.argsort(-scores[query, candidates], kind="stable")]
        relevant = labels[order] == clip.label
        if relevant.any():
            # A silent clip finds nothing and is not found; it counts as a miss.
            rankings.append(relevant & (scores[query, order] > _NO_SCORE))
    return rankings


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
