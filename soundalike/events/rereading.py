"""Choose which stretches of recordings are read again, within a budget."""

from __future__ import annotations

from collections.abc import Sequence

from soundalike.events.parts import Found, Stretches

#: Sound on each side of a candidate that is read with it, to know the background.
_CONTEXT_S = 10.0


def choose_stretches(
    recordings: Sequence[tuple[float, Sequence[Found]]], budget_s: float
) -> list[Stretches]:
    """Return the stretches of each recording to read again.

    Recordings are read as a whole if all of them fit into the budget. Otherwise the surroundings of the
    best candidates are read, as many as fit.

    Parameters
    ----------
    recordings : sequence of (duration_s, candidates)
    budget_s : float
        Seconds of sound.

    Examples
    --------
    >>> choose_stretches([(100.0, [Found(50.0, 54.0, 0.0, 4.0, 0.9)])], 100.0)
    [[(0.0, 100.0)]]
    >>> choose_stretches([(100.0, [Found(50.0, 54.0, 0.0, 4.0, 0.9)])], 30.0)
    [[(40.0, 64.0)]]
    """
    if sum(duration_s for duration_s, _ in recordings) <= budget_s:
        return [[(0.0, duration_s)] for duration_s, _ in recordings]
    ranked = sorted(
        (
            (one.score, number, one)
            for number, (_, candidates) in enumerate(recordings)
            for one in candidates
        ),
        key=lambda entry: (-entry[0], entry[1], entry[2].start_s),
    )
    chosen: list[Stretches] = [[] for _ in recordings]
    left_s = budget_s
    for _, number, one in ranked:
        duration_s = recordings[number][0]
        begin_s, end_s = max(0.0, one.start_s - _CONTEXT_S), min(duration_s, one.end_s + _CONTEXT_S)
        before_s = _total(chosen[number])
        together = _with(chosen[number], (begin_s, end_s))
        more_s = _total(together) - before_s
        if more_s <= left_s:
            chosen[number] = together
            left_s -= more_s
    return chosen


def _total(stretches: Stretches) -> float:
    return sum(end_s - begin_s for begin_s, end_s in stretches)


def _with(stretches: Stretches, new: tuple[float, float]) -> Stretches:
    """Return stretches and a new one; stretches that touch become one."""
    found: Stretches = []
    for begin_s, end_s in sorted([*stretches, new]):
        if found and begin_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((begin_s, end_s))
    return found
