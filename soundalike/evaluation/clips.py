"""Labelled clips with folds, divided into queries and candidates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soundalike.audio.sources import folder_label
from soundalike.errors import ParameterError


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip with its label and role.

    Attributes
    ----------
    path : Path
    label : str
    fold : str or None
        Clips of the query's fold are not ranked; None: only the query itself is excluded.
    is_query : bool
        Whether the candidates are ranked for this clip.
    is_candidate : bool
        Whether this clip is ranked for queries.
    """

    path: Path
    label: str
    fold: str | None = None
    is_query: bool = True
    is_candidate: bool = True


def labelled_clips(files: Sequence[Path], fold_pattern: str | None = None) -> list[LabelledClip]:
    """Label each file by its folder, and set its fold.

    Parameters
    ----------
    files : sequence of Path
    fold_pattern : str or None
        As for `with_folds`.

    Raises
    ------
    ParameterError
        As for `with_folds`.
    """
    clips = [LabelledClip(path, folder_label(path) or "") for path in files]
    return with_folds(clips, fold_pattern)


def with_folds(clips: Sequence[LabelledClip], fold_pattern: str | None) -> list[LabelledClip]:
    """Set the folds of clips by their file names.

    Parameters
    ----------
    clips : sequence of LabelledClip
    fold_pattern : str or None
        Regular expression to search for in file names; the fold is its first group, or the whole match.
        None: the clips are unchanged.

    Raises
    ------
    ParameterError
        The pattern is not a regular expression, or does not match a file name.
    """
    if fold_pattern is None:
        return list(clips)
    pattern = _compiled(fold_pattern, "fold pattern")
    found = []
    for clip in clips:
        match = pattern.search(clip.path.name)
        fold = None if match is None else match.group(1 if pattern.groups else 0)
        if fold is None:
            raise ParameterError(f"fold pattern {fold_pattern!r} does not match {clip.path.name!r}")
        found.append(replace(clip, fold=fold))
    return found


def with_queries(clips: Sequence[LabelledClip], query_pattern: str | None) -> list[LabelledClip]:
    """Divide clips into queries and candidates.

    Parameters
    ----------
    clips : sequence of LabelledClip
    query_pattern : str or None
        Regular expression to search for in file names. Matching clips are queries, all others are
        candidates. A group named ``label`` is the label of the query, for queries in a separate folder.
        None: the clips are unchanged.

    Raises
    ------
    ParameterError
        The pattern is not a regular expression, or there are no queries or no candidates.
    """
    if query_pattern is None:
        return list(clips)
    pattern = _compiled(query_pattern, "query pattern")
    divided = []
    for clip in clips:
        match = pattern.search(clip.path.name)
        label = match.groupdict().get("label", clip.label) if match else clip.label
        if not label:
            raise ParameterError(f"query pattern {query_pattern!r} gives {clip.path.name!r} no label")
        divided.append(
            replace(clip, label=label, is_query=match is not None, is_candidate=match is None)
        )
    n_queries = sum(clip.is_query for clip in divided)
    if n_queries in (0, len(divided)):
        share = "none" if n_queries == 0 else "all"
        raise ParameterError(
            f"query pattern {query_pattern!r} matches {share} of {len(divided)} file names; "
            "it must match the queries, but not the candidates"
        )
    return divided


def _compiled(pattern: str, what: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as exc:
        raise ParameterError(f"{what} {pattern!r}: {exc}") from exc
