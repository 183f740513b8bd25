"""The annotations of a running service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from soundalike.annotations.types import Annotation, BadRow, StoredAnnotation
from soundalike.client.connection import Connection
from soundalike.client.form import Form
from soundalike.errors import RecordingNotFound
from soundalike.indexing.annotations import ImportedFile
from soundalike.store.base import MAX_PAGE, as_id

_ROOT = "/api/annotations"


class RemoteAnnotations:
    """Imports, lists and removes annotations of a service; label files are sent.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        path: Path,
        *,
        format: str | None = None,  # noqa: A002 - as users call it
        recording: str | None = None,
        label: str | None = None,
        label_column: str | None = None,
        collection: str,
    ) -> ImportedFile:
        """Send a label file; see `soundalike.indexing.annotations.import_annotations`."""
        given = {
            **{"collection": collection, "format": format, "recording_id": recording},
            **{"label": label, "label_column": label_column},
        }
        fields = {name: [value] for name, value in given.items() if value is not None}
        found = self._connection.post(_ROOT, Form(fields, [("labels", path)]))
        with self._connection.expected_form():
            bad = [BadRow(row["line"], row["error"]) for row in found["bad_rows"]]
            return ImportedFile(path, found["added"], found["unchanged"], bad)

    def annotations(self, **chosen: str) -> Iterator[StoredAnnotation]:
        """Yield annotations by recording id and time; see `soundalike.store.Store.annotations`."""
        offset = 0
        while True:
            page = {"limit": str(MAX_PAGE), "offset": str(offset)}
            found = self._connection.get(_ROOT, **chosen, **page)
            with self._connection.expected_form():
                rows = [_stored(row) for row in found["annotations"]]
            yield from rows
            if len(rows) < MAX_PAGE:
                return
            offset += len(rows)

    def annotation_labels(self, *, collection: str) -> list[tuple[str, int]]:
        """Return labels of annotations with their number, most frequent first."""
        found = self._connection.get(f"{_ROOT}/labels", collection=collection)
        with self._connection.expected_form():
            return [(row["label"], row["annotations"]) for row in found["labels"]]

    def remove_annotations(self, **chosen: str) -> int:
        """Delete annotations; return their number."""
        found = self._connection.delete(_ROOT, **chosen)
        with self._connection.expected_form():
            return int(found["removed"])

    def recording_id(self, key: str, collection: str) -> str:
        """Return the id of a recording by its path on the server or its id.

        Raises
        ------
        RecordingNotFound
            It is not stored.
        """
        if found := as_id(key):
            return found
        page = self._connection.get("/api/recordings", collection=collection, uri_prefix=key, limit="1")
        with self._connection.expected_form():
            for row in page["recordings"]:
                if row["uri"] == key:
                    return str(row["recording_id"])
        raise RecordingNotFound(f"{key!r} is not in the collection {collection!r}; check the name")


def _stored(row: dict[str, Any]) -> StoredAnnotation:
    names = ("start_s", "end_s", "label", "low_hz", "high_hz")
    made = row["created_at"]
    return StoredAnnotation(
        0,
        row["recording_id"],
        row["uri"],
        Annotation(**{name: row[name] for name in names}),
        row["source"],
        made and datetime.fromisoformat(made),
        row["duration_s"],
    )
