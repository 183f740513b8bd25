"""``soundalike duplicates``: find copies of recordings, and suggest which to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.repeats.requests import DuplicatesRequest

if TYPE_CHECKING:
    from soundalike.cli.place import Place


@make_command(
    "duplicates",
    options.option_of(
        DuplicatesRequest,
        "under",
        "--under",
        metavar="PATH",
        type=options.FileName(str),
        callback=lambda ctx, param, value: options.prefix_below(value or ""),
    ),
    options.option_of(DuplicatesRequest, "min_score", "--min-score", metavar="S"),
    options.option_of(DuplicatesRequest, "min_overlap_s", "--min-overlap", metavar="S"),
    options.option_of(DuplicatesRequest, "candidates", "--candidates", type=int, metavar="N"),
    options.collection(),
    *options.server(),
)
def command(
    place: Place,
    *,
    as_json: bool,
    under: str,
    min_score: float,
    min_overlap_s: float,
    candidates: int,
    collection: str,
) -> int:
    """Read the request, and print the groups of copies."""
    request = DuplicatesRequest(under, min_score, min_overlap_s, candidates, collection)
    return run(request, place, as_json=as_json)


def run(request: DuplicatesRequest, place: Place, *, as_json: bool) -> int:
    """Find groups of copies and print them; nothing is deleted."""
    groups = _found(request, place)
    for group in groups:
        if as_json:
            output.json_line(group)
        else:
            members = group["members"]
            output.table([f"group {group['group']}: {len(members)} files", *_lines(members)])
    files = [member for group in groups for member in group["members"]]
    if not files:
        output.note("no copies were found")
        return 0
    removable = sum(member["suggestion"] == "remove" for member in files)
    output.note(
        f"{len(groups)} groups, {len(files)} files, {removable} could be removed; nothing was deleted"
    )
    if any(member["evidence"] == "vectors" for member in files):
        output.note(
            "some files are gone or changed: their stored vectors were compared, which do not always "
            "tell copies from takes"
        )
    return 0


def _found(request: DuplicatesRequest, place: Place) -> list[dict[str, Any]]:
    """Return the JSON objects of groups, of this machine or of a service."""
    if service := place.service():
        return service.repeats.duplicates(request, _progress())
    from soundalike.audio.sandbox import shared
    from soundalike.repeats.duplicates import find_duplicates, group_to_json
    from soundalike.repeats.sounds import Sounds

    opening.start_decoding(1)
    with opening.opened_store(place.settings()) as store:
        groups = find_duplicates(store, request, sounds=Sounds(shared()), on_progress=_progress())
    return [group_to_json(number, members) for number, members in enumerate(groups, start=1)]


def _lines(members: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            f"  {member['suggestion']}",
            f"{member['score']:.3f}",
            member["evidence"],
            output.seconds(member["start_s"], member["end_s"]),
            f"{member['offset_s']:+.3f} s",
            output.visible(output.short_path(member["uri"])),
        ]
        for member in members
    ]
    return output.columns(rows)


def _progress() -> Callable[[int, int | None], None]:
    """Return a function that shows how many recordings are done, if that takes long."""
    shown: list[Callable[[int], None]] = []

    def on_progress(done: int, total: int | None) -> None:
        if not shown:
            shown.append(output.progress(total, "recordings"))
        shown[0](done)

    return on_progress
