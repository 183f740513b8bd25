"""``soundalike map``: draw a collection as a map, in one HTML file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.page_file import check_place, write_page
from soundalike.errors import ParameterError
from soundalike.maps.requests import KINDS, METHODS, MapRequest

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.maps.pictures import Sheet
    from soundalike.maps.sound_map import SoundMap

_DEFAULT_PICTURES, _MAX_PICTURES = 1_000, 10_000
#: Between two lines about the progress.
_TELL_S = 3.0


@make_command(
    "map",
    click.Option(
        ["page", "--output", "-o"],
        type=options.FileName(),
        metavar="FILE.html",
        help="write the map into this file, which opens in a browser without internet",
    ),
    options.option_of(MapRequest, "points", "--points", type=click.Choice(KINDS)),
    options.option_of(MapRequest, "method", "--method", type=click.Choice(("auto", *METHODS))),
    options.option_of(MapRequest, "neighbours", "--neighbours", type=int, metavar="N"),
    options.option_of(MapRequest, "seed", "--seed", type=int, metavar="N"),
    options.option_of(MapRequest, "max_points", "--max-points", type=int, metavar="N"),
    options.option_of(MapRequest, "min_cluster", "--min-cluster", type=int, metavar="N"),
    options.option_of(MapRequest, "refit", "--refit"),
    options.option_of(MapRequest, "normal", "--normal", metavar="NAME"),
    click.Option(
        ["--pictures"],
        type=click.IntRange(0, _MAX_PICTURES),
        default=_DEFAULT_PICTURES,
        metavar="N",
        help="show a spectrogram of each point if there are at most so many, about 1 kB each; 0: none; "
        f"default: {_DEFAULT_PICTURES}",
    ),
    options.collection(),
    options.time_zone("times on the map"),
    *options.server(),
)
def command(place: Place, *, as_json: bool, page: Path | None, pictures: int, **given: Any) -> int:
    """Read the request, make the map, and write or print it."""
    if page is None and not as_json:
        raise ParameterError("give a file for the map with --output FILE.html, or --json")
    if page is not None:
        check_place("map", page, ".html", ".htm")
    return run(MapRequest(**given), place, page, pictures=pictures, as_json=as_json)


def run(request: MapRequest, place: Place, page: Path | None, *, pictures: int, as_json: bool) -> int:
    """Make the map here or on a service; print its points, and write its page."""
    from soundalike.maps.sound_map import rows_of

    data, sheet = _made(request, place, pictures if page else 0)
    for note in data["notes"]:
        output.note(f"note: {note}")
    if as_json:
        for row in rows_of(data):
            output.json_line(row)
    if page is not None:
        from soundalike.maps.page import render

        write_page("map", page, render(data, f"Map of {request.collection}", sheet))
        output.note(_summary(data))
    return 0


def _made(request: MapRequest, place: Place, pictures: int) -> tuple[Mapping[str, Any], Sheet | None]:
    """Return the map's data and, of maps made here, its spectrograms."""
    if service := place.service():
        return service.map(request), None
    settings = place.settings()
    if pictures:
        opening.start_decoding(pictures)
    from soundalike.clock.start_time.zones import zone_named
    from soundalike.maps.build import make_map

    zone = zone_named(settings.time_zone)
    with opening.opened_store(settings) as store:
        found = make_map(store, request, on_progress=_progress())
    return found.to_json(zone), _sheet(found, pictures)


def _sheet(found: SoundMap, pictures: int) -> Sheet | None:
    if not 0 < len(found) <= pictures:
        return None
    from soundalike.audio.sandbox import shared
    from soundalike.maps.pictures import draw_sheet

    return draw_sheet(found, shared(), output.progress(len(found), "spectrograms"))


def _progress() -> Callable[[str, int], None]:
    """Return a function that tells each stage on stderr, and how far a long reading is."""
    told_at = time.monotonic()

    def show(stage: str, done: int) -> None:
        nonlocal told_at
        if stage != "reading":
            output.note(f"{stage}: {done} points")
        elif time.monotonic() - told_at > _TELL_S:
            told_at = time.monotonic()
            output.note(f"reading: {done} recordings")

    return show


def _summary(data: Mapping[str, Any]) -> str:
    clusters, count = data["clusters"], data["count"]
    inside = sum(cluster["size"] for cluster in clusters)
    return (
        f"{count} {data['points']} by {data['method']}, {len(clusters)} clusters with {inside} of them"
    )
