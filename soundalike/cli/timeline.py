"""``soundalike timeline``: count similar sounds over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli import options, output
from soundalike.cli.command import make_command
from soundalike.cli.page_file import check_place, write_page
from soundalike.cli.search import QUERY_THERE, Sought, filters_of, opened_query
from soundalike.ranges import BUCKET_WIDTHS
from soundalike.search.requests import TimelineRequest

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.types import Bucket, BucketWidth

_BAR_LETTERS = 40


@make_command(
    "timeline",
    *options.query(),
    options.option_of(
        TimelineRequest,
        "min_score",
        "--min-score",
        more="; try scores with soundalike search first",
        type=float,
        metavar="S",
    ),
    options.option_of(TimelineRequest, "by", "--by", type=click.Choice(BUCKET_WIDTHS)),
    click.Option(
        ["--plot"],
        type=options.FileName(),
        metavar="FILE.svg",
        help="draw the counts into this file too",
    ),
    options.collection(),
    *options.filters(),
    *options.server(what_is_there=QUERY_THERE),
    *options.encoding(),
)
def command(
    place: Place,
    *,
    as_json: bool,
    min_score: float,
    by: BucketWidth,
    plot: Path | None,
    collection: str,
    exclude_self: bool,
    **given: Any,
) -> int:
    """Read the request, count, print the counts, and draw them where that is asked for."""
    # Whatever can be wrong without a second's work is found first.
    filters = filters_of(given, place)
    if plot:
        check_place("plot", plot, ".svg")
    request = TimelineRequest(
        Sought(**given).query(), min_score, by, filters.time_zone, filters, exclude_self, collection
    )
    return run(request, place, as_json=as_json, plot=plot)


def run(request: TimelineRequest, place: Place, *, as_json: bool, plot: Path | None) -> int:
    """Count occurrences and print them, and draw them into a file."""
    from soundalike.search.timeline import timeline_of

    if service := place.service():
        found, name = service.timeline(request, on_server=place.on_server)
    else:
        with opened_query(request.query, place, [request.collection]) as (store, query):
            found, name = timeline_of(request, query, store), query.name
    for warning in found.warnings:
        output.note(f"warning: {warning}")
    if as_json:
        for bucket in found.buckets:
            output.json_line(
                {
                    "start": bucket.start.isoformat(),
                    "end": bucket.end.isoformat(),
                    "count": bucket.count,
                }
            )
    else:
        output.table(table(found.buckets, request.by))
    _tell(found.buckets, found.undated, request.by)
    if plot:
        _write_plot(plot, request, found.buckets, Path(name).name or "vector")
    return 0


def table(buckets: Sequence[Bucket], width: BucketWidth) -> list[str]:
    """Return a line for each bucket: its begin, its count, and a bar as long as that is high."""
    if not buckets:
        return []
    highest = max(bucket.count for bucket in buckets)
    rows = [
        # A bar is never shorter than one letter where there is anything.
        (name_of(bucket, width), str(bucket.count), "#" * -(-bucket.count * _BAR_LETTERS // highest))
        for bucket in buckets
    ]
    return output.columns([(width, "count", ""), *rows], right=(1,))


def name_of(bucket: Bucket, width: BucketWidth) -> str:
    """Return what people call a bucket.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from soundalike.types import Bucket
    >>> at = datetime(2025, 5, 1, 6, tzinfo=UTC)
    >>> [name_of(Bucket(at, at, 1), width) for width in ('hour', 'day', 'week', 'month')]
    ['2025-05-01 06:00+00:00', '2025-05-01', '2025-05-01', '2025-05']
    """
    if width == "hour":
        return bucket.start.isoformat(" ", "minutes")
    day = bucket.start.date().isoformat()
    return day.rpartition("-")[0] if width == "month" else day


def _tell(buckets: Sequence[Bucket], undated: int, width: BucketWidth) -> None:
    total = sum(bucket.count for bucket in buckets)
    if buckets:
        busy = sum(bucket.count > 0 for bucket in buckets)
        output.note(f"{total} occurrences; buckets of one {width}: {len(buckets)}, {busy} not empty")
    elif not undated:
        output.note("nothing is like it; loosen the filters or --min-score")
    if undated:
        output.note(
            f"left out, because their time is unknown: {undated} more; give their "
            "recordings a start: soundalike index --recorded-at TIME FILE"
        )


def _write_plot(path: Path, request: TimelineRequest, buckets: Sequence[Bucket], name: str) -> None:
    from soundalike.cli.timeline_plot import render

    title = f"{name}: score {request.min_score:g} or more"
    names = [name_of(bucket, request.by) for bucket in buckets]
    page = render(title, request.by, names, [bucket.count for bucket in buckets])
    write_page("plot", path, page)
