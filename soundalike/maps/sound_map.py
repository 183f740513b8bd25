"""The map of a collection: places, clusters and metadata of its points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.maps.clusters import NOISE
from soundalike.maps.layout import Clusters
from soundalike.types import FloatArray, Recording

#: Tags to colour by: the most frequent ones, with at most this many different values.
_MOST_TAGS, _MOST_VALUES, _LONGEST_VALUE = 12, 200, 100
_DECIMALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundMap:
    """The map of a collection.

    Attributes
    ----------
    collection, encoder : str
    points : str
        ``recordings`` or ``windows``.
    method : str
        ``umap``, ``tsne`` or ``pca``.
    seed : int
    total : int
        Points of the collection; the map may show a sample of them.
    n_placed : int
        Points that were added after the layout was made.
    made_at : str
        When the layout was made, ISO 8601.
    notes : tuple of str
        What a reader must know: a sample, another method than asked for.
    recordings : sequence of Recording
        Of each point.
    spans_s : (n, 2) float64
        Begin and end of each point in its recording.
    xy : (n, 2) float32
        Places; the layout spans -1 to 1.
    clusters : (n,) int32
        Cluster of each point; -1: none.
    cluster_names : sequence of str
        By cluster.
    scores : (n,) float64 or None
        Anomaly scores.
    threshold : float or None
        Recordings with a higher score are anomalous.
    """

    collection: str
    encoder: str
    points: str
    method: str
    seed: int
    total: int
    n_placed: int
    made_at: str
    notes: tuple[str, ...]
    recordings: Sequence[Recording]
    spans_s: npt.NDArray[np.float64]
    xy: FloatArray
    clusters: Clusters
    cluster_names: Sequence[str]
    scores: npt.NDArray[np.float64] | None
    threshold: float | None

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.recordings)

    def name_of(self, cluster: int) -> str | None:
        """Return the name of a cluster; None for points that belong to none."""
        return None if cluster == NOISE else self.cluster_names[cluster]

    def to_json(self, zone: tzinfo = UTC) -> dict[str, Any]:
        """Return the map as JSON-compatible values: the same for every door.

        Parameters
        ----------
        zone : tzinfo
            Of the times.
        """
        return {**self.summary(), "columns": self.columns(zone), "tags": self.tags()}

    def summary(self) -> dict[str, Any]:
        """Return what concerns all points, JSON-compatible."""
        sizes = np.bincount(self.clusters[self.clusters >= 0], minlength=len(self.cluster_names))
        return {
            "collection": self.collection,
            "encoder": self.encoder,
            "points": self.points,
            "method": self.method,
            "seed": self.seed,
            "count": len(self),
            "total": self.total,
            "placed": self.n_placed,
            "made_at": self.made_at,
            "notes": list(self.notes),
            "threshold": self.threshold,
            "clusters": [
                {"cluster": number, "name": name, "size": int(size)}
                for number, (name, size) in enumerate(zip(self.cluster_names, sizes, strict=True))
                if size
            ],
        }

    def columns(self, zone: tzinfo = UTC) -> dict[str, list[Any]]:
        """Return a list of values for each field of the points, JSON-compatible.

        Parameters
        ----------
        zone : tzinfo
            Of the times.
        """
        xy = self.xy.astype(float).round(_DECIMALS)
        spans = self.spans_s.round(3)
        owners = self.recordings
        starts = spans[:, 0].tolist()
        columns: dict[str, list[Any]] = {
            "uri": [owner.uri for owner in owners],
            "recording_id": [owner.recording_id for owner in owners],
            "x": xy[:, 0].tolist(),
            "y": xy[:, 1].tolist(),
            "cluster": self.clusters.tolist(),
            "label": [owner.label for owner in owners],
            "duration_s": [round(owner.duration_s, 3) for owner in owners],
            "start_s": starts,
            "end_s": spans[:, 1].tolist(),
            "occurred_at": [_time(*each, zone) for each in zip(owners, starts, strict=True)],
        }
        if self.scores is not None:
            columns["score"] = [round(score, _DECIMALS) for score in self.scores.tolist()]
        return columns

    def tags(self) -> dict[str, list[str | None]]:
        """Return the values of tags with few different ones, for each point."""
        counts: Counter[str] = Counter()
        values: dict[str, set[str]] = {}
        for owner in self.recordings:
            for key, value in owner.tags.items():
                if isinstance(value, (str, int, float, bool)):
                    counts[key] += 1
                    values.setdefault(key, set()).add(_short(value))
        chosen = [key for key, _ in counts.most_common() if len(values[key]) <= _MOST_VALUES]
        return {
            key: [
                _short(value)
                if isinstance(value := owner.tags.get(key), (str, int, float, bool))
                else None
                for owner in self.recordings
            ]
            for key in chosen[:_MOST_TAGS]
        }


def rows_of(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a JSON object for each point of `SoundMap.to_json`; windows have begin and end."""
    columns = data["columns"]
    names = ["uri", "recording_id", "x", "y", "cluster", "label"]
    names += ["start_s", "end_s"] if data["points"] == "windows" else []
    names += ["score"] if "score" in columns else []
    clusters = {found["cluster"]: found["name"] for found in data["clusters"]}
    for values in zip(*(columns[name] for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        yield {**row, "cluster_name": clusters.get(row["cluster"])}


def _short(value: object) -> str:
    return str(value)[:_LONGEST_VALUE]


def _time(recording: Recording, start_s: float, zone: tzinfo) -> str | None:
    if recording.recorded_at is None:
        return None
    at: datetime = recording.recorded_at + timedelta(seconds=start_s)
    return at.astimezone(zone).isoformat(timespec="seconds")
