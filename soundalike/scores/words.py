"""Words for false-alarm rates, the same for every encoder."""

from __future__ import annotations

#: Largest rates and their words, best first.
BANDS = ((0.001, "strong"), (0.01, "likely"), (0.1, "weak"))
CHANCE = "chance"
UNKNOWN = "unknown"


def word_for(rate: float | None) -> str:
    """Return the word for a false-alarm rate; None is an unknown rate.

    Examples
    --------
    >>> [word_for(rate) for rate in (0.0005, 0.01, 0.05, 0.5, None)]
    ['strong', 'likely', 'weak', 'chance', 'unknown']
    """
    if rate is None:
        return UNKNOWN
    return next((word for largest, word in BANDS if rate <= largest), CHANCE)
