"""Read the lines of text files that other programs wrote; the content is untrusted."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from soundalike.errors import MetadataError

#: Maximum number of characters of a line.
MAX_LINE = 65_536
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file with their line ends.

    UTF-8 with or without a byte order mark, or UTF-16 with one, as programs on Windows write it.

    Raises
    ------
    MetadataError
        The file cannot be read, is not text, or has a line of more than `MAX_LINE` characters.
    """
    shown = f"{str(path)!r}"
    with _opened(path) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise MetadataError(
                    f"line {number} of {shown} has more than {MAX_LINE} characters; give a label file"
                )
            if "\0" in line:
                raise MetadataError(
                    f"{shown} is not text: line {number} contains NUL; give a label file"
                )
            yield line


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    shown = f"{str(path)!r}"
    try:
        with path.open("rb") as file:
            head = file.read(4)
        encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")
        # newline="": a line end inside quotes belongs to the cell.
        with path.open(encoding=encoding, newline="") as text:
            yield text
    except UnicodeError as exc:
        raise MetadataError(
            f"{shown} is not in UTF-8 ({exc.reason if isinstance(exc, UnicodeDecodeError) else exc}); "
            "save it as UTF-8"
        ) from exc
    except OSError as exc:
        raise MetadataError(f"{shown} cannot be read ({exc.strerror}); check the path") from exc
