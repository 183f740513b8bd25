"""Further examples of a search: stored recordings, or parts of them, that are right or wrong.

Little is imported, so that the command line can read them without NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.errors import ParameterError

#: Maximum number of examples of each kind; the time of a search grows with it.
MAX_MARKS = 100
_ID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART = re.compile(r"(?s)(.+):(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Example:
    """A stored recording, or a part of it.

    Attributes
    ----------
    key : str
        Path or id of the recording.
    excerpt : Excerpt
        Selects windows.
    """

    key: str
    excerpt: Excerpt = WHOLE

    def __str__(self) -> str:
        """Return the text that `parse_example` reads."""
        if self.excerpt.is_whole:
            return self.key
        return f"{self.key}:{self.excerpt.start_s:g}-{self.excerpt.end_s:g}"


def is_id(key: str) -> bool:
    """Return whether a key is the id of a recording, not a path."""
    return _ID.fullmatch(key) is not None


def parse_example(text: str) -> Example:
    """Return the example that a text names: a path or an id, and the seconds of a part.

    Raises
    ------
    ParameterError
        The text is empty, or the part ends before it begins.

    Examples
    --------
    >>> parse_example("/field/pond.flac:10-14.5").excerpt.end_s
    14.5
    >>> str(parse_example("/field/pond.flac:10-14.5")), parse_example("/a.wav").excerpt.is_whole
    ('/field/pond.flac:10-14.5', True)
    """
    found = _PART.fullmatch(text)
    key = found.group(1) if found else text
    if not key.strip():
        raise ParameterError("an example is empty; give a path or an id, like pond.flac:10-14")
    return Example(key, Excerpt(float(found.group(2)), float(found.group(3))) if found else WHOLE)


def parse_examples(texts: Iterable[str], name: str) -> tuple[Example, ...]:
    """Return the examples that texts name.

    Parameters
    ----------
    texts : iterable of str
    name : str
        Name of the parameter, for the error.

    Raises
    ------
    ParameterError
        A text cannot be read, or there are more than `MAX_MARKS`.
    """
    found = tuple(parse_example(text) for text in texts)
    check_marks(len(found), name)
    return found


def check_marks(number: int, name: str) -> None:
    """Raise `ParameterError` if there are more than `MAX_MARKS` examples."""
    if number > MAX_MARKS:
        raise ParameterError(f"{name} has {number} examples; give at most {MAX_MARKS}")
