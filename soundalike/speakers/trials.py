"""Trials of speaker recognition: scores of voices against enrolled speakers, and the errors in them.

Sources: G. Doddington et al., "The NIST speaker recognition evaluation", Speech Communication 31, 2000
(trials, error rates); A. Martin et al., "The DET curve in assessment of detection task performance",
Eurospeech 1997.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundalike.encoders.vectors import normalised
from soundalike.types import FloatArray

FloatRows = npt.NDArray[np.float64]

SEED = 1997
#: Random choices of the utterances that are enrolled.
N_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Trials:
    """Scores of utterances against speakers who were enrolled from other utterances.

    Attributes
    ----------
    scores : (n_trials, n_speakers) float64
        Of each utterance against each speaker.
    speakers : (n_trials,) int
        Whose utterance it is, as a column of `scores`.
    """

    scores: FloatRows
    speakers: npt.NDArray[np.int64]

    @property
    def genuine(self) -> FloatRows:
        """Scores of utterances against their own speakers."""
        found: FloatRows = self.scores[np.arange(len(self.speakers)), self.speakers]
        return found

    @property
    def impostor(self) -> FloatRows:
        """Scores of utterances against all other speakers."""
        found: FloatRows = self.scores[~self._is_own()]
        return found

    def is_identified(self) -> npt.NDArray[np.bool_]:
        """Tell for each utterance whether its own speaker has the highest score."""
        found: npt.NDArray[np.bool_] = self.scores.argmax(axis=1) == self.speakers
        return found

    def best_other(self) -> FloatRows:
        """Return for each utterance the highest score of any other speaker: as of a stranger's."""
        found: FloatRows = np.where(self._is_own(), -np.inf, self.scores).max(axis=1)
        return found

    def pairs(self) -> Iterator[tuple[int, int, FloatRows]]:
        """Yield the scores of each speaker's utterances against each other speaker."""
        n_speakers = self.scores.shape[1]
        for own in range(n_speakers):
            rows = self.scores[self.speakers == own]
            for other in range(n_speakers):
                if other != own:
                    yield own, other, rows[:, other]

    def among(self, chosen: Sequence[int]) -> Trials:
        """Return the trials of some speakers, as if there were no others."""
        columns = np.asarray(chosen)
        is_chosen = np.isin(self.speakers, columns)
        place = np.full(self.scores.shape[1], -1)
        place[columns] = np.arange(len(columns))
        return Trials(self.scores[is_chosen][:, columns], place[self.speakers[is_chosen]])

    def _is_own(self) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = np.arange(self.scores.shape[1]) == self.speakers[:, np.newaxis]
        return found


def make_trials(
    voices: Mapping[str, FloatArray], n_enrolled: int, n_rounds: int = N_ROUNDS, seed: int = SEED
) -> Trials:
    """Enrol each speaker from some utterances, and score all others; repeat with other choices.

    Parameters
    ----------
    voices : mapping of str to (n_utterances, dimension) float32
        Vectors of length 1 of each speaker's utterances; more than `n_enrolled` each.
    n_enrolled : int
    n_rounds : int
    seed : int
    """
    rng = np.random.default_rng(seed)
    scores, speakers = [], []
    for _ in range(n_rounds):
        enrolled, rest = [], []
        for own, rows in enumerate(voices.values()):
            order = rng.permutation(len(rows))
            enrolled.append(normalised(rows[order[:n_enrolled]].mean(axis=0)))
            rest.append(rows[order[n_enrolled:]])
            speakers += [own] * (len(rows) - n_enrolled)
        scores.append(np.concatenate(rest).astype(np.float64) @ np.stack(enrolled).T)
    return Trials(np.concatenate(scores), np.array(speakers, dtype=np.int64))


def equal_error_rate(genuine: FloatRows, impostor: FloatRows) -> tuple[float, float]:
    """Return the rate at which false accepts and false rejects are equally frequent, and its threshold.

    Between two thresholds the mean of the two rates is taken where they are nearest.

    Examples
    --------
    >>> rate, _ = equal_error_rate(np.array([0.9, 0.8, 0.4]), np.array([0.5, 0.3, 0.2]))
    >>> round(rate, 3)
    0.333
    """
    thresholds, accepts, rejects = error_rates(genuine, impostor)
    nearest = int(np.abs(accepts - rejects).argmin())
    return float((accepts[nearest] + rejects[nearest]) / 2), float(thresholds[nearest])


def error_rates(genuine: FloatRows, impostor: FloatRows) -> tuple[FloatRows, FloatRows, FloatRows]:
    """Return thresholds, increasing, with the false accept rate and the false reject rate of each.

    A score is accepted if it is at least the threshold.
    """
    thresholds = np.unique(np.concatenate([genuine, impostor]))
    accepts = 1 - np.searchsorted(np.sort(impostor), thresholds, side="left") / len(impostor)
    rejects = np.searchsorted(np.sort(genuine), thresholds, side="left") / len(genuine)
    return thresholds, accepts, rejects
