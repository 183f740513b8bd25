"""Results as sequences that show themselves as tables."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload
from xml.etree import ElementTree

from soundalike.display.extras import needed
from soundalike.display.sound import seconds, shown_path
from soundalike.evaluation.html import element, table

if TYPE_CHECKING:
    import pandas

Item = TypeVar("Item")
#: Rows of a table on the screen.
MAX_ROWS = 20
_MAX_TEXT = 80
_PATHS = ("path", "nearest")


class Results(Sequence[Item], Generic[Item]):
    """A sequence of results, which can be shown as a table.

    Parameters
    ----------
    items : iterable
    warnings : sequence of str
        Reasons why results may be unreliable.
    missing_shards : sequence of str
        Databases of the index that could not be reached; their recordings are missing.
    """

    #: Columns of `to_pandas`.
    columns: ClassVar[tuple[str, ...]] = ()
    #: Columns of the table on the screen; ``at`` joins start and end.
    shown: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, items: Iterable[Item], warnings: Sequence[str] = (), missing_shards: Sequence[str] = ()
    ) -> None:
        self._items = tuple(items)
        self.warnings = tuple(warnings)
        self.missing_shards = tuple(missing_shards)

    @property
    def partial(self) -> bool:
        """Whether recordings are missing, because a database of the index could not be reached."""
        return bool(self.missing_shards)

    @property
    def title(self) -> str:
        """Number and kind of the results."""
        return counted(len(self), "result")

    def rows_of(self, item: Item) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of an item, with the values of all columns."""
        raise NotImplementedError

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield all rows, with the values of all columns."""
        for item in self._items:
            yield from self.rows_of(item)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table with all columns.

        Raises
        ------
        ParameterError
            pandas is not installed.
        """
        frame = needed("pandas", "a table").DataFrame
        return frame([[row[name] for name in self.columns] for row in self.rows()], columns=self.columns)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> Item | Self:
        if not isinstance(at, slice):
            return self._items[at]
        part = copy.copy(self)
        part._items = self._items[at]
        return part

    def __repr__(self) -> str:
        cells, n_more = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        more = [f"... {n_more} more"] if n_more else []
        notes = [f"warning: {_printable(warning)}" for warning in self.warnings]
        return "\n".join([self.title, *(lines if len(cells) > 1 else ()), *more, *notes])

    def _repr_html_(self) -> str:
        (header, *rows), n_more = self._cells()
        parts = [element("p", f"warning: {warning}") for warning in self.warnings]
        if rows:
            parts.insert(0, table(self.title, header, rows, numbers=False))
        else:
            parts.insert(0, element("p", self.title))
        if n_more:
            parts.insert(1, element("p", f"... {n_more} more"))
        return ElementTree.tostring(element("div", *parts), encoding="unicode", method="html")

    def shown_rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of the table on the screen."""
        return self.rows()

    def _cells(self) -> tuple[list[list[str]], int]:
        """Return the header and the first rows as text, and the number of the other rows."""
        rows = self.shown_rows()
        cells = [[_shown(name, row) for name in self.shown] for row in islice(rows, MAX_ROWS)]
        used = [column for column, name in enumerate(self.shown) if any(row[column] for row in cells)]
        header = ["", *(self.shown[column] for column in used)]
        table = [[str(number), *(row[column] for column in used)] for number, row in enumerate(cells)]
        return [header, *table], sum(1 for _ in rows)


def _shown(name: str, row: Mapping[str, Any]) -> str:
    if name == "at":
        return "" if row["start_s"] is None else seconds(row["start_s"], row["end_s"])
    value = row[name]
    if value is None:
        return ""
    if isinstance(value, datetime):
        if row.get("recorded_at_source") == "mtime":
            # Copying a file may have changed it.
            return ""
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, float):
        return f"{value:.1f}" if name.endswith("_s") else f"{value:.3f}"
    return _one_line(shown_path(value) if name in _PATHS else str(value))


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _one_line(text: str) -> str:
    plain = _printable(text)
    return plain if len(plain) <= _MAX_TEXT else f"{plain[: _MAX_TEXT - 3]}..."


def counted(number: int, word: str) -> str:
    """Return a number with its word.

    Examples
    --------
    >>> counted(1, "match"), counted(2, "match"), counted(2, "file")
    ('1 match', '2 matches', '2 files')
    """
    plural = "es" if word.endswith(("ch", "s")) else "s"
    return f"{number} {word}{'' if number == 1 else plural}"
