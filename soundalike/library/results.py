"""Results of a library: matches, events, recordings, vectors and repeated sounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from soundalike.display.extras import needed
from soundalike.display.player import Player
from soundalike.display.sound import Sound, shown_path
from soundalike.display.table import Results, counted
from soundalike.errors import ParameterError
from soundalike.events.types import Event
from soundalike.indexing.items import IndexResult
from soundalike.library.asking import sound_of_query
from soundalike.scores.words import word_for
from soundalike.search.queries import Query
from soundalike.types import FloatArray, Match, Recording

if TYPE_CHECKING:
    from soundalike.display.pictures import Picture
    from soundalike.repeats.duplicates import Member
    from soundalike.repeats.motifs import Motif

_PICTURES = "soundalike.display.pictures"
_Hit = TypeVar("_Hit", bound=Match | Event)
_RECORDING = ("path", "label", "duration_s", "recorded_at", "recorded_at_source", "tags", "recording_id")


def pictures() -> Any:
    """Return the module that draws; see `soundalike.display.extras.needed`."""
    return needed(_PICTURES, "a picture")


class IndexSummary(Results[IndexResult]):
    """What became of each file.

    Attributes
    ----------
    left_out : dict of str to str
        Other files in the folders, and the reasons why they are left out.
    """

    columns = ("path", "outcome", "duration_s", "n_windows", "error_code", "error", "recording_id")
    shown = ("path", "outcome", "error")

    def __init__(self, items: Iterable[IndexResult], left_out: Mapping[str, str]) -> None:
        super().__init__(items)
        self.left_out = dict(left_out)
        self.warnings = tuple(
            f"{shown_path(one.uri)}: {warning}" for one in self for warning in one.warnings
        )

    @property
    def counts(self) -> dict[str, int]:
        """Number of files for each outcome: ``added``, ``unchanged``, ``failed`` and so on."""
        return dict(Counter(one.outcome for one in self))

    @property
    def failed(self) -> list[IndexResult]:
        """The files that could not be used."""
        return [one for one in self if one.outcome == "failed"]

    @property
    def title(self) -> str:
        """Numbers of files."""
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items())
        return counted(len(self), "file") + (f": {counts}" if counts else "; no sound was found")

    def shown_rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of files that could not be used."""
        return (row for row in self.rows() if row["error"] is not None)

    def rows_of(self, item: IndexResult) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a file."""
        names = ("outcome", "duration_s", "n_windows", "error_code", "error", "recording_id")
        yield {"path": item.uri, **{name: getattr(item, name) for name in names}}


class _Hits(Results[_Hit]):
    """Parts of recordings that are like a query.

    Parameters
    ----------
    items : iterable
    query : Query
    name : str
        Of the query in the answer.
    warnings, missing_shards : sequence of str
        As for `soundalike.display.table.Results`.
    """

    columns: ClassVar[tuple[str, ...]] = (
        *("score", "false_alarm_rate", "path", "label", "start_s", "end_s", "query_start_s"),
        *("query_end_s", "occurred_at", "recorded_at_source", "duration_s", "tags", "recording_id"),
        "collection",
    )
    _kind = "hit"

    def __init__(
        self,
        items: Iterable[_Hit],
        query: Query,
        name: str,
        warnings: Sequence[str] = (),
        missing_shards: Sequence[str] = (),
    ) -> None:
        super().__init__(items, warnings, missing_shards)
        self.query = query
        self.name = name

    @property
    def title(self) -> str:
        """Number of hits, and the query."""
        is_upload = isinstance(self.query.source, bytes)
        name = "" if is_upload or not self.name else f" for {shown_path(self.name)}"
        return counted(len(self), self._kind) + name

    def rows_of(self, item: _Hit) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a hit."""
        recording = item.recording
        of_recording = {name: getattr(recording, name) for name in _RECORDING if name != "path"}
        names = ("score", "false_alarm_rate", "start_s", "end_s", "query_start_s", "query_end_s")
        own = {name: getattr(item, name) for name in (*names, "occurred_at", "collection")}
        yield {"path": recording.uri, **of_recording, **own}

    @property
    def scores(self) -> list[float]:
        """The scores, in order."""
        return [item.score for item in self]

    def sound(self, number: int) -> Sound:
        """Return the part of the recording that a hit names."""
        return _sound(self[number])

    def query_sound(self, number: int) -> Sound:
        """Return the part of the query that a hit resembles.

        Raises
        ------
        ParameterError
            The query is a vector, a text, a label, or has several examples.
        """
        hit = self[number]
        start_s, end_s = hit.query_start_s, hit.query_end_s
        found = None
        if start_s is not None and end_s is not None:
            found = sound_of_query(self.query, self.name, start_s, end_s)
        if found is None:
            raise ParameterError(
                "the result names no part of the query: it is a vector, a text, or several examples; "
                "plot and play show the result alone"
            )
        return found

    def plot(self, number: int = 0, *, margin_s: float = 2.0) -> Picture:
        """Draw a hit: waveform above spectrogram, with the part marked."""
        picture: Picture = pictures().plot_sound(self.sound(number), margin_s=margin_s)
        return picture

    def compare(self, number: int = 0, *, margin_s: float = 2.0) -> Picture:
        """Draw the query beside a hit."""
        both = [self.query_sound(number), self.sound(number)]
        picture: Picture = pictures().plot_sounds(both, margin_s=margin_s)
        return picture

    def play(self, number: int = 0) -> Player:
        """Return a player of a hit, at most 30 seconds."""
        return Player(self.sound(number))

    def histogram(self, threshold: float | None = None) -> Picture:
        """Draw how many hits have which score, with a line at a threshold."""
        picture: Picture = pictures().plot_scores(self.scores, threshold=threshold)
        return picture


