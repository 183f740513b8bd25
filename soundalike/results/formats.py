"""The formats of exported results, and their names, suffixes and media types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from soundalike.errors import ParameterError
from soundalike.results import labels, playlist, tables
from soundalike.results.spans import Span

ResultFormat = Literal["csv", "jsonl", "parquet", "audacity", "raven", "m3u"]
RESULT_FORMATS: tuple[ResultFormat, ...] = get_args(ResultFormat)
#: Format of cut-outs; see `soundalike.results.cut_outs`.
CUT_OUTS = "zip"


class Kind(NamedTuple):
    """Suffix, media type and writer of a format."""

    suffix: str
    media_type: str
    chunks: Callable[[Iterable[Span]], Iterator[bytes]]


KINDS: dict[ResultFormat, Kind] = {
    "csv": Kind(".csv", "text/csv; charset=utf-8", tables.csv_chunks),
    "jsonl": Kind(".jsonl", "application/jsonl; charset=utf-8", tables.jsonl_chunks),
    "parquet": Kind(".parquet", "application/vnd.apache.parquet", tables.parquet_chunks),
    "audacity": Kind(".txt", "text/plain; charset=utf-8", labels.audacity_chunks),
    "raven": Kind(".selections.txt", "text/tab-separated-values; charset=utf-8", labels.raven_chunks),
    "m3u": Kind(".m3u8", "audio/x-mpegurl; charset=utf-8", playlist.m3u_chunks),
}
_SUFFIXES: dict[str, ResultFormat] = {
    **{".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"},
    **{".txt": "audacity", ".m3u": "m3u", ".m3u8": "m3u"},
}


def format_named(name: str) -> ResultFormat | None:
    """Return the format that the suffix of a file's name says; None for other names.

    Examples
    --------
    >>> format_named("hits.Table.1.selections.txt"), format_named("hits.txt"), format_named("hits")
    ('raven', 'audacity', None)
    """
    low = name.lower()
    if low.endswith(".selections.txt"):
        return "raven"
    return _SUFFIXES.get(Path(low).suffix)


def chunks(spans: Iterable[Span], kind: ResultFormat) -> Iterator[bytes]:
    """Yield the bytes of a file, as the spans come.

    Raises
    ------
    ParameterError
        The format is unknown, or cannot have these spans.
    """
    if kind not in KINDS:
        raise ParameterError(f"format is {kind!r}; choose one of {', '.join(RESULT_FORMATS)}")
    return KINDS[kind].chunks(spans)
