"""``soundalike search``: find recordings that sound like a file or a stored recording."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.audio.urls import is_remote
from soundalike.cli import exporting, opening, options, output
from soundalike.cli.command import make_command
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.ranges import GROUPS, GroupBy
from soundalike.search.examples import Example, is_id, parse_examples
from soundalike.search.match_json import match_to_json
from soundalike.search.requests import Narrowing, SearchRequest

if TYPE_CHECKING:
    from soundalike.cli.exporting import Export
    from soundalike.cli.place import Place
    from soundalike.filters import Filters
    from soundalike.search.find import Answer
    from soundalike.search.queries import EmbeddedQuery, Query
    from soundalike.store import Store

#: Exit status of a search with --max-false-alarms that found no match.
NO_GOOD_MATCH = 8
EXAMPLE: dict[str, Any] = {"more": "; repeatable", "multiple": True, "metavar": "PATH[:FROM-TO]"}
QUERY_THERE = "with --server, FILE is a path on its machine; otherwise the file is sent"


@dataclass(frozen=True, kw_only=True)
class Sought:
    """The options that name the query; see `soundalike.cli.options.query`."""

    file: str | None = None
    recording_id: str | None = None
    vector: Path | None = None
    text: str | None = None
    like_label: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    at_s: float | None = None

    @property
    def is_given(self) -> bool:
        """Whether the options name a query."""
        sources = (self.file, self.recording_id, self.vector, self.text, self.like_label)
        return any(one is not None for one in sources)

    @property
    def kind(self) -> str:
        """What the query is: file, recording, vector, text or label."""
        kinds = {
            "recording": self.recording_id,
            "vector": self.vector,
            "text": self.text,
            "label": self.like_label,
        }
        return next((kind for kind, value in kinds.items() if value is not None), "file")

    def query(self) -> Query:
        """Return what the options ask for.

        Raises
        ------
        ParameterError
            That is nothing, or several things, or no part of a recording.
        """
        from soundalike.audio.excerpt import Excerpt
        from soundalike.search.queries import Query

        if not self.is_given:
            raise ParameterError(
                "there is nothing to look for; give FILE, --recording-id, --vector, --text or "
                "--like-label"
            )
        vector = None if self.vector is None else read_vector(self.vector)
        excerpt = Excerpt(self.start_s, self.end_s, self.at_s)
        return Query(self.file, self.recording_id, vector, excerpt, self.text, self.like_label)


@make_command(
    "search",
    *options.query(),
    options.option_of(SearchRequest, "like", "--like", **EXAMPLE),
    options.option_of(SearchRequest, "unlike", "--unlike", **EXAMPLE),
    options.option_of(SearchRequest, "top_k", "--top-k", "-k", metavar="N"),
    options.option_of(SearchRequest, "min_score", "--min-score", metavar="S"),
    options.option_of(
        SearchRequest,
        "max_false_alarms",
        "--max-false-alarms",
        type=float,
        metavar="RATE",
        more=f"; exit status {NO_GOOD_MATCH} if none is left",
    ),
    options.option_of(SearchRequest, "group_by", "--group-by", type=click.Choice(GROUPS)),
    options.collections(),
    *options.filters(),
    *exporting.export_options(),
    *options.server(what_is_there=QUERY_THERE),
    *options.encoding(),
)
def command(
    place: Place,
    *,
    as_json: bool,
    top_k: int,
    min_score: float,
    max_false_alarms: float | None,
    group_by: GroupBy,
    exclude_self: bool,
    collections: Sequence[str],
    like: Sequence[str],
    unlike: Sequence[str],
    **given: Any,
) -> int:
    """Read the request, search, and print or export the matches."""
    export = exporting.taken(given)
    filters = filters_of(given, place)
    names = tuple(collections) or (DEFAULT_COLLECTION,)
    right = absolute(parse_examples(like, "like"), on_server=place.on_server)
    sought = Sought(**given)
    if right and not sought.is_given:
        # The first example is the query, which need not be stored.
        sought, right = query_of(right[0]), right[1:]
    request = SearchRequest(
        sought.query(),
        filters,
        exclude_self,
        top_k,
        min_score,
        names,
        group_by,
        max_false_alarms,
        right,
        absolute(parse_examples(unlike, "unlike"), on_server=place.on_server),
    )
    return run(request, place, export, as_json=as_json)


def absolute(examples: Sequence[Example], *, on_server: bool) -> tuple[Example, ...]:
    """Return examples by absolute paths, as they are stored; paths of a server stay."""
    return tuple(
        one
        if on_server or is_id(one.key) or is_remote(one.key)
        else replace(one, key=os.path.abspath(one.key))
        for one in examples
    )


def query_of(example: Example) -> Sought:
    """Return the options of a query that is an example."""
    start_s, end_s = example.excerpt.start_s, example.excerpt.end_s
    if is_id(example.key):
        return Sought(recording_id=example.key, start_s=start_s, end_s=end_s)
    return Sought(file=example.key, start_s=start_s, end_s=end_s)


def run(request: SearchRequest, place: Place, export: Export, *, as_json: bool) -> int:
    """Search, and print or export the matches."""
    from soundalike.search.find import answer_to

    if service := place.service("--export of cut-outs" if export.has_cut_outs else ""):
        answer, encoder = service.search(request, on_server=place.on_server)
        return give(answer, encoder, export, as_json=as_json, **_shown(request))
    with opened_query(request.query, place, request.collections) as (store, query):
        answer, encoder = answer_to(request, query, store), query.spec.encoder
        return give(answer, encoder, export, store, as_json=as_json, **_shown(request))


def _shown(request: SearchRequest) -> dict[str, Any]:
    return {"zone": request.filters.time_zone, "max_false_alarms": request.max_false_alarms}


def give(
    answer: Answer,
    encoder: str,
    export: Export,
    store: Store | None = None,
    *,
    zone: tzinfo,
    max_false_alarms: float | None,
    as_json: bool,
) -> int:
    """Print the matches, and write the export; return the exit status."""
    for warning in answer.warnings:
        output.note(f"warning: {warning}")
    if not export.is_to_stdout:
        _print(answer, encoder, zone, as_json=as_json)
    status = _status(answer, max_false_alarms, as_json=as_json and not export.is_to_stdout)
    if not export.is_wanted:
        return status
    from soundalike.results.spans import span_of

    spans = (span_of(match, export.export_label) for match in answer.matches)
    return export.write(spans, exporting.stat_in(store)) or status


def _print(answer: Answer, encoder: str, zone: tzinfo, *, as_json: bool) -> None:
    rows = [match_to_json(match, answer.query, encoder, zone) for match in answer.matches]
    if as_json:
        for row in rows:
            output.json_line(row)
    elif rows:
        output.table(output.match_table(rows))


def _status(answer: Answer, max_false_alarms: float | None, *, as_json: bool) -> int:
    """Say that there is no match; return the exit status."""
    if answer.matches:
        return 0
    if max_false_alarms is None:
        output.note("no recording matches; loosen the filters or --min-score")
        return 0
    if as_json:
        output.json_line(no_good_match(answer.query, max_false_alarms))
    output.note(
        f"no good match: no recording has a false-alarm rate of {max_false_alarms:g} or less; "
        "rates are unknown for texts and in collections of fewer than 20 recordings"
    )
    return NO_GOOD_MATCH


def no_good_match(query: str, max_false_alarms: float) -> dict[str, Any]:
    """Return the JSON object that stands in the place of matches."""
    return {"query": query, "good_match": False, "max_false_alarms": max_false_alarms}


def filters_of(given: dict[str, Any], place: Place) -> Filters:
    """Remove the options of filters from the given ones, and return the filters.

    Raises
    ------
    ParameterError
        A time cannot be read, or nothing lies between two of them.
    """
    from soundalike.store.base import check_filters

    names = {field.name for field in fields(Narrowing)} & given.keys()
    narrowing = Narrowing(**{name: given.pop(name) for name in names})
    filters = narrowing.filters(place.settings().time_zone)
    # Before the encoder is loaded.
    check_filters(filters)
    return filters


@contextmanager
def opened_query(
    query: Query, place: Place, collections: Sequence[str]
) -> Iterator[tuple[Store, EmbeddedQuery]]:
    """Yield the store, and what is looked for; the encoder is loaded only for a sound or a text.

    Parameters
    ----------
    query : Query
    place : Place
    collections : sequence of str
        Where a stored recording is looked for; the first has the windows.
    """
    from soundalike.search.queries import query_without_sound

    if query.source is None and query.text is None:
        with opening.opened_store(place.settings()) as store:
            yield store, query_without_sound(store, query, collections)
    else:
        if query.source is not None:
            opening.start_decoding(1)
        with opening.opened_pipeline(place, collections[0]) as pipeline:
            yield pipeline.store, pipeline.embedded(query)


def read_vector(path: Path) -> Any:
    """Return the one vector in a file: an array as ``.npy``, else a list as JSON.

    Raises
    ------
    ParameterError
        The file cannot be read, or holds something else.
    """
    import numpy as np

    shown = f"vector {str(path)!r}"
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            found = np.asarray(json.loads(path.read_text(encoding="utf-8")), dtype=np.float32)
    except OSError as exc:
        raise ParameterError(f"{shown} cannot be read: {exc.strerror}; check the path") from exc
    except (ValueError, TypeError, EOFError) as exc:
        raise ParameterError(
            f"{shown} is neither an array in a .npy file nor a JSON list of numbers"
        ) from exc
    if found.dtype.kind not in "fiu" or found.ndim not in (1, 2) or found.shape[:-1] not in ((), (1,)):
        raise ParameterError(
            f"{shown} holds {found.dtype} of shape {found.shape}; give one row of numbers"
        )
    return found.reshape(-1).astype(np.float32)
