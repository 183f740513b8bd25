"""Answers of a store of several databases while some of them cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Missing:
    """The databases whose recordings are missing from an answer, by their names without passwords."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """Note a database."""
        self._names[name] = None

    @property
    def shards(self) -> tuple[str, ...]:
        """Names of the databases."""
        return tuple(self._names)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A warning for each database."""
        return tuple(map(missing_warning, self._names))


def missing_warning(name: str) -> str:
    """Return the warning that the recordings of a database are missing from an answer."""
    return (
        f"the answer is partial: the database {name} cannot be reached, and its recordings are missing"
    )


_collected: ContextVar[Missing | None] = ContextVar("missing_shards", default=None)


@contextmanager
def partial_answers() -> Iterator[Missing]:
    """Accept answers from the databases that can be reached, and note the missing ones.

    Without this context an answer that needs all databases of an index is refused while one of them
    cannot be reached. Not for use within generators, whose callers would share the context.
    """
    missing = Missing()
    token = _collected.set(missing)
    try:
        yield missing
    finally:
        _collected.reset(token)


def collected() -> Missing | None:
    """Return where missing databases are noted; None where partial answers are not accepted."""
    return _collected.get()


@contextmanager
def whole_answers() -> Iterator[None]:
    """Accept whole answers alone again, within `partial_answers`."""
    token = _collected.set(None)
    try:
        yield
    finally:
        _collected.reset(token)