class Matches(_Hits[Match]):
    """Recordings that contain something like a query, best first."""

    columns = ("rank", *_Hits.columns[:2], "strength", *_Hits.columns[2:], "n_hits")
    shown = ("score", "strength", "path", "label", "at")
    _kind = "match"

    def rows_of(self, item: Match) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a match."""
        (row,) = super().rows_of(item)
        strength = word_for(item.false_alarm_rate)
        yield {**row, "rank": item.rank, "strength": strength, "n_hits": item.n_hits}


class Events(_Hits[Event]):
    """Occurrences of a sound, with begin and end."""

    shown = ("score", "path", "label", "at", "occurred_at")
    _kind = "event"


class Recordings(Results[Recording]):
    """Stored recordings, by path."""

    columns = _RECORDING
    shown = ("path", "label", "duration_s", "recorded_at")

    @property
    def title(self) -> str:
        """Number of recordings."""
        return counted(len(self), "recording")

    def rows_of(self, item: Recording) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a recording."""
        yield {"path": item.uri, **{name: getattr(item, name) for name in _RECORDING if name != "path"}}

    def plot(self, number: int = 0) -> Picture:
        """Draw the first two minutes of a recording at most."""
        picture: Picture = pictures().plot_sound(self._sound(number, 120.0), margin_s=0.0)
        return picture

    def play(self, number: int = 0) -> Player:
        """Return a player of the first 30 seconds of a recording at most."""
        return Player(self._sound(number, float("inf")))

    def _sound(self, number: int, longest_s: float) -> Sound:
        uri = self[number].uri
        return Sound(uri, shown_path(uri), 0.0, min(longest_s, self[number].duration_s))


@dataclass(frozen=True, slots=True)
class EmbeddedPart:
    """A part of a sound whose vector is a row of `Vectors.values`."""

    path: str
    label: str | None
    start_s: float
    end_s: float


