"""``soundalike timeline``: when something like a sound was heard."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.cli.commands import filters_from
from soundalike.cli.search import opened_query, query_from
from soundalike.cli.server import service_from
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.types import Bucket, BucketWidth

# As in `soundalike.store.timeline`, which the parser need not load.
WIDTHS: tuple[BucketWidth, ...] = ("hour", "day", "week", "month")
_BAR_LETTERS = 40


def run(arguments: argparse.Namespace) -> int:
    """Count occurrences and print them, and draw them where that is asked for."""
    from soundalike.search.requests import TimelineRequest
    from soundalike.search.timeline import timeline_of

    # Whatever can be wrong without a second's work is found first.
    filters = filters_from(arguments)
    if arguments.plot:
        _check_plot(arguments.plot)
    request = TimelineRequest(
        query_from(arguments),
        arguments.min_score,
        arguments.by,
        filters.time_zone,
        filters,
        arguments.exclude_self,
        arguments.collection,
    )
    if service := service_from(arguments):
        found, name = service.timeline(request, on_server=arguments.on_server)
    else:
        with opened_query(arguments, [arguments.collection]) as (store, query):
            found, name = timeline_of(request, query, store), query.name
    for warning in found.warnings:
        output.note(f"warning: {warning}")
    if arguments.json:
        for bucket in found.buckets:
            output.json_line(
                {
                    "start": bucket.start.isoformat(),
                    "end": bucket.end.isoformat(),
                    "count": bucket.count,
                }
            )
    else:
        for line in table(found.buckets, arguments.by):
            output.data(line)
    _tell(found.buckets, found.undated, arguments.by)
    if arguments.plot:
        _write_plot(arguments, found.buckets, Path(name).name or "vector")
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
    >>> [name_of(Bucket(at, at, 1), width) for width in WIDTHS]
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
            f"left out, because nobody knows when they were heard: {undated} more; give their "
            "recordings a start: soundalike index --recorded-at TIME FILE"
        )


def _check_plot(path: Path) -> None:
    if path.suffix.lower() != ".svg":
        # So that a slip does not overwrite a recording.
        raise ParameterError(f"plot is {str(path)!r}; give a file that ends in .svg")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ParameterError(f"plot {str(path)!r} cannot be written there; give a file in a folder")


def _write_plot(arguments: argparse.Namespace, buckets: Sequence[Bucket], name: str) -> None:
    from soundalike.cli.timeline_plot import render

    title = f"{name}: score {arguments.min_score:g} or more"
    names = [name_of(bucket, arguments.by) for bucket in buckets]
    page = render(title, arguments.by, names, [bucket.count for bucket in buckets])
    try:
        # Names that are no UTF-8 are shown escaped, as on stdout.
        arguments.plot.write_bytes(page.encode("utf-8", errors="backslashreplace"))
    except OSError as exc:
        raise ParameterError(
            f"plot {str(arguments.plot)!r} cannot be written: {exc.strerror}; give another place"
        ) from exc
    output.note(f"plot: {output.visible(str(arguments.plot))}")
