"""``soundalike searches``: save searches under names, mark what they find, and run them again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.cli import exporting, opening, output, searches_review
from soundalike.cli.command import make_command
from soundalike.cli.search import Sought, absolute, filters_of, give, opened_query, query_of
from soundalike.cli.searches_options import check_usage, search_options
from soundalike.cli.target import Target
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ArchiveInvalid, ParameterError
from soundalike.search.examples import parse_example, parse_examples
from soundalike.search.requests import Narrowing
from soundalike.searches.requests import RunRequest, SaveRequest, Settings

if TYPE_CHECKING:
    from soundalike.cli.exporting import Export
    from soundalike.cli.place import Place
    from soundalike.client.searches import RemoteSearches
    from soundalike.search.queries import Query
    from soundalike.searches.searches import Searches
    from soundalike.store import Store

_RUN = tuple(one.name for one in fields(RunRequest))
_SETTINGS = ("top_k", "min_score", "max_false_alarms", "group_by", "exclude_self")


@make_command("searches", *search_options())
def command(
    place: Place, *, as_json: bool, action: str, words: tuple[str, ...], collection: str, **given: Any
) -> int:
    """Run one of the actions."""
    check_usage(action, words, {**vars(place), **given})
    if action == "save":
        return _save(place, words, collection, given, as_json=as_json)
    if action == "run":
        return _run(place, words[0], collection, given, as_json=as_json)
    if action == "remove" and not given["yes"]:
        question = f"Remove the search {words[0]} with its marks? Type yes:"
        if not opening.confirmed(question):
            output.note("nothing was removed; confirm with --yes")
            return 2
    review = searches_review.Asked.from_options(action, given)
    with _opened(place, collection) as (searches, _):
        if review is not None:
            return searches_review.run(searches, words[0], review, as_json=as_json)
        if action == "list":
            return _list(searches, as_json=as_json)
        if action == "show":
            return _show(searches.show(words[0]), as_json=as_json)
        if action == "mark":
            return _mark(searches, place, words, given, as_json=as_json)
        if action == "undo":
            return _undo(searches, words[0], as_json=as_json)
        if action == "accept":
            return _accept(searches, words[0], given["labels"], given["by"], as_json=as_json)
        if action == "export":
            return _export(searches, words[0], given["output_file"])
        if action == "import":
            return _import(searches, Path(words[0]), given, as_json=as_json)
        searches.remove(words[0])
        if as_json:
            output.json_line({"removed": words[0]})
        output.note(f"the search {words[0]} was removed; recordings and annotations stay")
        return 0


@contextmanager
def _opened(
    place: Place, collection: str, impossible: str = ""
) -> Iterator[tuple[Searches | RemoteSearches, Store | None]]:
    """Yield the searches of this machine with the store, or those of the service."""
    if service := place.service(impossible):
        yield service.searches(collection), None
        return
    from soundalike.searches.searches import Searches

    with opening.opened_store(place.settings()) as store:
        yield Searches(store, collection), store


def _save(
    place: Place, words: Sequence[str], collection: str, given: dict[str, Any], *, as_json: bool
) -> int:
    name, *file = words
    like = absolute(parse_examples(given["like"], "like"), on_server=place.on_server)
    unlike = absolute(parse_examples(given["unlike"], "unlike"), on_server=place.on_server)
    names = {one.name for one in fields(Sought)} & given.keys()
    sought = Sought(file=file[0] if file else None, **{one: given[one] for one in names})
    if like and not sought.is_given:
        # The first example is the query, which need not be stored.
        sought, like = query_of(like[0]), like[1:]
    query = sought.query()
    request = SaveRequest(
        name=name,
        kind=sought.kind,
        excerpt=query.excerpt,
        settings=_settings(given, place),
        like=like,
        unlike=unlike,
        replace=given["replace"],
        collection=collection,
    )
    row = _saved(place, request, query)
    row.pop("marks")
    if as_json:
        output.json_line(row)
    where = "" if collection == DEFAULT_COLLECTION else f" --collection {collection}"
    output.note(f"saved as {name}; run it with: soundalike searches run {name}{where}")
    return 0


def _saved(place: Place, request: SaveRequest, query: Query) -> dict[str, Any]:
    from soundalike.store.named_searches import checked_search_name

    checked_search_name(request.name)
    if service := place.service():
        return service.searches(request.collection).save(request, query, on_server=place.on_server)
    from soundalike.searches.searches import Searches

    with opened_query(query, place, [request.collection]) as (store, embedded):
        for warning in embedded.warnings:
            output.note(f"warning: {warning}")
        return Searches(store, request.collection).save(request, embedded)


def _settings(given: dict[str, Any], place: Place) -> Settings:
    """Return the settings to save; the filters are kept as they were written."""
    names = {one.name for one in fields(Narrowing)} & given.keys()
    narrowing = Narrowing(**{one: given[one] for one in names})
    zone = narrowing.time_zone or place.time_zone or place.settings().time_zone
    # Refuses filters that can never match, before a file is decoded.
    filters_of({one: given[one] for one in names}, place)
    limits = {one: given[one] for one in _SETTINGS if given[one] is not None}
    return Settings(narrowing=replace(narrowing, time_zone=zone), **limits)


def _run(place: Place, name: str, collection: str, given: dict[str, Any], *, as_json: bool) -> int:
    export = exporting.taken(given)
    request = RunRequest(**{one: given[one] for one in _RUN if one in given})
    request = replace(request, time_zone=place.time_zone)
    impossible = "--export of cut-outs" if export.has_cut_outs else ""
    with _opened(place, collection, impossible) as (searches, store):
        if given["events"]:
            with opening.partial_noted():
                return _run_events(searches, name, request, export, store, as_json=as_json)
        found = searches.run(name, request)
        return give(
            found.answer,
            found.encoder,
            export,
            store,
            zone=found.zone,
            max_false_alarms=found.max_false_alarms,
            as_json=as_json,
        )


def _run_events(
    searches: Searches | RemoteSearches,
    name: str,
    request: RunRequest,
    export: Export,
    store: Store | None,
    *,
    as_json: bool,
) -> int:
    from soundalike.cli import events

    about, found, zone = searches.events(name, request)
    return events.give(about, found, export, store, zone=zone, as_json=as_json)


def _list(searches: Searches | RemoteSearches, *, as_json: bool) -> int:
    rows = searches.rows()
    if as_json:
        for row in rows:
            output.json_line(row)
    elif rows:
        header = ("search", "query", "examples", "right", "wrong", "encoder")
        lines = [
            (
                row["name"],
                output.visible(output.short_path(row["query"] or f"a {row['kind']}")),
                f"{len(row['like'])} right, {len(row['unlike'])} wrong",
                str(row["right"]),
                str(row["wrong"]),
                row["encoder"],
            )
            for row in rows
        ]
        output.table(output.columns([header, *lines], right=(3, 4)))
    else:
        output.note("there are no named searches; save one: soundalike searches save NAME FILE")
    return 0


def _show(row: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        output.json_line(row)
        return 0
    marks = row.pop("marks")
    for line in output.columns([(key, _shown(value)) for key, value in row.items()]):
        output.data(line)
    if marks:
        output.data("")
        lines = [
            (
                mark["verdict"],
                output.seconds(mark["start_s"], mark["end_s"]),
                output.visible(output.short_path(mark["uri"])),
                output.visible(mark["marked_by"]),
                mark["marked_at"][:19].replace("T", " "),
            )
            for mark in marks
        ]
        output.table(output.columns([("mark", "at", "clip", "by", "when"), *lines]))
    return 0


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return output.visible(", ".join(f"{key}: {_shown(part)}" for key, part in value.items()))
    if isinstance(value, list):
        return ", ".join(_shown(part) for part in value)
    return "" if value is None else output.visible(str(value))


def _mark(
    searches: Searches | RemoteSearches,
    place: Place,
    words: Sequence[str],
    given: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    from soundalike.searches.reviewing import mark_to_json

    chosen = [one for one in ("is_right", "is_wrong", "is_cleared") if given[one]]
    if len(chosen) != 1:
        raise ParameterError("give one of --right, --wrong and --clear")
    name, text = words
    (where,) = absolute([parse_example(text)], on_server=place.on_server)
    by = given["by"] or ""
    if given["is_cleared"]:
        marks = [replace(one, is_right=None) for one in searches.clear(name, where, by=by)]
    else:
        marks = [searches.mark(name, where, is_right=given["is_right"], by=by)]
    for mark in marks:
        row = mark_to_json(mark)
        if as_json:
            output.json_line(row)
        at = output.seconds(mark.start_s, mark.end_s)
        output.note(f"{row['verdict'] or 'cleared'}: {output.visible(mark.uri)} {at}")
    return 0


def _undo(searches: Searches | RemoteSearches, name: str, *, as_json: bool) -> int:
    from soundalike.searches.reviewing import undone_to_json

    undone = searches.undo(name)
    if as_json:
        output.json_line(undone_to_json(undone))
    if undone is None:
        output.note("there is nothing to take back")
    elif undone.mark is None:
        output.note(f"took back the acceptance: {undone.annotations} annotations removed")
    else:
        at = output.seconds(undone.mark.start_s, undone.mark.end_s)
        output.note(f"took back the {undone.action}: {output.visible(undone.mark.uri)} {at}")
    return 0


def _accept(
    searches: Searches | RemoteSearches,
    name: str,
    labels: Sequence[str],
    by: str | None,
    *,
    as_json: bool,
) -> int:
    if len(labels) != 1:
        raise ParameterError("searches accept needs one --label LABEL")
    found = searches.accept(name, labels[0], by=by or "")
    if as_json:
        output.json_line(
            {
                **{"label": found.label, "added": found.added, "unchanged": found.unchanged},
                "missing": found.missing,
            }
        )
    missing = f", {found.missing} in recordings that are not stored" if found.missing else ""
    output.note(f"{found.added} annotations added, {found.unchanged} unchanged{missing}")
    return 0


def _export(searches: Searches | RemoteSearches, name: str, path: Path | None) -> int:
    content = json.dumps(searches.export(name), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    if path is None or str(path) == exporting.STDOUT:
        output.data_bytes(content)
        return 0
    with Target(path) as target:
        target.write(content)
    output.note(f"{output.visible(str(path))}: the search {name}")
    return 0


def _import(
    searches: Searches | RemoteSearches, path: Path, given: dict[str, Any], *, as_json: bool
) -> int:
    from soundalike.searches.exchange import MAX_FILE_BYTES, read_search

    shown = output.visible(repr(str(path)))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise ParameterError(f"{shown} cannot be read: {exc.strerror}; check the path") from exc
    except ValueError as exc:
        raise ParameterError(f"{shown} cannot be read: {exc}; check the path") from exc
    if len(content) > MAX_FILE_BYTES:
        raise ArchiveInvalid(f"{shown} is not an exported search: it is larger than 200 MB")
    row = read_search(content, shown)
    found = searches.load(row, name=given["new_name"], replace=given["replace"])
    for warning in found.warnings:
        output.note(f"warning: {warning}")
    if as_json:
        output.json_line(
            {
                **{"name": found.name, "marks": found.marks, "moved": found.moved},
                "missing": found.missing,
            }
        )
    missing = f", {found.missing} in recordings that are not stored" if found.missing else ""
    output.note(f"imported as {found.name}: {found.marks} marks{missing}")
    return 0