class Vectors(Results[EmbeddedPart]):
    """Parts of sounds, and their vectors.

    Attributes
    ----------
    values : (n, dimension) float32
        A row for each part, of length 1; zeros for parts that searches skip.
    """

    columns = ("path", "label", "start_s", "end_s", "vector")
    shown = ("path", "label", "at")

    def __init__(
        self, items: Iterable[EmbeddedPart], values: FloatArray, warnings: Sequence[str] = ()
    ) -> None:
        super().__init__(items, warnings)
        self.values = values

    @property
    def title(self) -> str:
        """Number of parts and of dimensions."""
        return f"{counted(len(self), 'vector')} of {self.values.shape[1]} numbers"

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield all rows with their vectors."""
        for part, vector in zip(self, self.values, strict=True):
            names = ("path", "label", "start_s", "end_s")
            yield {**{name: getattr(part, name) for name in names}, "vector": vector}

    def __getitem__(self, at: Any) -> Any:
        """Return a part, or some parts with their vectors."""
        part = super().__getitem__(at)
        if isinstance(at, slice):
            part.values = self.values[at]
        return part

    def means(self) -> Vectors:
        """Return one vector for each recording: the mean of its parts, of length 1."""
        places: dict[str, list[int]] = {}
        for number, part in enumerate(self):
            places.setdefault(part.path, []).append(number)
        rows = [self.values[numbers].mean(axis=0) for numbers in places.values()]
        values = np.array(rows, dtype=np.float32).reshape(len(rows), self.values.shape[1])
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        parts = [
            EmbeddedPart(path, self[numbers[0]].label, self[numbers[0]].start_s, self[numbers[-1]].end_s)
            for path, numbers in places.items()
        ]
        return Vectors(parts, values / np.maximum(lengths, 1e-12), self.warnings)


class Duplicates(Results["list[Member]"]):
    """Groups of copies; the first file of each is suggested to be kept."""

    columns = (
        *("group", "suggestion", "score", "evidence", "path", "start_s", "end_s", "offset_s"),
        *("duration_s", "label", "recording_id"),
    )
    shown = ("group", "suggestion", "score", "evidence", "path", "at", "offset_s")

    @property
    def title(self) -> str:
        """Numbers of groups and files."""
        return f"{counted(len(self), 'group')} of copies, {counted(sum(map(len, self)), 'file')}"

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield a row for each file of each group."""
        own = ("suggestion", "score", "evidence", "start_s", "end_s", "offset_s")
        for number, member in ((number, each) for number, group in enumerate(self) for each in group):
            recording = member.recording
            yield {
                "group": number,
                "path": recording.uri,
                **{name: getattr(recording, name) for name in ("duration_s", "label", "recording_id")},
                **{name: getattr(member, name) for name in own},
            }

    def compare(self, number: int = 0, other: int = 1) -> Picture:
        """Draw the first file of a group beside another one, each where the copies agree."""
        first, second = self[number][0], self[number][other]
        start_s, end_s = (at + second.offset_s for at in (second.start_s, second.end_s))
        kept = Sound(first.recording.uri, shown_path(first.recording.uri), max(0.0, start_s), end_s)
        picture: Picture = pictures().plot_sounds([kept, _sound(second)], margin_s=0.0)
        return picture


class Motifs(Results["Motif"]):
    """Sounds that occur again and again, the most frequent and most alike first."""

    columns = ("count", "path", "start_s", "end_s", "labels", "recording_id")
    shown = ("count", "path", "at", "labels")

    @property
    def title(self) -> str:
        """Number of motifs."""
        return counted(len(self), "motif")

    def rows_of(self, item: Motif) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a motif, with its example."""
        labels = ", ".join(f"{label} ({count})" for label, count in item.labels.items())
        yield {
            "count": len(item.events),
            "path": item.example.recording.uri,
            "start_s": item.example.start_s,
            "end_s": item.example.end_s,
            "labels": labels,
            "recording_id": item.example.recording.recording_id,
        }

    def events(self, number: int = 0) -> Events:
        """Return all events of a motif; their query is its example."""
        example = self[number].example
        query = Query(recording_id=example.recording.recording_id)
        return Events(self[number].events, query, example.recording.uri)

    def plot(self, number: int = 0, *, margin_s: float = 2.0) -> Picture:
        """Draw the example of a motif."""
        picture: Picture = pictures().plot_sound(_sound(self[number].example), margin_s=margin_s)
        return picture

    def play(self, number: int = 0) -> Player:
        """Return a player of the example of a motif."""
        return Player(_sound(self[number].example))


def _sound(part: Match | Event | Member) -> Sound:
    uri = part.recording.uri
    return Sound(uri, shown_path(uri), part.start_s, part.end_s)
