"""The document of a map."""

import json
from typing import Any, Dict, List, Optional

from docarray import BaseDoc
from pydantic import Field

from soundalike.maps.requests import MAP_FIELDS

#: Fields with a value for each point or cluster. As JSON they pass the Flow many times faster.
_LONG = ("clusters", "columns", "tags")


class MapDoc(BaseDoc):
    """A map of a collection."""

    collection: str = ""
    encoder: str = ""
    points: str = Field(default="", description="recordings or windows")
    method: str = Field(default="", description="umap, tsne or pca")
    seed: int = 0
    count: int = Field(default=0, description="number of points")
    total: int = Field(default=0, description="points of the collection, of which these may be a sample")
    placed: int = Field(default=0, description="points that were added after the layout was made")
    made_at: str = Field(default="", description="when the layout was made, ISO-8601")
    notes: List[str] = []
    threshold: Optional[float] = Field(
        default=None, description="anomaly scores above it are anomalous, where a model was given"
    )
    content: str = Field(
        default="{}",
        description="JSON with `clusters` (number, name, size), `columns` (a list for each field of the "
        "points) and `tags` (a list for each key)",
    )


def map_doc(data: Dict[str, Any]) -> MapDoc:
    """Return the document of `SoundMap.to_json`."""
    content = json.dumps({name: data[name] for name in _LONG}, separators=(",", ":"))
    short = {name: data[name] for name in MAP_FIELDS if name not in _LONG}
    return MapDoc(id=data["collection"], **short, content=content)


def map_data(doc: MapDoc) -> Dict[str, Any]:
    """Return what `map_doc` was given."""
    content = json.loads(doc.content)
    found = {name: getattr(doc, name) for name in MAP_FIELDS if name not in _LONG}
    return {**found, "notes": list(doc.notes), **{name: content[name] for name in _LONG}}
