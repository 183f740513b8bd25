"""Options of ``soundalike searches``, and the actions that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from soundalike.cli import exporting, options
from soundalike.cli.place import ENCODING
from soundalike.cli.search import EXAMPLE
from soundalike.errors import ParameterError
from soundalike.parameters import description_of
from soundalike.ranges import GROUPS
from soundalike.search.requests import SearchRequest
from soundalike.searches.requests import RunRequest, SaveRequest
from soundalike.searches.review_requests import ORDERS, PROPOSED_FROM, ReviewRequest

#: Words that an action takes: the least and the most, and how they are written.
WORDS: dict[str, tuple[int, int, str]] = {
    "save": (1, 2, "NAME [FILE]"),
    "list": (0, 0, ""),
    "show": (1, 1, "NAME"),
    "run": (1, 1, "NAME"),
    "mark": (2, 2, "NAME PATH|ID[:FROM-TO] --right|--wrong|--clear"),
    "undo": (1, 1, "NAME"),
    "accept": (1, 1, "NAME --label LABEL"),
    "review": (1, 1, "NAME"),
    "estimate": (1, 1, "NAME"),
    "propose": (1, 1, "NAME --label LABEL"),
    "export": (1, 1, "NAME [--output FILE]"),
    "import": (1, 1, "FILE"),
    "remove": (1, 1, "NAME"),
}
_QUERY = ("recording_id", "vector", "text", "like_label", "at_s", "start_s", "end_s")
_SETTINGS = ("like", "unlike", "group_by", "tags", "where", "uri_prefix", "exclude_self", "time_of_day")
_EXPORT = ("export", "format", "export_label", "padding_s", "audio", "pictures", "max_bytes")
#: Actions that take an option; an option that is not named belongs to all.
_OWNERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*_QUERY, *_SETTINGS, *ENCODING, "on_server"), ("save",)),
    "on_server": ("save", "mark"),
    "replace": ("save", "import"),
    "labels": ("save", "accept", "propose"),
    **dict.fromkeys(("since", "until", "time_zone", "max_false_alarms"), ("save", "run")),
    "top_k": ("save", "run", "review", "propose"),
    "min_score": ("save", "run", "review", "estimate", "propose"),
    **dict.fromkeys(("unmarked", "events", *_EXPORT), ("run",)),
    "use_marks": ("run", "review", "estimate", "propose"),
    **dict.fromkeys(("order", "share", "seed"), ("review",)),
    "min_precision": ("review", "estimate", "propose"),
    **dict.fromkeys(("is_right", "is_wrong", "is_cleared"), ("mark",)),
    "by": ("mark", "accept", "review", "propose"),
    "output_file": ("export",),
    "new_name": ("import",),
    "yes": ("remove",),
}


def search_options() -> list[click.Parameter]:
    """Return the arguments and options of the command."""
    query = [one for one in options.query() if isinstance(one, click.Option)]
    return [
        click.Argument(
            ["action"],
            type=click.Choice(tuple(WORDS)),
            default="list",
            help="save NAME [FILE]: save a search; list: show all; show NAME: show one with its marks; "
            "run NAME: search again; mark NAME PATH|ID[:FROM-TO]: mark a place; undo NAME: "
            "take back the latest mark; accept NAME: annotate the right places; review NAME: decide "
            "on hits one by one; estimate NAME: precision of the hits; propose NAME: review likely hits "
            "for a label; export NAME, import FILE: one file; remove NAME; default: list",
        ),
        click.Argument(
            ["words"],
            nargs=-1,
            type=options.FileName(str),
            metavar="[NAME] [FILE|PLACE]",
            help="name of the search, and a sound, a place or a file",
        ),
        *query,
        options.option_of(SearchRequest, "like", "--like", **EXAMPLE),
        options.option_of(SearchRequest, "unlike", "--unlike", **EXAMPLE),
        options.option_of(RunRequest, "top_k", "--top-k", "-k", type=int, metavar="N"),
        options.option_of(RunRequest, "min_score", "--min-score", type=float, metavar="S"),
        options.option_of(
            RunRequest, "max_false_alarms", "--max-false-alarms", type=float, metavar="RATE"
        ),
        click.Option(
            ["--group-by"],
            type=click.Choice(GROUPS),
            help="recording, or label: only the best match of each label; default: recording",
        ),
        options.option_of(SaveRequest, "replace", "--replace"),
        options.option_of(RunRequest, "unmarked", "--unmarked"),
        options.option_of(RunRequest, "use_marks", "--use-marks"),
        click.Option(
            ["--order"], type=click.Choice(ORDERS), help=description_of(ReviewRequest, "order")
        ),
        click.Option(
            ["--share"], type=int, metavar="PERCENT", help=description_of(ReviewRequest, "share")
        ),
        click.Option(["--seed"], type=int, metavar="N", help=description_of(ReviewRequest, "seed")),
        click.Option(
            ["--min-precision"],
            type=float,
            metavar="P",
            help="hits with at least this expected precision, 0 to 1; default of estimate and propose: "
            f"{PROPOSED_FROM:g}",
        ),
        options.flag("--events", help="run: list every occurrence of the query, by stored vectors"),
        click.Option(["is_right", "--right"], is_flag=True, help="mark: the place is right"),
        click.Option(["is_wrong", "--wrong"], is_flag=True, help="mark: the place is wrong"),
        click.Option(["is_cleared", "--clear"], is_flag=True, help="mark: remove the mark of the place"),
        click.Option(["--by"], metavar="PERSON", help="name of the person who decides"),
        click.Option(
            ["output_file", "--output", "-o"],
            type=options.FileName(),
            metavar="FILE",
            help="export: file to write; default: stdout",
        ),
        click.Option(["new_name", "--as"], metavar="NAME", help="import: name of the search here"),
        options.flag("--yes", help="remove without asking"),
        options.collection(),
        *options.filters(),
        *exporting.export_options(),
        *options.server(what_is_there="with --server, paths are those of its machine"),
        *options.encoding(),
    ]


def check_usage(action: str, words: tuple[str, ...], values: Mapping[str, Any]) -> None:
    """Raise `ParameterError` for too many or few words, and for options of another action."""
    least, most, usage = WORDS[action]
    if not least <= len(words) <= most:
        raise ParameterError(f"give: soundalike searches {action} {usage}".rstrip())
    for name, value in values.items():
        owners = _OWNERS.get(name)
        if owners and action not in owners and value not in (None, False, (), {}, ""):
            shown = _option_of(name)
            raise ParameterError(f"{shown} belongs to {' and '.join(owners)}; the action is {action}")


def _option_of(name: str) -> str:
    found = next(one for one in search_options() if one.name == name)
    return found.opts[0]
