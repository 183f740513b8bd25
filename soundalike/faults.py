"""Separate errors of one recording from errors that stop the whole batch."""

from __future__ import annotations

import errno
import logging
import os

from soundalike.errors import (
    AudioError,
    DiskFull,
    ParameterError,
    SoundalikeError,
    StoreUnavailable,
    UnexpectedFault,
)

_LOG = logging.getLogger("soundalike")
#: Error numbers of a full disk and of an exceeded quota.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_SHOWN = 300


def recording_error(exc: Exception, name: str) -> SoundalikeError:
    """Return the error to report for one recording; the rest of the batch goes on.

    An unexpected exception becomes `UnexpectedFault` and one line in the log of ``soundalike``. The log
    has the traceback at the level DEBUG, or if ``SOUNDALIKE_DEBUG`` is set.

    Parameters
    ----------
    exc : Exception
        An exception raised while the recording was processed.
    name : str
        Name of the recording, such as its path.

    Raises
    ------
    SoundalikeError
        `exc` itself, if the cause is not the recording but the database, the encoder, the service or
        the settings. One database of several fails only its own recordings.
    """
    if isinstance(exc, (AudioError, ParameterError, DiskFull)):
        return exc
    if isinstance(exc, StoreUnavailable) and exc.is_of_one_shard:
        return exc
    if isinstance(exc, SoundalikeError):
        raise exc
    if is_disk_full(exc):
        return DiskFull(f"the disk became full at {name!r}; free some space and try again")
    kind = type(exc).__name__
    _LOG.error(
        "%r: unexpected %s: %s",
        name,
        kind,
        one_line(exc)[:_SHOWN],
        exc_info=exc if _is_debug() else None,
    )
    return UnexpectedFault(
        f"an unexpected {kind} was raised for {name!r}, which is skipped; the log has the message, and "
        "with SOUNDALIKE_DEBUG=1 the traceback: please report it"
    )


def is_disk_full(exc: BaseException) -> bool:
    """Return whether a write failed because the disk, or the user's quota, is full."""
    return isinstance(exc, OSError) and exc.errno in NO_SPACE


def _is_debug() -> bool:
    return _LOG.isEnabledFor(logging.DEBUG) or bool(os.environ.get("SOUNDALIKE_DEBUG"))


def one_line(exc: BaseException) -> str:
    """Return the message of an exception on one line, or its type without a message."""
    return " ".join(str(exc).split()) or type(exc).__name__
