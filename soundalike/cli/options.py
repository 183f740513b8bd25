"""Options that several commands share, and their types."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.files import looks_like_audio
from soundalike.audio.sniffing import AUDIO_SUFFIXES
from soundalike.audio.urls import checked_url, folder_of, is_remote, suffix_of
from soundalike.audio.windows import WindowPlan
from soundalike.config import DEFAULT_COLLECTION, DOWNLOADABLE, MODELS, PRECISIONS
from soundalike.errors import ParameterError
from soundalike.parameters import description_of, field_of
from soundalike.search.requests import Narrowing, SearchRequest

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class FileName(click.ParamType[Any]):
    """A path, which the shell completes; as a text, or as a `Path`."""

    name = "path"

    def __init__(self, kind: type[str] | type[Path] = Path) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; that it can be used is checked by who uses it."""
        return self._kind(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete it."""
        return click.Path().shell_complete(ctx, param, incomplete)


class Second(click.ParamType[float]):
    """A place in a recording in seconds, as a clock or a number shows it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; see `second`."""
        if isinstance(value, float):
            return value
        try:
            return second(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


def second(text: str) -> float:
    """Return a place in a recording in seconds, as a clock or a number shows it.

    Raises
    ------
    ValueError
        It is neither.

    Examples
    --------
    >>> second("42.5"), second("1:30"), second("1:02:05.5")
    (42.5, 90.0, 3725.5)
    """
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a time; give seconds, or 1:02:05.5")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def flag(*names: str, help: str) -> click.Option:  # noqa: A002 - as Click calls it
    """Return an option without a value."""
    return click.Option(names, is_flag=True, help=help)


def option_of(request: type, field: str, *names: str, more: str = "", **settings: Any) -> click.Option:
    """Return the option that stands for a field of a request, with its default and description.

    Parameters
    ----------
    request : type
        A dataclass of the core.
    field : str
        The option's value has this name too.
    *names : str
        The option's.
    more : str
        What the command line adds to the description.
    settings
        More of Click's.
    """
    found = field_of(request, field)
    given: dict[str, Any] = {"help": description_of(request, field) + more}
    if isinstance(found.default, bool):
        given["is_flag"] = True
    elif found.default is MISSING:
        given["required"] = found.default_factory is MISSING
    elif found.default not in (None, (), ""):
        given["default"] = found.default
        shown = f"{found.default:g}" if isinstance(found.default, float) else found.default
        given["help"] += f"; default: {shown}"
    return click.Option([field, *names], **{**given, **settings})


def common() -> list[click.Parameter]:
    """Return the options of every command."""
    return [
        click.Option(["as_json", "--json"], is_flag=True, help="print JSON lines on stdout"),
        click.Option(
            ["--database-url"],
            metavar="URL",
            help="PostgreSQL server; default: SOUNDALIKE_DATABASE_URL, else the embedded server",
        ),
        click.Option(
            ["--data-dir"],
            type=FileName(),
            metavar="DIR",
            help="folder of the embedded server and of weights; default: SOUNDALIKE_DATA_DIR, else "
            "~/.local/share/soundalike",
        ),
    ]


def _complete_model(_context: object, _option: object, begun: str) -> list[str]:
    return [name for name in (*MODELS, *DOWNLOADABLE) if name.startswith(begun)]


def encoding(*, of_index: bool = True) -> list[click.Parameter]:
    """Return the options of encoders and windows; `of_index`: the default is the index's windows."""
    first = "the index's, else " if of_index else ""
    standard = WindowPlan()
    return [
        click.Option(
            ["--model"],
            metavar="NAME",
            shell_complete=_complete_model,
            help=f"encoder: {', '.join((*MODELS, *DOWNLOADABLE))}, or one of your own; several joined "
            "by '+' share an index, with weights if you like (logmel-modulation:1+aisfx:2); auto takes "
            "VGGish if its weights are installed; default: SOUNDALIKE_MODEL, else auto",
        ),
        click.Option(
            ["--checkpoint"],
            type=FileName(),
            metavar="FILE",
            help="VGGish checkpoint to use instead of the published one; default: SOUNDALIKE_CHECKPOINT",
        ),
        click.Option(
            ["--precision"],
            type=click.Choice(PRECISIONS),
            help="number format of VGGish; default: SOUNDALIKE_PRECISION, else auto: bfloat16 if the "
            "processor supports it",
        ),
        click.Option(
            ["--window-size"],
            type=float,
            metavar="S",
            help=f"length of a window in seconds; default: {first}{standard.window_s:g}",
        ),
        click.Option(
            ["--stride"],
            type=float,
            metavar="S",
            help=f"distance between windows in seconds; default: {first}{standard.stride_s:g}",
        ),
    ]


def collection() -> click.Parameter:
    """Return the option of commands that work on one index."""
    return click.Option(
        ["--collection"],
        metavar="NAME",
        default=DEFAULT_COLLECTION,
        help=f"collection to use; default: {DEFAULT_COLLECTION}",
    )


def collections() -> click.Parameter:
    """Return the option of commands that look into several indexes together."""
    return click.Option(
        ["collections", "--collection"],
        multiple=True,
        metavar="NAME",
        help="collection to search; repeatable, for collections of the same encoder and windows; "
        f"default: {DEFAULT_COLLECTION}",
    )


def time_zone(of_what: str) -> click.Parameter:
    """Return the option of commands that read or show times."""
    return click.Option(
        ["--time-zone"],
        metavar="NAME",
        help=f"time zone of {of_what}, like Europe/Berlin or UTC-3; default: SOUNDALIKE_TIME_ZONE, "
        "else UTC",
    )


def server(*, what_is_there: str | None = None) -> list[click.Parameter]:
    """Return the options of commands that work on a service too.

    Parameters
    ----------
    what_is_there : str, optional
        Help of ``--on-server``; without it there is no such option.
    """
    found: list[click.Parameter] = [
        click.Option(
            ["--server"],
            metavar="URL",
            help="use the service at this address instead of the index on this machine; "
            "SOUNDALIKE_API_KEY is its key; default: SOUNDALIKE_SERVER",
        )
    ]
    return [*found, flag("--on-server", help=what_is_there)] if what_is_there else found


def tags(request: type) -> click.Parameter:
    """Return the option that gives tags."""
    return option_of(
        request,
        "tags",
        "--tag",
        more="; repeatable",
        multiple=True,
        metavar="KEY=VALUE",
        callback=lambda ctx, param, value: parse_tags(value),
    )


def filters() -> list[click.Parameter]:
    """Return the options that narrow a search: the fields of a `Narrowing`, and the time zone."""
    return [
        option_of(Narrowing, "labels", "--label", more="; repeatable", multiple=True, metavar="LABEL"),
        tags(Narrowing),
        option_of(
            Narrowing, "where", "--where", more="; repeatable", multiple=True, metavar="CONDITION"
        ),
        click.Option(
            ["uri_prefix", "--under"],
            default="",
            type=FileName(str),
            metavar="PATH",
            help="only recordings under this path",
            callback=lambda ctx, param, value: prefix_below(value),
        ),
        option_of(SearchRequest, "exclude_self", "--exclude-self"),
        option_of(Narrowing, "since", "--since", metavar="TIME"),
        option_of(Narrowing, "until", "--until", metavar="TIME"),
        option_of(Narrowing, "time_of_day", "--time-of-day", metavar="FROM-TO"),
        time_zone("input without one, and of output"),
    ]


def query() -> list[click.Parameter]:
    """Return the options that name the query."""
    return [
        click.Argument(
            ["file"],
            required=False,
            type=FileName(str),
            metavar="[FILE]",
            help="sound to search with",
        ),
        click.Option(
            ["--recording-id"],
            metavar="ID",
            help="search with this stored recording instead of FILE; nothing is decoded",
        ),
        click.Option(
            ["--vector"],
            type=FileName(),
            metavar="FILE",
            help="search with this vector instead of FILE: a .npy file with one row, or a JSON list; as "
            "many numbers as the index's vectors have",
        ),
        click.Option(
            ["--text"],
            metavar="TEXT",
            help="search with this description of a sound instead of FILE, like 'dog barking far away'; "
            "only for a model with a network for texts",
        ),
        click.Option(
            ["--like-label"],
            metavar="LABEL",
            help="search with all annotated spans that have this label instead of FILE; see annotations",
        ),
        option_of(Excerpt, "at_s", "--at", more="; 42 or 1:02:05.5", type=Second(), metavar="TIME"),
        option_of(Excerpt, "start_s", "--start", type=Second(), metavar="TIME"),
        option_of(Excerpt, "end_s", "--end", type=Second(), metavar="TIME"),
    ]


def paths(*, required: bool) -> click.Parameter:
    """Return the argument of commands that read sound files."""
    return click.Argument(
        ["paths"],
        nargs=-1,
        required=required,
        type=FileName(str),
        metavar="PATH..." if required else "[PATH]...",
        help="file, folder or glob pattern",
    )


def metadata(what: str) -> list[click.Parameter]:
    """Return the options that name tables of the files, and that keep others from being looked for."""
    return [
        click.Option(
            ["--metadata"],
            type=FileName(),
            multiple=True,
            metavar="FILE",
            help="table of the files: CSV, TSV or JSON lines with file_name (or filename, file, path; "
            f"relative to the table's folder or to the folders that are given), {what}; may be "
            "repeated; default: each metadata.csv and metadata.jsonl in these folders that names files",
        ),
        flag("--no-metadata", help="ignore metadata.csv and metadata.jsonl in these folders"),
    ]


def list_skipped() -> click.Parameter:
    """Return the option that lists ignored files."""
    return flag(
        "--list-skipped",
        help="list ignored files of these folders and the reasons on stderr; with --json, as JSON lines",
    )


def parse_tags(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn ``KEY=VALUE`` into tags; a value that reads as JSON is taken as such, else as text.

    Examples
    --------
    >>> parse_tags(["site=pond", "depth_m=1.5"])
    {'site': 'pond', 'depth_m': 1.5}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ParameterError(f"tag {pair!r} is not of the form KEY=VALUE")
        try:
            found[key] = json.loads(value, parse_constant=_no_constant)
        except ValueError:
            found[key] = value
    return found


def _no_constant(name: str) -> Any:
    """Refuse NaN and Infinity, which Python reads but JSON does not know."""
    raise ValueError(name)


def prefix_below(under: str) -> str:
    """Return what the paths under a file or folder begin with; a folder's neighbours do not.

    A path that does not exist was a folder, unless its name is that of a sound.
    """
    if is_remote(under):
        url = checked_url(under)
        return url if suffix_of(url) in AUDIO_SUFFIXES else folder_of(url)
    path = Path(under).absolute()
    is_file = path.is_file() or (not path.exists() and looks_like_audio(path))
    return "" if not under else str(path) if is_file else str(path).rstrip("/") + "/"
