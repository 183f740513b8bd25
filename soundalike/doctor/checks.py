"""Results of checks, and isolation of failing checks."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import SoundalikeError, exit_status_of
from soundalike.faults import one_line

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """Result of a check.

    Attributes
    ----------
    name : str
        Stable name of the check.
    state : str
        ``ok``; ``warn``: works with restrictions; ``fail``: does not work.
    message : str
        Description with the measured values, without passwords.
    remedy : str or None
        Shell command that fixes the problem.
    code : str or None
        With ``fail``: the code of the resulting error; see ``docs/errors.md``.
    """

    name: str
    state: State
    message: str
    remedy: str | None = None
    code: str | None = None


def failed(name: str, error: SoundalikeError, remedy: str | None = None) -> Check:
    """Return the failed check for an error."""
    return Check(name, "fail", error.message, remedy, error.code)


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """Run a check; an exception is a failed check."""
    try:
        return look()
    except SoundalikeError as exc:
        return failed(name, exc)
    except Exception as exc:
        message = f"the check raised {type(exc).__name__}: {one_line(exc)}"
        return Check(name, "fail", message, code=SoundalikeError.code)


def exit_status(checks: Iterable[Check]) -> int:
    """Return the exit status of the first failure, or 0."""
    codes = [check.code or SoundalikeError.code for check in checks if check.state == "fail"]
    return exit_status_of(codes[0]) if codes else 0


def command(name: str, *arguments: str, collection: str = DEFAULT_COLLECTION) -> str:
    """Return a command line of Soundalike, quoted for a shell."""
    where = [] if collection == DEFAULT_COLLECTION else ["--collection", collection]
    return shlex.join(["soundalike", *name.split(), *where, *arguments])


def size(n_bytes: float) -> str:
    """Return a number of bytes with a unit.

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
