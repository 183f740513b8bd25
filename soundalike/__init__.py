"""Find recordings that contain sounds like a query.

The packages, in processing order: `audio` decodes a file to mono samples at 16 kHz and splits them into
windows, `encoders` turn windows into vectors, `store` saves the vectors in PostgreSQL and finds nearest
neighbours, `search` groups neighbours into recordings, and `indexing` keeps a collection up to date with
folders. This package does not depend on Jina; the folder ``executors`` is the adapter.

Examples
--------
>>> from soundalike import Library
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soundalike.audio.excerpt import Excerpt
    from soundalike.audio.windows import WindowPlan
    from soundalike.config import Settings
    from soundalike.encoders.choice import load_encoder
    from soundalike.encoders.clips import embed_audio, embed_files
    from soundalike.errors import SoundalikeError
    from soundalike.filters import Filters
    from soundalike.indexing.items import IndexItem
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.library.library import Library
    from soundalike.search.queries import Query
    from soundalike.search.timeline import timeline
    from soundalike.store.stores import open_store

#: Public names and their modules, which are imported when a name is first used.
_PUBLIC = {
    "Excerpt": "audio.excerpt",
    "Filters": "filters",
    "IndexItem": "indexing.items",
    "Library": "library.library",
    "Pipeline": "indexing.pipeline",
    "Query": "search.queries",
    "Settings": "config",
    "SoundalikeError": "errors",
    "WindowPlan": "audio.windows",
    "embed_audio": "encoders.clips",
    "embed_files": "encoders.clips",
    "load_encoder": "encoders.choice",
    "open_store": "store.stores",
    "timeline": "search.timeline",
}

__all__ = [
    "Excerpt",
    "Filters",
    "IndexItem",
    "Library",
    "Pipeline",
    "Query",
    "Settings",
    "SoundalikeError",
    "WindowPlan",
    "embed_audio",
    "embed_files",
    "load_encoder",
    "open_store",
    "timeline",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
