"""Write docs/errors.md from the classes in soundalike/errors.py."""

from __future__ import annotations

from pathlib import Path

from soundalike.errors import SoundalikeError, error_classes

TARGET = Path(__file__).resolve().parents[1] / "docs" / "errors.md"

HEAD = """\
# Errors

Every error has a stable code, and a message with the value received and the next step. Over HTTP, a
failed request answers with the HTTP status below and a problem document (`application/problem+json`:
`status`, `code`, `title`, `detail`). In a request with several documents, each failed document has
`error_code` and `error`, and the others are processed. The command line exits with the status below.

Written by `make errors` from `soundalike/errors.py`.

| code | class | what happened | exit status | HTTP status |
| --- | --- | --- | --- | --- |
"""


def row(cls: type[SoundalikeError]) -> str:
    """Return a class's line of the table."""
    meaning = (cls.__doc__ or "").splitlines()[0]
    return f"| `{cls.code}` | `{cls.__name__}` | {meaning} | {cls.exit_status} | {cls.http_status} |\n"


def render() -> str:
    """Return the whole page."""
    return HEAD + "".join(row(cls) for cls in error_classes())


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
