"""Find similar sounds: give it a clip, and it answers which recordings contain something like it.

The rooms, in the order of one sound: `audio` decodes a file to mono samples at 16 kHz and cuts them
into windows, `encoders` turn windows into vectors, `store` keeps those in PostgreSQL and finds their
neighbours, `search` merges neighbours into recordings, and `indexing` keeps a collection in step with
folders.
``ARCHITECTURE.md`` shows all rooms. The package knows nothing of Jina; the folder ``executors``
translates.

Examples
--------
>>> from soundalike import Pipeline, Settings, WindowPlan, load_encoder, open_store
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
    from soundalike.indexing.items import IndexItem
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.search.queries import Query
    from soundalike.search.timeline import timeline
    from soundalike.store.postgres import open_store
    from soundalike.types import Filters

#: Public names and the modules that define them; these are imported when a name is first used.
_PUBLIC = {
    "Excerpt": "audio.excerpt",
    "Filters": "types",
    "IndexItem": "indexing.items",
    "Pipeline": "indexing.pipeline",
    "Query": "search.queries",
    "Settings": "config",
    "SoundalikeError": "errors",
    "WindowPlan": "audio.windows",
    "embed_audio": "encoders.clips",
    "embed_files": "encoders.clips",
    "load_encoder": "encoders.choice",
    "open_store": "store.postgres",
    "timeline": "search.timeline",
}

__all__ = [
    "Excerpt",
    "Filters",
    "IndexItem",
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
