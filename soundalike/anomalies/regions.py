"""The seconds that are unusual, from the scores of overlapping windows."""

from __future__ import annotations

from collections.abc import Sequence

from soundalike.anomalies.results import Region


def unusual_regions(windows: Sequence[Region], threshold: float) -> list[Region]:
    """Return the stretches in which every window that covers them scores above a threshold.

    A sound makes all windows unusual that hold it, so that it is where they overlap. Of windows that
    share no such stretch the whole is returned.

    Parameters
    ----------
    windows : sequence of Region
        In order.
    threshold : float

    Examples
    --------
    >>> usual, unusual = 1.0, 3.0
    >>> spans = [(0, 4, usual), (2, 6, unusual), (4, 8, unusual), (6, 10, usual)]
    >>> unusual_regions([Region(*span) for span in spans], 2.0)
    [Region(start_s=4, end_s=6, score=3.0)]
    """
    found: list[Region] = []
    for run in _runs([window for window in windows if window.score > threshold]):
        usual = [
            window
            for window in windows
            if window.score <= threshold
            and window.end_s > run[0].start_s
            and window.start_s < run[-1].end_s
        ]
        found += _left_of(run, usual)
    return found


def _runs(unusual: Sequence[Region]) -> list[list[Region]]:
    """Return windows that overlap or touch together."""
    runs: list[list[Region]] = []
    for window in unusual:
        if runs and window.start_s <= runs[-1][-1].end_s:
            runs[-1].append(window)
        else:
            runs.append([window])
    return runs


def _left_of(run: Sequence[Region], usual: Sequence[Region]) -> list[Region]:
    """Return what no usual window covers of a run of windows; all of it where nothing is left."""
    start_s, end_s = run[0].start_s, run[-1].end_s
    highest = max(window.score for window in run)
    pieces: list[Region] = []
    at_s = start_s
    for window in usual:
        if window.start_s > at_s:
            pieces.append(_piece(run, at_s, window.start_s))
        at_s = max(at_s, window.end_s)
    if at_s < end_s:
        pieces.append(_piece(run, at_s, end_s))
    return pieces or [Region(start_s, end_s, highest)]


def _piece(run: Sequence[Region], start_s: float, end_s: float) -> Region:
    scores = [window.score for window in run if window.start_s < end_s and window.end_s > start_s]
    return Region(start_s, end_s, max(scores))
