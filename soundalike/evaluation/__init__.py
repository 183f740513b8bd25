"""Evaluate search on labelled clips: metrics with confidence intervals, and a report."""

from soundalike.evaluation.clips import LabelledClip, labelled_clips, with_folds, with_queries
from soundalike.evaluation.metadata import read_metadata, with_metadata
from soundalike.evaluation.results import Evaluation
from soundalike.evaluation.run import evaluate
from soundalike.evaluation.scores import best_window_scores

__all__ = [
    "Evaluation",
    "LabelledClip",
    "best_window_scores",
    "evaluate",
    "labelled_clips",
    "read_metadata",
    "with_folds",
    "with_metadata",
    "with_queries",
]
