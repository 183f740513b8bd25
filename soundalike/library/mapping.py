"""The map of a collection, as a result of a library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from soundalike.audio.sandbox import shared
from soundalike.display.player import Player
from soundalike.display.sound import Sound, shown_path
from soundalike.display.table import Results, counted
from soundalike.errors import ParameterError
from soundalike.library.results import pictures
from soundalike.maps.page import render
from soundalike.maps.pictures import draw_sheet

if TYPE_CHECKING:
    from soundalike.display.pictures import Picture
    from soundalike.maps.sound_map import SoundMap

Colour = Literal["label", "cluster"]
#: Points up to which a page has spectrograms, about 1 kB each.
_MAX_PICTURES = 1_000


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A recording or a window, and its place.

    Attributes
    ----------
    path, recording_id, label
        Of the recording.
    start_s, end_s : float
        The part of the recording.
    x, y : float
        From -1 to 1.
    cluster : str or None
        Name of the cluster; None for a point in none.
    score : float or None
        Anomaly score, if a model was named.
    """

    path: str
    recording_id: str
    label: str | None
    start_s: float
    end_s: float
    x: float
    y: float
    cluster: str | None
    score: float | None


class MapPoints(Results[MapPoint]):
    """The points of a map: similar ones lie close together.

    Parameters
    ----------
    data : mapping
        Of `soundalike.maps.sound_map.SoundMap.to_json`.
    sound_map : SoundMap, optional
        The map itself, if it was made in this process.
    """

    columns = tuple(field.name for field in fields(MapPoint))
    shown = ("path", "label", "cluster", "at")

    def __init__(self, data: Mapping[str, Any], sound_map: SoundMap | None = None) -> None:
        super().__init__(_points(data), data["notes"])
        self.data = data
        self.sound_map = sound_map

    @property
    def title(self) -> str:
        """Number of points, and the layout."""
        clusters = {point.cluster for point in self} - {None}
        kind = self.data["points"].removesuffix("s")
        return (
            f"{counted(len(self), kind)} by {self.data['method']}, {counted(len(clusters), 'cluster')}"
        )

    def rows_of(self, item: MapPoint) -> Iterator[Mapping[str, Any]]:
        """Yield the row of a point."""
        yield asdict(item)

    def plot(self, colour: Colour = "label") -> Picture:
        """Draw all points.

        Parameters
        ----------
        colour : {"label", "cluster"}
            What decides the colour of a point.
        """
        if colour not in get_args(Colour):
            raise ParameterError(f"colour is {colour!r}; choose {' or '.join(get_args(Colour))}")
        groups = [getattr(point, colour) or "none" for point in self]
        picture: Picture = pictures().plot_points([(point.x, point.y) for point in self], groups)
        return picture

    def play(self, number: int = 0) -> Player:
        """Return a player of a point, at most 30 seconds."""
        point = self[number]
        return Player(Sound(point.path, shown_path(point.path), point.start_s, point.end_s))

    def save(self, path: str | Path) -> Path:
        """Write the whole map as one HTML file that needs no internet; return its path.

        Raises
        ------
        ParameterError
            The file cannot be written.
        """
        target = Path(path)
        found = self.sound_map
        sheet = draw_sheet(found, shared()) if found and len(found) <= _MAX_PICTURES else None
        try:
            title = f"Map of {self.data['collection']}"
            target.write_text(render(self.data, title, sheet), encoding="utf-8")
        except OSError as exc:
            raise ParameterError(f"{str(path)!r} cannot be written: {exc.strerror}") from exc
        return target


def _points(data: Mapping[str, Any]) -> Iterator[MapPoint]:
    columns = data["columns"]
    names = {found["cluster"]: found["name"] for found in data["clusters"]}
    scores = columns.get("score") or [None] * len(columns["uri"])
    names_of_columns = ("uri", "recording_id", "label", "start_s", "end_s", "x", "y", "cluster")
    for row in zip(*(columns[name] for name in names_of_columns), scores, strict=True):
        uri, recording_id, label, start_s, end_s, x, y, cluster, score = row
        name = names.get(cluster)
        yield MapPoint(uri, recording_id, label, start_s, end_s, x, y, name, score)
