"""A multipart form that is read from the disk while it is sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from urllib3.fields import RequestField

from soundalike.errors import AudioNotFound

_BLOCK_BYTES = 1 << 18
#: What would end a name or its line.
_WRITTEN = {"\\": r"\\", '"': r"\"", "\r": "%0D", "\n": "%0A"}


class Form:
    """Fields and files; requests sends it block by block, its length in front.

    Parameters
    ----------
    fields : mapping of str to list of str
        A field for each text.
    files : sequence of (str, Path)
        The name of the field that holds each file, and the file.
    on_sent : callable, optional
        Is called with the number of bytes of each block of a file.

    Raises
    ------
    AudioNotFound
        A file cannot be read.
    """

    def __init__(
        self,
        fields: Mapping[str, Sequence[str]],
        files: Sequence[tuple[str, Path]],
        on_sent: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._boundary = uuid4().hex
        self._on_sent = on_sent
        self._texts = b"".join(
            self._head(name) + text.encode(errors="replace") + b"\r\n"
            for name, texts in fields.items()
            for text in texts
        )
        self._files = [(path, self._head(name, path), _size(path)) for name, path in files]
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        """Value of the header."""
        return f"multipart/form-data; boundary={self._boundary}"

    def __len__(self) -> int:
        files = sum(len(head) + size + len(b"\r\n") for _, head, size in self._files)
        return len(self._texts) + files + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        yield self._texts
        for path, head, size in self._files:
            yield head
            for block in _blocks(path, size):
                yield block
                self._on_sent(len(block))
            yield b"\r\n"
        yield self._end

    def _head(self, name: str, path: Path | None = None) -> bytes:
        filename = None if path is None else os.fsencode(path.name).decode(errors="replace")
        field = RequestField(name, b"", filename, header_formatter=_quoted)
        field.make_multipart(content_type=None if path is None else "application/octet-stream")
        return f"--{self._boundary}\r\n{field.render_headers()}".encode()


def _quoted(name: str, value: str | bytes) -> str:
    """Return a parameter of a header.

    A quotation mark gets a backslash, as in every other header. Browsers write ``%22``, which a name may
    hold as well, and the service tells those by where they come from.
    """
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    for character, written in _WRITTEN.items():
        text = text.replace(character, written)
    return f'{name}="{text}"'


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    """Yield as many bytes as were promised."""
    try:
        with path.open("rb") as file:
            while size and (block := file.read(min(_BLOCK_BYTES, size))):
                size -= len(block)
                yield block
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    if size:
        raise AudioNotFound(f"{str(path)!r} became shorter while it was sent; send it again")


def _size(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: OSError) -> AudioNotFound:
    return AudioNotFound(f"{str(path)!r}: {exc.strerror}; check its permissions")
