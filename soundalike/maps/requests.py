"""The request for a map: defaults, limits and descriptions, the same for every door.

Little is imported, so that the command line can describe its options without NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.parameters import about, field_of

#: The code and style of the map, of the service's page and of the map as a file.
WEB = Path(__file__).parent / "web"
#: What a point stands for.
KINDS = ("recordings", "windows")
#: Methods of layout that compute something.
METHODS = ("umap", "tsne", "pca")
#: The largest map that a browser draws fluently.
MAX_POINTS = 200_000
MAX_NEIGHBOURS = 200
#: Fields of a map as JSON, in order.
MAP_FIELDS = (
    *("collection", "encoder", "points", "method", "seed", "count", "total", "placed", "made_at"),
    *("notes", "threshold", "clusters", "columns", "tags"),
)
_MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class MapRequest:
    """A request for the map of a collection.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))
    points: str = field(
        default="recordings",
        metadata=about(
            "what a point stands for: recordings, each by the mean of its windows, or windows"
        ),
    )
    method: str = field(
        default="auto",
        metadata=about(
            "layout: umap, tsne or pca; auto takes umap where umap-learn is installed or a layout is "
            "kept, else pca"
        ),
    )
    neighbours: int = field(
        default=15,
        metadata=about(
            "neighbours that umap and tsne keep close: more show the whole, fewer the details",
            ge=2,
            le=MAX_NEIGHBOURS,
        ),
    )
    seed: int = field(
        default=0,
        metadata=about(
            "seed of the layout; the same recordings and seed give the same map", ge=0, le=_MAX_SEED
        ),
    )
    max_points: int = field(
        default=50_000,
        metadata=about("at most this many points; of more, a sample is shown", ge=1, le=MAX_POINTS),
    )
    min_cluster: int | None = field(
        default=None,
        metadata=about(
            "least points of a cluster; default: half the square root of their number, at least 5",
            ge=2,
            le=MAX_POINTS,
        ),
    )
    refit: bool = field(
        default=False,
        metadata=about("lay out everything again, instead of placing new points in the kept layout"),
    )
    normal: str | None = field(
        default=None,
        metadata=about("score each point with this model of what is normal, to colour by the score"),
    )

    def __post_init__(self) -> None:
        if self.points not in KINDS:
            raise ParameterError(f"points is {self.points!r}; choose {' or '.join(KINDS)}")
        if self.method not in ("auto", *METHODS):
            raise ParameterError(f"method is {self.method!r}; choose auto, {', '.join(METHODS)}")
        for name in ("neighbours", "seed", "max_points", "min_cluster"):
            value = getattr(self, name)
            limits = field_of(type(self), name).metadata["limits"]
            if value is not None and not limits["ge"] <= value <= limits["le"]:
                raise ParameterError(
                    f"{name} is {value}; choose a number from {limits['ge']} to {limits['le']}"
                )

    def layout_key(self, method: str) -> str:
        """Return the name that a layout is kept under; requests with the same name share it."""
        return f"{self.points}-{method}-{self.neighbours}-{self.seed}"
