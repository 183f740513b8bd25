"""Named searches and the marks of what they have found: values, and the interface of stores."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from soundalike.annotations.types import Annotation, StoredAnnotation
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError, SearchExists, SearchNotFound
from soundalike.store.base import check_annotations, checked_id, is_storable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: Largest vectors of a search: hours of sound, or 200 examples of 64 windows with 1 000 numbers each.
MAX_VECTOR_BYTES = 64_000_000
#: Largest number of marks that are stored in one call.
MAX_NEW_MARKS = 100_000
MAX_PERSON = 200


@dataclass(frozen=True, slots=True)
class SearchSummary:
    """A named search without its vectors.

    Attributes
    ----------
    name : str
    version : int
        Grows each time the search is saved again.
    definition : mapping
        What is looked for, JSON-compatible; see `soundalike.searches.definition`.
    created_at, updated_at : datetime
        With time zone.
    """

    name: str
    version: int
    definition: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SearchMark:
    """A decision on a place: right or wrong.

    Attributes
    ----------
    recording_id : str
    uri : str
        Path of the recording when the place was marked.
    start_s, end_s : float
        Bounds in seconds from the start of the recording.
    is_right : bool or None
        None only on the way into a store: the mark of this place is cleared.
    marked_by : str
        Name of a person or a program; empty if unknown.
    marked_at : datetime or None
        With time zone; None on the way into a store: now.
    """

    recording_id: str
    uri: str
    start_s: float
    end_s: float
    is_right: bool | None
    marked_by: str = ""
    marked_at: datetime | None = None

    @property
    def place(self) -> tuple[str, float, float]:
        """Recording and span; the latest mark of equal places counts."""
        return self.recording_id, self.start_s, self.end_s


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back.

    Attributes
    ----------
    action : str
        ``mark``, ``clear`` or ``accept``.
    mark : SearchMark or None
        The mark, or the cleared place; None for an acceptance.
    label : str or None
        Label of the accepted annotations.
    annotations : int
        Number of annotations that were removed.
    """

    action: Literal["mark", "clear", "accept"]
    mark: SearchMark | None = None
    label: str | None = None
    annotations: int = 0


class SearchStore(Protocol):
    """Keeps named searches and their marks, by collection; every call is one transaction.

    Marks stay when their recording is removed. Names are checked by `checked_search_name`.
    """

    def named_searches(self, *, collection: str = DEFAULT_COLLECTION) -> list[SearchSummary]:
        """Return all named searches of a collection without their vectors, sorted by name."""
        ...

    def named_search(
        self, name: str, *, collection: str = DEFAULT_COLLECTION
    ) -> tuple[SearchSummary, bytes]:
        """Return a named search and its vectors.

        Raises
        ------
        SearchNotFound
            The collection has none of this name.
        """
        ...

    def save_named_search(
        self,
        name: str,
        definition: Mapping[str, Any],
        vectors: bytes,
        *,
        replace: bool = False,
        collection: str = DEFAULT_COLLECTION,
    ) -> None:
        """Save a named search; with `replace`, an existing one is changed and keeps its marks.

        Raises
        ------
        SearchExists
            There is one of this name, and `replace` is not set.
        IndexEmpty
            The collection does not exist.
        """
        ...

    def remove_named_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> bool:
        """Delete a named search with its marks; return whether it existed."""
        ...

    def put_search_marks(
        self, name: str, marks: Sequence[SearchMark], *, collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Store decisions in their order; a mark without a verdict clears that of its place.

        Raises
        ------
        SearchNotFound
            The collection has no search of this name.
        ParameterError
            A mark is invalid; nothing was stored.
        """
        ...

    def search_marks(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> list[SearchMark]:
        """Return the marks that count, in the order of marking.

        Raises
        ------
        SearchNotFound
            The collection has no search of this name.
        """
        ...

    def accept_search(
        self,
        name: str,
        annotations: Sequence[StoredAnnotation],
        *,
        by: str = "",
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Store annotations of one label as by `Store.annotate`, so that `undo_search` removes them.

        Returns the number of new ones; where there are none, nothing is noted.

        Raises
        ------
        SearchNotFound
            The collection has no search of this name.
        """
        ...

    def undo_search(self, name: str, *, collection: str = DEFAULT_COLLECTION) -> Undone | None:
        """Take back the latest mark, clearing or acceptance; return None if there is none.

        Raises
        ------
        SearchNotFound
            The collection has no search of this name.
        """
        ...


def checked_search_name(name: str) -> str:
    """Return a valid name of a search.

    Raises
    ------
    ParameterError
        The name is not valid.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"the name of the search is {name[:80]!r}; use up to 63 letters, digits, '.', '-' and '_', "
            "beginning with a letter or digit"
        )
    return name


def check_definition(definition: Mapping[str, Any], vectors: bytes) -> None:
    """Raise `ParameterError` if a search cannot be stored."""
    text = json.dumps(dict(definition), allow_nan=False, ensure_ascii=False)
    if not is_storable(text.replace("\\u0000", "\0")):
        raise ParameterError("a text of the search contains a character that cannot be stored")
    if len(vectors) > MAX_VECTOR_BYTES:
        raise ParameterError(
            f"the vectors of the search have {len(vectors) / 1e6:.0f} MB, up to "
            f"{MAX_VECTOR_BYTES / 1e6:.0f} MB are kept; search with a part of the file"
        )


def check_marks(marks: Sequence[SearchMark]) -> None:
    """Raise `ParameterError` if a mark cannot be stored."""
    if len(marks) > MAX_NEW_MARKS:
        raise ParameterError(f"there are {len(marks)} marks; give at most {MAX_NEW_MARKS} at once")
    for mark in marks:
        checked_id(mark.recording_id)
        if not 0 <= mark.start_s <= mark.end_s < math.inf:
            raise ParameterError(
                f"the mark is from {mark.start_s:g} to {mark.end_s:g} s; give a begin of 0 or more and "
                "an end that is not before it"
            )
        if not is_storable(mark.uri):
            raise ParameterError(f"the path {mark.uri[:80]!r} of a mark cannot be stored")
        check_person(mark.marked_by)


def check_person(by: str) -> None:
    """Raise `ParameterError` if a name of who marks cannot be stored."""
    if len(by) > MAX_PERSON or not is_storable(by):
        raise ParameterError(f"by is {by[:80]!r}; give a name of up to {MAX_PERSON} characters")


def check_acceptance(annotations: Sequence[StoredAnnotation], by: str) -> None:
    """Raise `ParameterError` if annotations cannot be accepted together."""
    check_annotations(annotations)
    check_person(by)
    if len({(one.annotation.label, one.source) for one in annotations}) > 1:
        raise ParameterError("the annotations have several labels or sources; accept one at a time")


def search_source(name: str) -> str:
    """Return the source of annotations that a named search has found."""
    return f"search:{name}"


def accepted_annotation(mark: SearchMark, label: str, name: str) -> StoredAnnotation:
    """Return the annotation of a right place."""
    span = Annotation(mark.start_s, mark.end_s, label)
    return StoredAnnotation(0, mark.recording_id, "", span, search_source(name))


def search_not_found(name: str, collection: str) -> SearchNotFound:
    """Return the error for a search that does not exist."""
    return SearchNotFound(
        f"there is no search {name!r} in the collection {collection!r}; see: soundalike searches "
        f"list --collection {collection}"
    )


def search_exists(name: str, collection: str) -> SearchExists:
    """Return the error for a name that is in use."""
    return SearchExists(
        f"there is a search {name!r} in the collection {collection!r} already; choose another name, or "
        "replace it, which keeps its marks: --replace"
    )
