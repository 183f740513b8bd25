"""A file of output that appears when it is whole."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from soundalike.errors import ParameterError


class Target:
    """Bytes on their way into a file, which gets its name when all went well.

    What bore that name before stays until then, and stays for good where nothing was written. What is
    no file, as a pipe or ``/dev/null``, is written to as it is.

    Parameters
    ----------
    path : Path
        A link is followed.
    option : str
        The option that names it, for errors.

    Raises
    ------
    ParameterError
        It cannot be written to.
    """

    def __init__(self, path: Path, option: str = "--output") -> None:
        self._shown = f"{option} {str(path)!r}"
        self._path = path
        self._part: Path | None = None
        self._is_empty = True

    def __enter__(self) -> Target:
        with blaming(self._shown):
            self._file = self._opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with blaming(self._shown):
                self._file.close()
                if self._part is not None and kind is None and not self._is_empty:
                    os.replace(self._part, self._path)
        finally:
            if self._part is not None:
                with suppress(OSError):
                    self._part.unlink()

    @property
    def file(self) -> IO[bytes]:
        """The open file, for a writer that needs one."""
        self._is_empty = False
        return self._file

    def write(self, content: bytes) -> None:
        """Write bytes."""
        self._is_empty = False
        with blaming(self._shown):
            self._file.write(content)

    def _opened(self) -> IO[bytes]:
        with suppress(FileNotFoundError):
            # Before links are followed: that of /dev/stdout leads to no path.
            mode = self._path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                return self._path.open("wb")
            if not os.access(self._path, os.W_OK):
                # Giving another file its name would go through.
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        self._path = Path(os.path.realpath(self._path))
        part = self._path.with_name(f".soundalike-{uuid.uuid4().hex}.part")
        file = part.open("xb")
        self._part = part
        return file


@contextmanager
def blaming(place: str) -> Iterator[None]:
    """Turn errors of the system into one about the place; a reader that went away is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or exc
        raise ParameterError(f"{place} cannot be written: {reason}; write to another place") from exc
