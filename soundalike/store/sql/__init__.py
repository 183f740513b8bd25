"""The SQL statements of the store, by name."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^--(?! name: ).*\n", re.MULTILINE)


@lru_cache(maxsize=1)
def queries() -> dict[str, str]:
    """Return the statements of ``queries.sql`` by name.

    Comment lines are removed.
    """
    parts = _NAME.split(_COMMENT.sub("", _read("queries.sql")))[1:]
    found = dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
    for name in ("filter_files", "describe_filtered", "recordings_in_time"):
        found[name] = found[name].replace("{narrowed}", found["narrow_files"])
    for name in ("list_annotations", "delete_annotations"):
        found[name] = found[name].replace("{chosen}", found["choose_annotations"])
    return found


def schema() -> str:
    """Return ``schema.sql``: the tables that all collections share."""
    return _read("schema.sql")


def windows_table() -> str:
    """Return ``windows.sql``, with the placeholders ``{collection}`` and ``{dimension}``."""
    return _read("windows.sql")


def migrations() -> dict[int, str]:
    """Return the migration scripts by target version."""
    folder = resources.files(__package__).joinpath("migrations")
    scripts = {int(file.name[:4]): file.read_text("utf-8") for file in folder.iterdir()}
    return dict(sorted(scripts.items()))


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
