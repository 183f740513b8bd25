"""Whose fault an error is: that of one recording, which fails alone, or of what all of them need."""

from __future__ import annotations

import errno
import logging
import os

from soundalike.errors import AudioError, DiskFull, ParameterError, SoundalikeError, UnexpectedFault

_LOG = logging.getLogger("soundalike")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_SHOWN = 300


def recording_error(exc: Exception, name: str) -> SoundalikeError:
    """Return the error of the one recording that an exception came from; the rest goes on.

    What nobody foresaw becomes `UnexpectedFault`, and one line in the log, of the logger
    ``soundalike``. Its traceback is logged at the level DEBUG, or where ``SOUNDALIKE_DEBUG`` is set.

    Parameters
    ----------
    exc : Exception
        What was raised while the recording was worked on.
    name : str
        What the recording is called, a path for instance.

    Raises
    ------
    SoundalikeError
        `exc` itself, where it is the fault of no recording: of the database, the encoder, the service
        or the settings.
    """
    if isinstance(exc, (AudioError, ParameterError, DiskFull)):
        return exc
    if isinstance(exc, SoundalikeError):
        raise exc
    if is_disk_full(exc):
        return DiskFull(f"the disk became full at {name!r}; free some space and do it again")
    kind = type(exc).__name__
    _LOG.error(
        "%r: unexpected %s: %s", name, kind, _one_line(exc), exc_info=exc if _is_debug() else None
    )
    return UnexpectedFault(
        f"an unexpected {kind} came up at {name!r}, which is left out; the log says more in one line, "
        "and with SOUNDALIKE_DEBUG=1 where: please report it"
    )


def is_disk_full(exc: BaseException) -> bool:
    """Tell whether the system refused to write because a disk, or a user's share of it, is full."""
    return isinstance(exc, OSError) and exc.errno in _NO_SPACE


def _is_debug() -> bool:
    return _LOG.isEnabledFor(logging.DEBUG) or bool(os.environ.get("SOUNDALIKE_DEBUG"))


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split())[:_SHOWN]
