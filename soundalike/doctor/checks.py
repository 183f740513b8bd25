"""What a check finds, and how one that breaks is kept from taking the others along."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import SoundalikeError, exit_status_of

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """A finding.

    Attributes
    ----------
    name : str
        What was looked at; stable.
    state : str
        ``ok``; ``warn``: works, but not as it could; ``fail``: something does not work.
    message : str
        A clause with the values that were found; never holds a password.
    remedy : str or None
        A shell command that mends it.
    code : str or None
        With ``fail``: the code of the error that one will meet; see ``docs/errors.md``.
    """

    name: str
    state: State
    message: str
    remedy: str | None = None
    code: str | None = None


def failed(name: str, error: SoundalikeError, remedy: str | None = None) -> Check:
    """Return the finding that an error stands for."""
    return Check(name, "fail", error.message, remedy, error.code)


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """Return what a check finds; one that raises has found a failure."""
    try:
        return look()
    except SoundalikeError as exc:
        return failed(name, exc)
    except Exception as exc:
        reason = " ".join(str(exc).split())
        return Check(
            name,
            "fail",
            f"the check itself failed: {type(exc).__name__}: {reason}",
            code=SoundalikeError.code,
        )


def exit_status(checks: Iterable[Check]) -> int:
    """Return the exit status of the first failure, 0 where there is none."""
    codes = [check.code or SoundalikeError.code for check in checks if check.state == "fail"]
    return exit_status_of(codes[0]) if codes else 0


def command(name: str, *arguments: str, collection: str = DEFAULT_COLLECTION) -> str:
    """Return a command line of Soundalike, quoted for a shell."""
    where = [] if collection == DEFAULT_COLLECTION else ["--collection", collection]
    return shlex.join(["soundalike", *name.split(), *where, *arguments])


def size(n_bytes: float) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> size(1536), size(3 * 2**30)
    ('1.5 KB', '3 GB')
    """
    units = ["bytes", "KB", "MB", "GB", "TB"]
    while n_bytes >= 1000 and len(units) > 1:
        n_bytes /= 1024
        del units[0]
    return f"{n_bytes:.1f}".removesuffix(".0") + f" {units[0]}"
