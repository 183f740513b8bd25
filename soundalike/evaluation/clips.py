"""Clips with their labels and folds, and which of them ask and which of them answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soundalike.audio.sources import folder_label
from soundalike.errors import ParameterError


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip and what is known of it.

    Attributes
    ----------
    path : Path
    label : str
    fold : str or None
        Clips of the query's own fold are never among its answers; None: only the query itself.
    is_query : bool
        Whether the other clips are ranked for it.
    is_candidate : bool
        Whether it may be an answer.
    """

    path: Path
    label: str
    fold: str | None = None
    is_query: bool = True
    is_candidate: bool = True


def labelled_clips(files: Sequence[Path], fold_pattern: str | None = None) -> list[LabelledClip]:
    """Label each file by its folder, and find its fold.

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
    """Return the clips with the folds that their file names tell.

    Parameters
    ----------
    clips : sequence of LabelledClip
    fold_pattern : str or None
        Regular expression that is searched for in the file name; its first group, or the whole of
        what it matches, names the fold. None leaves the clips as they are.

    Raises
    ------
    ParameterError
        The pattern is no regular expression, or finds no fold in some file name.
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
    """Part the clips into queries and those that may answer them.

    Parameters
    ----------
    clips : sequence of LabelledClip
    query_pattern : str or None
        Regular expression that is searched for in the file name. Where it matches, the clip is a
        query and no candidate; all others are candidates and no queries. A group of the name
        ``label`` gives the query's label, for collections whose queries lie in a folder of their
        own. None leaves the clips as they are.

    Raises
    ------
    ParameterError
        The pattern is no regular expression, or leaves no query or no candidate.
    """
    if query_pattern is None:
        return list(clips)
    pattern = _compiled(query_pattern, "query pattern")
    parted = []
    for clip in clips:
        match = pattern.search(clip.path.name)
        label = match.groupdict().get("label", clip.label) if match else clip.label
        if not label:
            raise ParameterError(f"query pattern {query_pattern!r} gives {clip.path.name!r} no label")
        parted.append(replace(clip, label=label, is_query=match is not None, is_candidate=match is None))
    n_queries = sum(clip.is_query for clip in parted)
    if n_queries in (0, len(parted)):
        share = "none" if n_queries == 0 else "all"
        raise ParameterError(
            f"query pattern {query_pattern!r} matches {share} of {len(parted)} file names; "
            "it must match the queries and leave the clips that are to be found"
        )
    return parted


def _compiled(pattern: str, what: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as exc:
        raise ParameterError(f"{what} {pattern!r}: {exc}") from exc
