"""Models of what sounds normal, and scores, for a library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from soundalike.anomalies.detector import HeardFile, Learned, ScoredFile
from soundalike.anomalies.model import NormalModel
from soundalike.anomalies.results import NormalRecording
from soundalike.anomalies.summary import summary_of, warnings_of
from soundalike.display.player import Player
from soundalike.display.sound import Sound, shown_path
from soundalike.display.table import Results, counted
from soundalike.errors import ParameterError
from soundalike.library.results import pictures

if TYPE_CHECKING:
    from soundalike.display.pictures import Picture


class NormalSounds(Results[NormalRecording]):
    """The recordings of a model, with the score of each by a model without it.

    Attributes
    ----------
    name : str
        Of the model.
    outcome : str
        ``created``, ``updated`` or ``unchanged``.
    n_new : int
        Recordings that the model did not have.
    model : NormalModel
    failed : tuple of HeardFile
        The files that could not be used, with their errors.
    """

    columns = ("score", "path", "session", "accepted", "recording_id")
    shown = ("score", "path", "session")

    def __init__(self, name: str, learned: Learned, failed: Sequence[HeardFile]) -> None:
        super().__init__(learned.model.recordings)
        self.name = name
        self.outcome: Literal["created", "updated", "unchanged"] = learned.outcome
        self.n_new = learned.n_new
        self.model: NormalModel = learned.model
        self.failed = tuple(failed)
        errors = [f"{shown_path(one.uri)}: {one.error.message}" for one in failed if one.error]
        self.warnings = (*errors, *warnings_of(summary_of(learned.model)))
        held_out = learned.model.held_out.scores.tolist()
        self._scores = {one.recording_id: score for one, score in zip(self, held_out, strict=True)}

    @property
    def threshold(self) -> float:
        """Recordings that score higher are anomalous."""
        return self.model.calibration.threshold

    @property
    def false_alarm_rate(self) -> float:
        """Expected share of normal recordings above the threshold."""
        return self.model.calibration.rate

    @property
    def scores(self) -> list[float]:
        """Score of each recording by a model without it."""
        return [self._scores[one.recording_id] for one in self]

    @property
    def title(self) -> str:
        """Name, size and threshold."""
        return (
            f"model {self.name}: {self.outcome}, {counted(len(self.model.recordings), 'recording')}, "
            f"threshold {self.threshold:.3f}, {self.false_alarm_rate:.1%} false alarms"
        )

    def rows_of(self, item: NormalRecording) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a recording."""
        yield {
            "score": self._scores[item.recording_id],
            "path": item.uri,
            "session": item.group,
            "accepted": item.is_accepted,
            "recording_id": item.recording_id,
        }

    def histogram(self) -> Picture:
        """Draw the scores of the normal recordings, with the threshold."""
        picture: Picture = pictures().plot_scores(
            self.scores, threshold=self.threshold, label="score without itself"
        )
        return picture


class NormalScores(Results[ScoredFile]):
    """Scores of files by a model; a file that cannot be used has an error instead.

    Attributes
    ----------
    name : str
        Of the model.
    threshold : float
    """

    columns = (
        *("verdict", "score", "threshold", "p_value", "path", "start_s", "end_s", "nearest"),
        *("nearest_start_s", "nearest_end_s", "error_code", "error"),
    )
    shown = ("verdict", "score", "path", "at", "nearest", "error")

    def __init__(self, items: Iterable[ScoredFile], name: str, threshold: float) -> None:
        super().__init__(items)
        self.name = name
        self.threshold = threshold
        self.warnings = tuple(
            f"{shown_path(one.uri)}: {warning}" for one in self for warning in one.warnings
        )

    @property
    def anomalous(self) -> NormalScores:
        """The anomalous ones."""
        found = [one for one in self if one.score is not None and one.score.is_anomalous]
        return NormalScores(found, self.name, self.threshold)

    @property
    def title(self) -> str:
        """Numbers of files, and the threshold."""
        return (
            f"{counted(len(self), 'file')}, {len(self.anomalous)} anomalous by the model {self.name} "
            f"(threshold {self.threshold:.3f})"
        )

    def rows_of(self, item: ScoredFile) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a file; ``start_s`` and ``end_s`` are those of its most unusual window."""
        row: dict[str, Any] = dict.fromkeys(self.columns)
        row |= {"path": item.uri, "verdict": "failed", "threshold": self.threshold}
        if item.error is not None:
            row |= {"error_code": item.error.code, "error": item.error.message}
        if (found := item.score) is not None:
            row |= {
                "verdict": "anomalous" if found.is_anomalous else "normal",
                "score": found.score,
                "p_value": found.p_value,
                "start_s": found.worst.start_s,
                "end_s": found.worst.end_s,
                "nearest": found.nearest.uri,
                "nearest_start_s": found.nearest.start_s,
                "nearest_end_s": found.nearest.end_s,
            }
        yield row

    def plot(self, number: int = 0) -> Picture:
        """Draw a file: waveform, spectrogram with unusual stretches marked, and score of each window.

        Raises
        ------
        ParameterError
            The file has no score.
        """
        sound, scored = self._sound(number)
        found = scored.score
        assert found is not None
        whole = Sound(sound.source, sound.name, 0.0, found.windows[-1].end_s)
        picture: Picture = pictures().plot_unusual(whole, found.windows, found.regions, found.threshold)
        return picture

    def compare(self, number: int = 0, *, margin_s: float = 0.0) -> Picture:
        """Draw the nearest normal sound beside the most unusual window of a file."""
        sound, scored = self._sound(number)
        assert scored.score is not None
        near = scored.score.nearest
        normal = Sound(near.uri, f"normal: {shown_path(near.uri)}", near.start_s, near.end_s)
        picture: Picture = pictures().plot_sounds([normal, sound], margin_s=margin_s)
        return picture

    def play(self, number: int = 0) -> Player:
        """Return a player of the most unusual window of a file."""
        return Player(self._sound(number)[0])

    def histogram(self, groups: Sequence[str] | None = None) -> Picture:
        """Draw how many files have which score, with the threshold.

        Parameters
        ----------
        groups : sequence of str, optional
            A word for each file, like ``OK`` and ``KO``: each has a colour.

        Raises
        ------
        ParameterError
            There are more or fewer words than files.
        """
        if groups is not None and len(groups) != len(self):
            raise ParameterError(f"there are {len(groups)} groups for {len(self)} files; give one each")
        rows = [number for number, one in enumerate(self) if one.score is not None]
        scores = [one.score.score for one in self if one.score is not None]
        picture: Picture = pictures().plot_scores(
            scores,
            groups=None if groups is None else [groups[row] for row in rows],
            threshold=self.threshold,
        )
        return picture

    def _sound(self, number: int) -> tuple[Sound, ScoredFile]:
        scored = self[number]
        if scored.score is None:
            error = scored.error
            raise ParameterError(
                f"{shown_path(scored.uri)} has no score: {error.message if error else 'it failed'}"
            )
        worst = scored.score.worst
        return Sound(scored.uri, shown_path(scored.uri), worst.start_s, worst.end_s), scored
