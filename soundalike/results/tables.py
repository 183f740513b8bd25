"""Spans as tables: CSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import islice
from typing import Any

from soundalike.annotations.reading import guarded
from soundalike.errors import ParameterError
from soundalike.results.spans import Span

#: Columns of all tables, in this order.
COLUMNS = (
    *("rank", "score", "false_alarm_rate", "uri", "start_s", "end_s", "label", "low_hz", "high_hz"),
    *("query_start_s", "query_end_s", "occurred_at", "duration_s", "recording_id", "collection"),
)
_TEXTS = ("uri", "label", "recording_id", "collection")
_SCORE_DIGITS, _TIME_DIGITS = 6, 6
_GROUP_ROWS = 10_000


def csv_chunks(spans: Iterable[Span]) -> Iterator[bytes]:
    """Yield a CSV in UTF-8 with a header.

    Texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    yield _csv_line(COLUMNS)
    for span in spans:
        values = row_of(span)
        texts = {name: guarded(values[name]) for name in _TEXTS if values[name] is not None}
        yield _csv_line((values | texts).values())


def jsonl_chunks(spans: Iterable[Span]) -> Iterator[bytes]:
    """Yield JSON lines in UTF-8."""
    for span in spans:
        yield (
            json.dumps(row_of(span), ensure_ascii=False, allow_nan=False).encode(
                errors="backslashreplace"
            )
            + b"\n"
        )


def parquet_chunks(spans: Iterable[Span]) -> Iterator[bytes]:
    """Yield a Parquet file, some thousand rows at a time.

    Raises
    ------
    ParameterError
        pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise ParameterError(
            "writing Parquet needs pyarrow; install it with: pip install 'soundalike[parquet]'"
        ) from exc
    kinds = dict.fromkeys(COLUMNS, pyarrow.float64())
    kinds |= dict.fromkeys(_TEXTS, pyarrow.string())
    kinds |= {"rank": pyarrow.int64(), "occurred_at": pyarrow.timestamp("us", "UTC")}
    schema = pyarrow.schema(list(kinds.items()))
    sink = _Sink()
    rows = iter(spans)
    with pyarrow.parquet.ParquetWriter(pyarrow.PythonFile(sink, "w"), schema) as writer:
        while batch := [
            row_of(span) | {"occurred_at": span.occurred_at} for span in islice(rows, _GROUP_ROWS)
        ]:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
            yield sink.taken()
    yield sink.taken()


def row_of(span: Span) -> dict[str, Any]:
    """Return the values of a span by column, as JSON has them."""
    values = {name: getattr(span, name) for name in COLUMNS}
    for name in ("start_s", "end_s", "query_start_s", "query_end_s"):
        values[name] = None if values[name] is None else round(values[name], _TIME_DIGITS)
    values["score"] = None if span.score is None else round(span.score, _SCORE_DIGITS)
    values["occurred_at"] = span.occurred_at and span.occurred_at.astimezone(UTC).isoformat()
    return values


def _csv_line(cells: Iterable[Any]) -> bytes:
    line = io.StringIO()
    # The standard line end, so that the writer also quotes texts with a carriage return.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode(errors="backslashreplace")


class _Sink:
    """A file that keeps written bytes until they are taken."""

    def __init__(self) -> None:
        self._content = bytearray()
        self.closed = False

    def write(self, content: Any) -> int:
        self._content += content
        return len(content)

    def taken(self) -> bytes:
        content = bytes(self._content)
        self._content.clear()
        return content

    def flush(self) -> None:
        """Do nothing: nothing is buffered elsewhere."""

    def close(self) -> None:
        self.closed = True
