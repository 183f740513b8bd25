"""``soundalike events``: list every occurrence of a sound, with its begin and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import tzinfo
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from soundalike.audio.urls import is_remote
from soundalike.cli import exporting, opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.search import (
    NO_GOOD_MATCH,
    QUERY_THERE,
    Sought,
    filters_of,
    no_good_match,
    opened_query,
)
from soundalike.events.requests import EVENT_ORDERS, EventsRequest

if TYPE_CHECKING:
    from soundalike.cli.exporting import Export
    from soundalike.cli.place import Place
    from soundalike.events.listening import Listener
    from soundalike.events.types import Event, FoundEvents
    from soundalike.search.queries import EmbeddedQuery
    from soundalike.store import Store

_HEADER = f"{'score':>6}  {'match':<14}  {'at':<21}  {'query at':<15}  {'when':<25}  clip"


@make_command(
    "events",
    *options.query(),
    options.option_of(EventsRequest, "recording", "--recording", metavar="ID"),
    options.option_of(EventsRequest, "min_score", "--min-score", metavar="S"),
    options.option_of(
        EventsRequest,
        "max_false_alarms",
        "--max-false-alarms",
        type=float,
        metavar="RATE",
        more=f"; exit status {NO_GOOD_MATCH} if none is left",
    ),
    options.option_of(EventsRequest, "order", "--order", type=click.Choice(EVENT_ORDERS)),
    options.option_of(EventsRequest, "max_per_recording", "--max-per-recording", type=int, metavar="N"),
    options.option_of(EventsRequest, "limit", "--limit", "-n", type=int, metavar="N"),
    options.option_of(EventsRequest, "gap_s", "--gap", metavar="S"),
    options.option_of(EventsRequest, "min_duration_s", "--min-duration", metavar="S"),
    options.option_of(EventsRequest, "reread_s", "--reread", metavar="S"),
    options.collection(),
    *options.filters(),
    *exporting.export_options(),
    *options.server(what_is_there=QUERY_THERE),
    *options.encoding(),
)
def command(
    place: Place,
    *,
    as_json: bool,
    recording: str | None,
    min_score: float,
    max_false_alarms: float | None,
    order: Any,
    max_per_recording: int | None,
    limit: int | None,
    gap_s: float,
    min_duration_s: float,
    reread_s: float,
    collection: str,
    exclude_self: bool,
    **given: Any,
) -> int:
    """Read the request, and print or export the events as they are found."""
    export = exporting.taken(given)
    filters = filters_of(given, place)
    request = EventsRequest(
        Sought(**given).query(),
        filters,
        recording,
        exclude_self,
        min_score,
        order,
        max_per_recording,
        limit,
        gap_s,
        min_duration_s,
        reread_s,
        collection,
        max_false_alarms,
    )
    return run(request, place, export, as_json=as_json)


def run(request: EventsRequest, place: Place, export: Export, *, as_json: bool) -> int:
    """Find events; print each as it is found, and write the export."""
    from soundalike.events.find import find_events
    from soundalike.events.types import FoundEvents

    zone = request.filters.time_zone
    if service := place.service("--export of cut-outs" if export.has_cut_outs else ""):
        answer = service.events(request, on_server=place.on_server)
        found = iter(answer.events)
        return give(
            answer, found, export, zone=zone, max_false_alarms=request.max_false_alarms, as_json=as_json
        )
    with opened(request, place) as (store, query, listener):
        about = FoundEvents(query.name, query.spec.encoder, [], tuple(query.warnings))
        found = find_events(store, query, request, listener=listener, on_progress=progress())
        if listener is not None:
            found = _noted(found)
        most = request.max_false_alarms
        with opening.partial_noted():
            return give(about, found, export, store, zone=zone, max_false_alarms=most, as_json=as_json)


def _noted(events: Iterator[Event]) -> Iterator[Event]:
    """Say once that remote recordings are not read again."""
    is_said = False
    for event in events:
        if is_remote(event.recording.uri) and not is_said:
            output.note(
                "warning: remote recordings are not read again; stored vectors give their events"
            )
            is_said = True
        yield event


def give(
    about: FoundEvents,
    found: Iterator[Event],
    export: Export,
    store: Store | None = None,
    *,
    zone: tzinfo,
    max_false_alarms: float | None = None,
    as_json: bool,
) -> int:
    """Print events as they come, and write the export; return the exit status."""
    from soundalike.results.spans import span_of

    for warning in about.warnings:
        output.note(f"warning: {warning}")
    if not export.is_to_stdout:
        found = _printed(found, about, zone, as_json=as_json)
    first = next(found, None)
    found = chain([] if first is None else [first], found)
    status = 0
    if first is None:
        status = _none_left(max_false_alarms, about, as_json=as_json and not export.is_to_stdout)
    if export.is_wanted:
        spans = (span_of(event, export.export_label) for event in found)
        return export.write(spans, exporting.stat_in(store)) or status
    for _ in found:
        pass
    return status


def _none_left(max_false_alarms: float | None, about: FoundEvents, *, as_json: bool) -> int:
    """Say that there is no event; return the exit status."""
    if max_false_alarms is None:
        output.note("no event is like it; loosen the filters or --min-score")
        return 0
    if as_json:
        output.json_line(no_good_match(about.query, max_false_alarms))
    output.note(
        f"no good match: no event has a false-alarm rate of {max_false_alarms:g} or less; "
        "rates are unknown for texts and in collections of fewer than 20 recordings"
    )
    return NO_GOOD_MATCH


def _printed(
    events: Iterator[Event], about: FoundEvents, zone: tzinfo, *, as_json: bool
) -> Iterator[Event]:
    """Print events, and pass them on."""
    from soundalike.events.types import event_to_json

    for number, event in enumerate(events):
        row = event_to_json(event, about.query, about.encoder, zone)
        if as_json:
            output.json_line(row)
        else:
            if number == 0:
                output.table([_HEADER])
            output.data(line(row))
        yield event


@contextmanager
def opened(
    request: EventsRequest, place: Place
) -> Iterator[tuple[Store, EmbeddedQuery, Listener | None]]:
    """Yield the store, the query, and what reads sound again; the encoder is loaded only for that."""
    query = request.query
    assert query is not None
    if request.reread_s == 0 or (query.source is None and query.recording_id is None):
        with opened_query(query, place, [request.collection]) as (store, embedded):
            yield store, embedded, None
        return
    opening.start_decoding(1)
    with opening.opened_pipeline(place, request.collection) as pipeline:
        from soundalike.events.listening import Listener

        embedded = pipeline.embedded(query)
        is_same = pipeline.store.collections().get(request.collection) == pipeline.spec
        listener = Listener(pipeline.encoder, pipeline.decoding) if is_same else None
        yield pipeline.store, embedded, listener


def line(row: Mapping[str, Any]) -> str:
    """Return the line of an event in the table."""
    at = output.seconds(row["start_s"], row["end_s"])
    asked = (
        "" if row["query_start_s"] is None else output.seconds(row["query_start_s"], row["query_end_s"])
    )
    when = output.when(row)
    clip = output.visible(output.short_path(row["uri"]))
    label = f"  [{output.visible(row['label'])}]" if row["label"] else ""
    match = output.strength(row)
    return f"{row['score']:6.3f}  {match:<14}  {at:<21}  {asked:<15}  {when:<25}  {clip}{label}"


def progress() -> Callable[[int, int | None], None]:
    """Return a function that shows how many recordings are done, if that takes long."""
    shown: dict[bool, Callable[[int], None]] = {}

    def on_progress(done: int, total: int | None) -> None:
        is_known = total is not None
        if is_known not in shown:
            shown[is_known] = output.progress(total, "recordings" if is_known else "compared")
        shown[is_known](done)

    return on_progress
