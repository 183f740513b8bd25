"""Queries and filters as a service takes them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from soundalike.audio.sources import recording_id_of, resolve_path, uri_of
from soundalike.client.connection import Connection
from soundalike.client.form import Form
from soundalike.errors import AudioError
from soundalike.filters import Filters
from soundalike.search.queries import Query


def ask(
    connection: Connection, path: str, query: Query, parameters: Mapping[str, Any], *, on_server: bool
) -> dict[str, Any]:
    """Send a query as JSON, or as a form with a file."""
    excerpt, vector = query.excerpt, query.vector
    values = {
        **{"start_s": excerpt.start_s, "end_s": excerpt.end_s, "at_s": excerpt.at_s},
        **{"recording_id": query.recording_id, "text": query.text, "like_label": query.like_label},
        **parameters,
        "vector": None if vector is None else np.asarray(vector, dtype=float).tolist(),
    }
    given = {name: value for name, value in values.items() if value is not None}
    if query.source is None:
        return connection.post(path, given)
    if isinstance(query.source, bytes):
        with tempfile.NamedTemporaryFile(prefix="query-") as upload:
            upload.write(query.source)
            upload.flush()
            return connection.post(path, Form(texts(given), [("file", Path(upload.name))]))
    if on_server:
        return connection.post(path, {**given, "uri": str(query.source)})
    file = resolve_path(query.source)
    try:
        return connection.post(path, Form(texts(given), [("file", file)]))
    except AudioError as exc:
        raise type(exc)(with_path(exc.message, file)) from exc


def name_of(query: Query, found: Mapping[str, Any], *, on_server: bool) -> str:
    """Return the name of a query; the service does not know the path of an uploaded file."""
    if query.source is None or on_server:
        return found["uri"] or query.text or ""
    if isinstance(query.source, bytes):
        return f"upload:{recording_id_of(query.source)}"
    return uri_of(resolve_path(query.source))


def with_path(text: str, path: Path) -> str:
    """Replace the sent name of a file with its path in an error message."""
    return text.replace(repr(path.name), repr(str(path)), 1)


def filter_fields(filters: Filters, *, exclude_self: bool) -> dict[str, Any]:
    """Return the request fields of filters."""
    of_day = filters.time_of_day
    return {
        "labels": list(filters.labels),
        "tags": dict(filters.tags),
        "where": [str(condition) for condition in filters.where],
        "uri_prefix": filters.uri_prefix or None,
        "since": filters.since and filters.since.isoformat(),
        "until": filters.until and filters.until.isoformat(),
        "time_of_day": of_day and "-".join(end.isoformat("seconds") for end in of_day),
        "time_zone": str(filters.time_zone),
        "exclude_self": exclude_self,
    }


def texts(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the form fields of values."""
    return {
        name: [_text(item) for item in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
        if value is not None
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
