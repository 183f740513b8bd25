"""Values that parameters may have: the same for every door and every store."""

from __future__ import annotations

import math
from typing import Literal, get_args

from soundalike.errors import ParameterError
from soundalike.types import BucketWidth

#: What one match stands for: a recording, or all recordings that have the same label.
GroupBy = Literal["recording", "label"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)
BUCKET_WIDTHS: tuple[BucketWidth, ...] = get_args(BucketWidth)
MAX_TOP_K = 1000
#: Maximum length of a page.
MAX_PAGE = 1000
#: Characters of a text that describes a sound.
MAX_TEXT_LENGTH = 1000
#: What an embedding stands for, and how those of seconds become a file's.
Granularity = Literal["window", "second", "file"]
GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)
Pooling = Literal["mean", "sum"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
#: How the vector index keeps vectors; ``auto`` chooses by size and memory.
Layout = Literal["halfvec", "bit", "auto"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def check_top_k(top_k: int) -> None:
    """Raise `ParameterError` unless `top_k` is from 1 to 1000."""
    if not 1 <= top_k <= MAX_TOP_K:
        raise ParameterError(f"top_k is {top_k}; choose a number from 1 to {MAX_TOP_K}")


def check_layout(layout: str | None) -> None:
    """Raise `ParameterError` unless this is a layout of the vector index, or None."""
    if layout is not None and layout not in LAYOUTS:
        raise ParameterError(f"layout is {layout!r}; choose one of {', '.join(LAYOUTS)}")


def check_min_score(min_score: float) -> None:
    """Raise `ParameterError` where the lowest score of a search is not a number."""
    if math.isnan(min_score):
        raise ParameterError(f"min_score is {min_score}; choose a cosine similarity from -1 to 1")


def check_max_false_alarms(rate: float | None) -> None:
    """Raise `ParameterError` unless a limit of the false-alarm rate is a probability, or None."""
    if rate is not None and not 0 < rate <= 1:
        raise ParameterError(
            f"max_false_alarms is {rate}; choose a rate above 0, like 0.01, and up to 1"
        )


def check_group_by(group_by: str) -> None:
    """Raise `ParameterError` unless matches can be grouped like this."""
    if group_by not in GROUPS:
        raise ParameterError(f"group_by is {group_by!r}; choose {' or '.join(GROUPS)}")


def check_count(min_score: float, bucket: str) -> None:
    """Raise `ParameterError` unless the lowest score and the width of buckets make sense."""
    if not -1 <= min_score <= 1:
        raise ParameterError(f"min_score is {min_score}; choose a cosine similarity from -1 to 1")
    if bucket not in BUCKET_WIDTHS:
        raise ParameterError(f"bucket is {bucket!r}; choose one of {', '.join(BUCKET_WIDTHS)}")


def check_text(text: str) -> None:
    """Raise `ParameterError` unless a text can be searched for."""
    if not text.strip():
        raise ParameterError("the text is empty; describe a sound, like: dog barking far away")
    if len(text) > MAX_TEXT_LENGTH:
        raise ParameterError(
            f"the text has {len(text)} characters; describe a sound in {MAX_TEXT_LENGTH} at most"
        )
