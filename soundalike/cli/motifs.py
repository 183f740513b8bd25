"""``soundalike motifs``: list sounds that occur again and again, without a query."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from soundalike.cli import exporting, opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.events import progress
from soundalike.repeats.requests import MotifsRequest

if TYPE_CHECKING:
    from soundalike.cli.exporting import Export
    from soundalike.cli.place import Place
    from soundalike.events.listening import Listener
    from soundalike.repeats.motifs import Motif
    from soundalike.results.spans import Span
    from soundalike.store import Store


@make_command(
    "motifs",
    options.option_of(
        MotifsRequest,
        "under",
        "--under",
        metavar="PATH",
        type=options.FileName(str),
        callback=lambda ctx, param, value: options.prefix_below(value or ""),
    ),
    options.option_of(MotifsRequest, "min_count", "--min-count", type=int, metavar="N"),
    options.option_of(MotifsRequest, "limit", "--limit", "-n", type=int, metavar="N"),
    options.option_of(MotifsRequest, "reread_s", "--reread", metavar="S"),
    options.collection(),
    *exporting.export_options(),
    *options.server(),
    *options.encoding(),
)
def command(
    place: Place,
    *,
    as_json: bool,
    under: str,
    min_count: int,
    limit: int,
    reread_s: float,
    collection: str,
    **given: Any,
) -> int:
    """Read the request, and print or export the motifs."""
    export = exporting.taken(given)
    request = MotifsRequest(under, min_count, limit, reread_s, collection)
    return run(request, place, export, as_json=as_json)


def run(request: MotifsRequest, place: Place, export: Export, *, as_json: bool) -> int:
    """Find motifs, print them, and write the export."""
    from soundalike.repeats.motifs import find_motifs

    if service := place.service("--export of cut-outs" if export.has_cut_outs else ""):
        from soundalike.repeats.motifs import motif_from_json

        rows = service.repeats.motifs(request, progress())
        return _give([motif_from_json(row) for row in rows], export, None, as_json=as_json)
    with _opened(request, place) as (store, listener):
        motifs = find_motifs(store, request, listener=listener, on_progress=progress())
        return _give(motifs, export, store, as_json=as_json)


def _give(motifs: list[Motif], export: Export, store: Store | None, *, as_json: bool) -> int:
    """Print motifs, and write the export; return the exit status."""
    from soundalike.repeats.motifs import motif_to_json

    if not export.is_to_stdout:
        if as_json:
            for number, motif in enumerate(motifs, start=1):
                output.json_line(motif_to_json(number, motif))
        elif motifs:
            output.table(_table(motifs))
    if export.is_wanted:
        return export.write(_spans(motifs, export.export_label), exporting.stat_in(store))
    if not motifs:
        output.note("no sound occurs again and again; try a lower --min-count")
    return 0


@contextmanager
def _opened(request: MotifsRequest, place: Place) -> Iterator[tuple[Store, Listener | None]]:
    """Yield the store, and what reads sound again; the encoder is loaded only for that."""
    if request.reread_s == 0:
        with opening.opened_store(place.settings()) as store:
            yield store, None
        return
    opening.start_decoding(1)
    with opening.opened_pipeline(place, request.collection) as pipeline:
        from soundalike.events.listening import Listener

        is_same = pipeline.store.collections().get(request.collection) == pipeline.spec
        yield pipeline.store, Listener(pipeline.encoder, pipeline.decoding) if is_same else None


def _table(motifs: list[Motif]) -> list[str]:
    rows = [["motif", "count", "example at", "example", "labels"]]
    for number, motif in enumerate(motifs, start=1):
        example = motif.example
        labels = ", ".join(f"{label} ({count})" for label, count in list(motif.labels.items())[:3])
        rows.append(
            [
                str(number),
                str(len(motif.events)),
                output.seconds(example.start_s, example.end_s),
                output.visible(output.short_path(example.recording.uri)),
                output.visible(labels),
            ]
        )
    return output.columns(rows, right=(0, 1))


def _spans(motifs: list[Motif], label: str | None) -> Iterator[Span]:
    """Yield all events; the number of the motif is the label, unless one is given."""
    from soundalike.results.spans import span_of

    for number, motif in enumerate(motifs, start=1):
        for event in motif.events:
            yield replace(span_of(event), label=label or f"motif {number}")
