"""Detect database errors caused by a full disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from psycopg2 import errors as pg_errors

from soundalike.errors import StoreError, StoreFull
from soundalike.faults import NO_SPACE, is_disk_full, one_line

_TEXTS = [os.strerror(number) for number in NO_SPACE]
#: PostgreSQL stops when it cannot create the next log file of 16 MiB, and then deletes the incomplete
#: file.
_TOO_LITTLE_BYTES = 32 << 20


def says_full(exc: BaseException) -> bool:
    """Return whether an error, or one of its causes, reports a full disk.

    A server that rejects a connection sends only text, without an SQLSTATE.
    """
    return any(
        isinstance(each, pg_errors.DiskFull)
        or is_disk_full(each)
        or any(text in str(each) for text in _TEXTS)
        for each in _chain(exc)
    )


def full_error(exc: BaseException, database: str, folder: Path | None = None) -> StoreError | None:
    """Return the error to raise if a database failed because of a full disk, or None.

    Parameters
    ----------
    exc : exception
        Error of the driver or of the server's start.
    database : str
        Name of the database in the message.
    folder : Path, optional
        Data folder of the server. A server that stopped because of a full disk cannot report it, so too
        little free space counts as the reason.
    """
    reason = one_line(exc)
    if says_full(exc):
        if "shared memory" in reason:
            # Shared memory, which is a file system on Linux.
            return StoreError(
                f"the database {database} has too little shared memory ({reason}); give its container "
                "more, for example with --shm-size 1g"
            )
        return StoreFull(f"the disk of the database {database} is full ({reason}); {_next(folder)}")
    free = _free_bytes(folder)
    if free is None or free >= _TOO_LITTLE_BYTES:
        return None
    return StoreFull(
        f"the database {database} failed, and its disk has only {free / (1 << 20):.1f} MiB free; "
        f"{_next(folder)}"
    )


def _next(folder: Path | None) -> str:
    move = "" if folder is None else ", or move the folder to a larger disk and name it with --data-dir"
    return f"free some space there and try again{move}"


def _free_bytes(folder: Path | None) -> int | None:
    if folder is None:
        return None
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__
