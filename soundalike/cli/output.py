"""Writing: data to stdout, as JSON lines or for people; notes and progress to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from soundalike.errors import ParameterError

_STYLES = {"bold": 1, "red": 31, "green": 32, "yellow": 33}


def note(text: str) -> None:
    """Write a line of chatter to stderr."""
    print(text, file=sys.stderr, flush=True)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = (visible(line) for line in self.format(record).splitlines())
        note("soundalike: " + "\n".join(lines))


def log_to_notes() -> None:
    """Write what is logged to stderr."""
    log = logging.getLogger("soundalike")
    if not any(isinstance(handler, _Notes) for handler in log.handlers):
        log.addHandler(_Notes())


def data(text: str) -> None:
    """Write a line of data to stdout."""
    with _stdout():
        print(text, flush=True)


def table(lines: Sequence[str]) -> None:
    """Write a table to stdout; its first line is bold where a person reads it."""
    for number, line in enumerate(lines):
        data(styled(line, "bold") if number == 0 else line)


def styled(text: str, style: str) -> str:
    """Return text for stdout in a style: ``bold``, ``green``, ``yellow`` or ``red``.

    It stays plain if stdout is not a terminal, if ``TERM`` is ``dumb``, and if ``NO_COLOR`` is set.
    """
    if not to_terminal() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def data_bytes(content: bytes) -> None:
    """Write bytes to stdout."""
    if sys.stdout is None:  # closed by the parent process
        raise ParameterError("stdout is closed; write to a file with --output")
    with _stdout():
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


@contextmanager
def _stdout() -> Iterator[None]:
    """Turn a full disk, and the like, into an error; a reader that went away is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        # What could not be written would be tried once more, in vain, when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ParameterError(f"stdout cannot be written: {exc.strerror}") from exc


def json_line(values: Mapping[str, Any]) -> None:
    """Write one JSON object, on one line, to stdout."""
    data(json.dumps(values, ensure_ascii=False, allow_nan=False, default=str))


def to_terminal() -> bool:
    """Tell whether a person reads stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def progress(total: int | None, label: str) -> Callable[[int], None]:
    """Return a function that shows on stderr how many of `total` are done; None: it is not known.

    On a terminal the line is rewritten; elsewhere a line appears every few seconds.
    """
    from tqdm import tqdm

    bar = tqdm(
        total=total,
        desc=label,
        file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else 3.0,
        delay=0.5,
        leave=False,
    )

    def show(done: int) -> None:
        bar.update(done - bar.n)
        if total is not None and done >= total:
            bar.close()

    return show


@contextmanager
def transfer(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that shows on stderr how many bytes are here, and of how many where known."""
    from tqdm import tqdm

    bar = tqdm(
        desc=label,
        unit="B",
        unit_scale=True,
        file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else 3.0,
        delay=0.5,
        leave=False,
    )

    def show(here: int, total: int | None) -> None:
        bar.total = total
        bar.update(here - bar.n)

    # Closed in any case, so that what is said next has a line of its own.
    with bar:
        yield show


def match_table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a ranked table: clip, score, the matching seconds of query and clip, label.

    And the strength of the match with its false-alarm rate, where that is known of any; the number of
    other events in the recording, where there are any; the collection
    where they are from several; and when it was heard, where that is known of any, with ``?`` where only
    the time of a file's last change tells it.
    """
    rows = list(rows)
    header = ["rank", "score", "clip", "at", "query at", "label"]
    lines = [
        [
            str(row["rank"]),
            f"{row['score']:.3f}",
            short_path(row["uri"]),
            seconds(row["start_s"], row["end_s"]),
            _query_seconds(row),
            row["label"] or "",
        ]
        for row in rows
    ]
    times = [when(row) for row in rows]
    table = [header, *lines]
    if any(row.get("false_alarm_rate") is not None for row in rows):
        strengths = ["match", *map(strength, rows)]
        table = [[*line[:2], cell, *line[2:]] for line, cell in zip(table, strengths, strict=True)]
    if any(row.get("n_other_events") for row in rows):
        others = ["others", *(str(row.get("n_other_events") or "") for row in rows)]
        table = [[*line, cell] for line, cell in zip(table, others, strict=True)]
    names = [row["collection"] for row in rows]
    if len(set(names)) > 1:
        table = [[*line, name] for line, name in zip(table, ["collection", *names], strict=True)]
    if any(times):
        table = [[*line, time] for line, time in zip(table, ["heard at", *times], strict=True)]
    return columns(table, right=(0, 1))


def strength(row: Mapping[str, Any]) -> str:
    """Return the word and the false-alarm rate of a match or an event."""
    rate = row.get("false_alarm_rate")
    return "unknown" if rate is None else f"{row['strength']} {rate:.2g}"


def _query_seconds(row: Mapping[str, Any]) -> str:
    if row["query_start_s"] is None:
        return "-"
    return seconds(row["query_start_s"], row["query_end_s"])


def when(row: Mapping[str, Any]) -> str:
    """Return when a match or an event was heard; empty where that is not known."""
    if not row.get("occurred_at"):
        return ""
    at = datetime.fromisoformat(row["occurred_at"]).isoformat(" ", "seconds")
    return f"{at} ?" if row.get("recorded_at_source") == "mtime" else at


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return rows as lines of aligned columns; the columns in `right` are aligned right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def seconds(start_s: float, end_s: float) -> str:
    """Return a stretch of time for people.

    Examples
    --------
    >>> seconds(2.0, 6.0), seconds(3725.5, 3729.5)
    ('2.0-6.0 s', '1:02:05.5-1:02:09.5')
    """
    if end_s < 60:
        return f"{start_s:.1f}-{end_s:.1f} s"
    return f"{_clock(start_s)}-{_clock(end_s)}"


def _clock(time_s: float) -> str:
    minutes, rest = divmod(round(time_s, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def short_path(uri: str) -> str:
    """Return a path relative to the working directory where it lies below it."""
    try:
        return str(Path(uri).relative_to(Path.cwd()))
    except ValueError:
        return uri


def visible(text: str) -> str:
    r"""Return text for one line of a terminal: characters that would steer it are escaped.

    Examples
    --------
    >>> print(visible("owl\n\x1b[31m"))
    owl\n\x1b[31m
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
