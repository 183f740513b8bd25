"""Options that several commands share, as parents of their parsers."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from soundalike.audio.windows import WindowPlan
from soundalike.config import DEFAULT_COLLECTION, MODELS, PRECISIONS


def common() -> argparse.ArgumentParser:
    """Return the options of every command."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="print JSON lines on stdout")
    parent.add_argument(
        "--database-url",
        metavar="URL",
        help="PostgreSQL server; default: SOUNDALIKE_DATABASE_URL, else the embedded server",
    )
    parent.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder of the embedded server and of weights; default: SOUNDALIKE_DATA_DIR, else "
        "~/.local/share/soundalike",
    )
    return parent


def encoding(*, of_index: bool = True) -> argparse.ArgumentParser:
    """Return the options of what embeds; `of_index`: an index's windows are the standard."""
    first = "the index's, else " if of_index else ""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--model",
        choices=MODELS,
        help="encoder; auto takes VGGish where its weights are; default: SOUNDALIKE_MODEL, else auto",
    )
    parent.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="VGGish checkpoint to use instead of the published one; default: SOUNDALIKE_CHECKPOINT",
    )
    parent.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="what VGGish computes in; default: SOUNDALIKE_PRECISION, else auto: bfloat16 where the "
        "processor has instructions for it",
    )
    standard = WindowPlan()
    parent.add_argument(
        "--window-size",
        type=float,
        metavar="S",
        help=f"length of a window in seconds; default: {first}{standard.window_s:g}",
    )
    parent.add_argument(
        "--stride",
        type=float,
        metavar="S",
        help=f"distance between windows in seconds; default: {first}{standard.stride_s:g}",
    )
    return parent


def collection() -> argparse.ArgumentParser:
    """Return the option of commands that work on one index."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--collection",
        metavar="NAME",
        default=DEFAULT_COLLECTION,
        help=f"which of several indexes side by side; default: {DEFAULT_COLLECTION}",
    )
    return parent


def time_zone(of_what: str) -> argparse.ArgumentParser:
    """Return the option of commands that read or show times."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--time-zone",
        metavar="NAME",
        help=f"zone of {of_what}, like Europe/Berlin or UTC-3; default: SOUNDALIKE_TIME_ZONE, else UTC",
    )
    return parent


def server(*, what_is_there: str | None = None) -> argparse.ArgumentParser:
    """Return the options of what a service can do as well.

    Parameters
    ----------
    what_is_there : str, optional
        What ``--on-server`` says of the paths; without it there is no such option.
    """
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--server",
        metavar="URL",
        help="ask the service that runs there in place of the index on this machine; "
        "SOUNDALIKE_API_KEY is its key; default: SOUNDALIKE_SERVER",
    )
    if what_is_there:
        parent.add_argument("--on-server", action="store_true", help=what_is_there)
    return parent


def filters() -> argparse.ArgumentParser:
    """Return the options that narrow a search."""
    parent = argparse.ArgumentParser(
        add_help=False, parents=[time_zone("times that name none, and of those that are shown")]
    )
    parent.add_argument("--label", action="append", default=[], help="only this label; repeatable")
    parent.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="only with this tag; repeatable",
    )
    parent.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="only with tags like this: depth_m>=1.5, site in pond,lake, gps.lat<0, species!=dog; a tag "
        "that is not there meets no condition; repeatable",
    )
    parent.add_argument("--under", default="", metavar="PATH", help="only files under this path")
    parent.add_argument(
        "--exclude-self", action="store_true", help="leave out the query's own recording"
    )
    parent.add_argument(
        "--since", metavar="TIME", help="only what was heard at this time or later; a date, or ISO 8601"
    )
    parent.add_argument("--until", metavar="TIME", help="only what was heard before this time")
    parent.add_argument(
        "--time-of-day",
        metavar="FROM-TO",
        help="only what was heard between these times of a clock, like 05:00-08:00; over midnight "
        "where the second is earlier",
    )
    return parent


def collections() -> argparse.ArgumentParser:
    """Return the option of commands that look into several indexes together."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--collection",
        dest="collections",
        action="append",
        default=[],
        metavar="NAME",
        help="which of several indexes side by side; repeatable, for indexes of the same encoder and "
        f"windows; default: {DEFAULT_COLLECTION}",
    )
    return parent


def query() -> argparse.ArgumentParser:
    """Return the options that say what to look for."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("query", nargs="?", metavar="FILE", help="the sound to look for")
    parent.add_argument(
        "--recording-id",
        metavar="ID",
        help="look for what is like this stored recording, in place of FILE; nothing is decoded",
    )
    parent.add_argument(
        "--vector",
        type=Path,
        metavar="FILE",
        help="look for this vector, in place of FILE: a .npy file with one row, or a JSON list; as many "
        "numbers as the index's vectors have",
    )
    parent.add_argument(
        "--at",
        type=second,
        metavar="TIME",
        help="look only for the one window around this second of the recording; 42 or 1:02:05.5",
    )
    parent.add_argument(
        "--start", type=second, metavar="TIME", help="look only for what comes from this second on"
    )
    parent.add_argument("--end", type=second, metavar="TIME", help="look only for what comes before it")
    return parent


def second(text: str) -> float:
    """Return a place in a recording in seconds, as a clock or a number shows it.

    Raises
    ------
    argparse.ArgumentTypeError
        It is neither.

    Examples
    --------
    >>> second("42.5"), second("1:30"), second("1:02:05.5")
    (42.5, 90.0, 3725.5)
    """
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give seconds, or 1:02:05.5")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds
