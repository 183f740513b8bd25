"""Send objects between two processes: through a socket, and large arrays through memory files."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import tempfile
from pathlib import Path
from typing import IO, Any

#: Sizes from which a buffer is sent in a reused memory file, in its own mapped memory file, and in a
#: file on the disk.
_FILE_BYTES, _MAP_BYTES, _DISK_BYTES = 1 << 16, 1 << 22, 1 << 24
_BLOCK_BYTES = 1 << 22
#: Length of the pickled object, length of the buffer, and kind of the buffer's file.
_HEAD = struct.Struct("!QQB")
_NOTHING, _OWN_FILE, _SHARED_FILE = range(3)


class Channel:
    """A connection to one other process.

    Parameters
    ----------
    end : socket
        A Unix stream socket; closed with the channel.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending: int | None = None
        self._receiving: int | None = None

    def settimeout(self, seconds: float) -> None:
        """Set the timeout of later calls."""
        self._socket.settimeout(seconds)

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 after `close`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the channel; the other side receives the end of the stream."""
        self._socket.close()
        for descriptor in (self._sending, self._receiving):
            if descriptor is not None:
                os.close(descriptor)
        self._sending = self._receiving = None

    def send(self, value: Any, folder: Path | None = None) -> None:
        """Send an object.

        Parameters
        ----------
        value : object
            Picklable. At most one array in it may be large.
        folder : Path, optional
            Folder for the unnamed file of a large array.
        """
        buffers: list[pickle.PickleBuffer] = []

        def keep(buffer: pickle.PickleBuffer) -> bool:
            is_large = buffer.raw().nbytes >= _FILE_BYTES and not buffers
            if is_large:
                buffers.append(buffer)
            return not is_large

        data = pickle.dumps(value, 5, buffer_callback=keep)
        if not buffers:
            self._socket.sendall(_HEAD.pack(len(data), 0, _NOTHING) + data)
        elif (view := buffers[0].raw()).nbytes < _MAP_BYTES:
            self._send_shared(data, view)
        else:
            with _file_for(view.nbytes, folder) as file:
                _write(file, view)
                head = _HEAD.pack(len(data), view.nbytes, _OWN_FILE)
                socket.send_fds(self._socket, [head], [file.fileno()])
            self._socket.sendall(data)

    def _send_shared(self, data: bytes, view: memoryview) -> None:
        """Send a buffer in the reused file, whose pages need not be cleared again."""
        head = _HEAD.pack(len(data), view.nbytes, _SHARED_FILE)
        if self._sending is None:
            self._sending = os.memfd_create("soundalike")
            _write_at_start(self._sending, view)
            socket.send_fds(self._socket, [head], [self._sending])
            self._socket.sendall(data)
        else:
            _write_at_start(self._sending, view)
            self._socket.sendall(head + data)

    def receive(self) -> Any:
        """Return the next object; a large array in it is read-only.

        Raises
        ------
        EOFError
            The other side has closed the channel.
        TimeoutError
            The timeout has expired.
        """
        head, descriptors = b"", []
        while len(head) < _HEAD.size:
            part, found, _, _ = socket.recv_fds(self._socket, _HEAD.size - len(head), 1)
            descriptors += found
            if not part:
                raise EOFError
            head += part
        data_bytes, buffer_bytes, kind = _HEAD.unpack(head)
        buffers: list[Any] = []
        if kind == _OWN_FILE:
            with open(descriptors[0], "rb") as file:
                buffers = [mmap.mmap(file.fileno(), buffer_bytes, access=mmap.ACCESS_READ)]
        elif kind == _SHARED_FILE:
            if descriptors:
                (self._receiving,) = descriptors
            assert self._receiving is not None
            buffers = [os.pread(self._receiving, buffer_bytes, 0)]
        return pickle.loads(self._exactly(data_bytes), buffers=buffers)  # noqa: S301 - from our own process

    def _exactly(self, n_bytes: int) -> bytearray:
        data = bytearray(n_bytes)
        view = memoryview(data)
        while view:
            n_read = self._socket.recv_into(view)
            if not n_read:
                raise EOFError
            view = view[n_read:]
        return data


def _file_for(n_bytes: int, folder: Path | None) -> IO[bytes]:
    if n_bytes <= _DISK_BYTES:
        return os.fdopen(os.memfd_create("soundalike"), "w+b")
    return tempfile.TemporaryFile(prefix="soundalike-", dir=folder)


def _write_at_start(descriptor: int, view: memoryview) -> None:
    position = 0
    while position < view.nbytes:
        position += os.pwrite(descriptor, view[position:], position)


def _write(file: IO[bytes], view: memoryview) -> None:
    for begin in range(0, view.nbytes, _BLOCK_BYTES):
        file.write(view[begin : begin + _BLOCK_BYTES])
        # Pages of a mapped file count as memory of this process once they are read.
        owner: Any = view.obj
        # Follow views and arrays to their owner.
        while owner is not None and not isinstance(owner, mmap.mmap):
            owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
        if isinstance(owner, mmap.mmap):
            owner.madvise(mmap.MADV_DONTNEED)
    file.flush()
