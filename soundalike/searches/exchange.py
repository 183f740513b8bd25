"""Named searches in files: one JSON object with the definition, the vectors and the marks.

::

    {"format": "soundalike-search", "version": 1, "name": "dogs",
     "definition": {...}, "vectors": "base64...",
     "marks": [{"recording_id": "...", "uri": "/field/dog.wav", "start_s": 2.0, "end_s": 6.0,
                "verdict": "right", "marked_by": "ann", "marked_at": "2025-05-01T12:00:00+00:00"}]}

`definition` and the vectors are those of `soundalike.searches.definition`. Cleared marks, and which
marks were accepted as annotations, are not written.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from soundalike.errors import ArchiveInvalid, ArchiveTooNew, ParameterError
from soundalike.searches.definition import definition_from
from soundalike.searches.reviewing import mark_to_json
from soundalike.store.base import check_filters, not_indexed
from soundalike.store.named_searches import (
    SearchMark,
    check_definition,
    check_marks,
    checked_search_name,
)
from soundalike.store.protocol import Store

FORMAT = "soundalike-search"
VERSION = 1
#: Longest file: the largest vectors as base64, and as many marks as are stored at once.
MAX_FILE_BYTES = 200_000_000
_VERDICTS = {"right": True, "wrong": False}
#: Lengths of two copies of a recording differ by less, in seconds.
_SAME_LENGTH_S = 0.5


@dataclass(frozen=True, slots=True)
class ImportedSearch:
    """Result of an import.

    Attributes
    ----------
    name : str
    marks : int
        Number of marks.
    moved : int
        Marks of recordings that have the same path but another id in this collection.
    missing : int
        Marks of recordings that are not stored; they count once the recordings are.
    warnings : tuple of str
    """

    name: str
    marks: int
    moved: int
    missing: int
    warnings: tuple[str, ...] = ()


def export_search(store: Store, name: str, *, collection: str) -> dict[str, Any]:
    """Return the JSON object of a named search.

    Raises
    ------
    SearchNotFound
        The collection has none of this name.
    """
    summary, vectors = store.named_search(name, collection=collection)
    marks = store.search_marks(name, collection=collection)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "definition": dict(summary.definition),
        "vectors": base64.b64encode(vectors).decode(),
        "marks": [mark_to_json(mark) for mark in marks],
    }


def read_search(content: bytes, shown: str) -> dict[str, Any]:
    """Return the JSON object in a file.

    Parameters
    ----------
    content : bytes
    shown : str
        Name of the file for errors.

    Raises
    ------
    ArchiveInvalid
        The file is not an exported search.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise ArchiveInvalid(f"{shown} is not an exported search: it is not JSON ({exc})") from exc
    if not isinstance(found, dict):
        raise ArchiveInvalid(f"{shown} is not an exported search: it is not a JSON object")
    return found


def import_search(
    store: Store,
    row: Mapping[str, Any],
    *,
    name: str | None = None,
    replace_existing: bool = False,
    collection: str,
) -> ImportedSearch:
    """Save a search with its marks from a JSON object of `export_search`.

    Marks belong to the content of a recording. One of a recording that is not stored moves to the
    recording with its path, if there is one that is long enough.

    Parameters
    ----------
    store : Store
    row : mapping
    name : str, optional
        By default that of the file.
    replace_existing : bool
        Replace a search of this name; the marks are added to its own.
    collection : str

    Raises
    ------
    ArchiveTooNew
        A later version of Soundalike wrote it.
    ArchiveInvalid
        It has another form.
    SearchExists
        The name is taken.
    IndexEmpty
        The collection does not exist.
    """
    _check_version(row)
    spec = store.collections().get(collection)
    if spec is None:
        raise not_indexed(collection)
    try:
        called = row["name"] if name is None else name
        if not isinstance(called, str):
            raise TypeError("the name is not a text")
        vectors = base64.b64decode(row["vectors"], validate=True)
        definition = definition_from(row["definition"], vectors)
        check_definition(definition.to_json(), vectors)
        check_filters(definition.settings.filters())
        marks = [_mark(one) for one in row["marks"]]
        check_marks(marks)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, binascii.Error) as exc:
        reason = exc.message if isinstance(exc, ParameterError) else f"{type(exc).__name__}: {exc}"
        raise ArchiveInvalid(f"the file is not an exported search, or is damaged ({reason})") from exc
    placed = _placed(store, marks, collection)
    checked_search_name(called)
    store.save_named_search(
        called,
        definition.to_json(),
        vectors,
        replace=replace_existing,
        collection=collection,
    )
    store.put_search_marks(called, placed, collection=collection)
    known = store.known_lengths([mark.recording_id for mark in placed], collection=collection)
    warnings: tuple[str, ...] = ()
    if spec != definition.spec:
        warnings = (
            f"the search was saved with {definition.spec.describe()}, the collection has "
            f"{spec.describe()}; it runs if its query is stored here",
        )
    return ImportedSearch(
        called,
        len(placed),
        sum(new.recording_id != old.recording_id for new, old in zip(placed, marks, strict=True)),
        sum(mark.recording_id not in known for mark in placed),
        warnings,
    )


def _check_version(row: Mapping[str, Any]) -> None:
    if row.get("format") != FORMAT:
        raise ArchiveInvalid(f"the format is {row.get('format')!r}, not {FORMAT!r}; export a search")
    version = row.get("version")
    if type(version) is not int or version < 1:
        raise ArchiveInvalid(f"the format version is {version!r}; export the search again")
    if version > VERSION:
        raise ArchiveTooNew(
            f"the file has format version {version!r}, this program supports {VERSION}; import it with "
            "a later version of Soundalike"
        )


def _mark(row: Mapping[str, Any]) -> SearchMark:
    at = datetime.fromisoformat(row["marked_at"])
    if at.tzinfo is None:
        raise ValueError("marked_at has no time zone")
    if not isinstance(row["uri"], str) or not isinstance(row["marked_by"], str):
        raise TypeError("uri or marked_by is not a text")
    return SearchMark(
        str(row["recording_id"]),
        row["uri"],
        float(row["start_s"]),
        float(row["end_s"]),
        _VERDICTS[row["verdict"]],
        row["marked_by"],
        at,
    )


def _placed(store: Store, marks: Sequence[SearchMark], collection: str) -> list[SearchMark]:
    """Return marks with the ids that their recordings have in a collection."""
    known = store.known_lengths([mark.recording_id for mark in marks], collection=collection)
    uris = list({mark.uri for mark in marks if mark.recording_id not in known})
    files = store.files_named(uris, collection=collection) if uris else {}
    placed = []
    for mark in marks:
        file = files.get(mark.uri) if mark.recording_id not in known else None
        if file is not None and mark.end_s <= file.recording.duration_s + _SAME_LENGTH_S:
            mark = replace(mark, recording_id=file.recording.recording_id)
        placed.append(mark)
    return placed
