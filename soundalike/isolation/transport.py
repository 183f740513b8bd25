"""Objects between two processes: small ones through a socket, large arrays through a file."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import tempfile
from pathlib import Path
from typing import IO, Any

#: Buffers from this size on travel as a file that both map: in memory, or, larger ones, on the disk.
_FILE_BYTES, _DISK_BYTES = 1 << 16, 1 << 24
_BLOCK_BYTES = 1 << 22
#: Length of the pickled object and of the buffer beside it, and whether that is in a file.
_HEAD = struct.Struct("!QQ?")


def send(channel: socket.socket, value: Any, folder: Path | None = None) -> None:
    """Send an object.

    Parameters
    ----------
    channel : socket
        A Unix stream socket.
    value : object
        What pickle takes. At most one array in it may be large.
    folder : Path, optional
        Where a large array is written to, in a file without a name.
    """
    buffers: list[pickle.PickleBuffer] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        is_large = buffer.raw().nbytes >= _FILE_BYTES and not buffers
        if is_large:
            buffers.append(buffer)
        return not is_large

    data = pickle.dumps(value, 5, buffer_callback=keep)
    if not buffers:
        channel.sendall(_HEAD.pack(len(data), 0, False) + data)
        return
    view = buffers[0].raw()
    with _file_for(view.nbytes, folder) as file:
        _write(file, view)
        socket.send_fds(channel, [_HEAD.pack(len(data), view.nbytes, True)], [file.fileno()])
    channel.sendall(data)


def _file_for(n_bytes: int, folder: Path | None) -> IO[bytes]:
    if n_bytes <= _DISK_BYTES:
        return os.fdopen(os.memfd_create("soundalike"), "w+b")
    return tempfile.TemporaryFile(prefix="soundalike-", dir=folder)


def _write(file: IO[bytes], view: memoryview) -> None:
    for begin in range(0, view.nbytes, _BLOCK_BYTES):
        file.write(view[begin : begin + _BLOCK_BYTES])
        # What is mapped from a file would count as this process's memory once it was looked at.
        owner = view.obj
        while isinstance(owner, memoryview):
            owner = owner.obj
        if isinstance(owner, mmap.mmap):
            owner.madvise(mmap.MADV_DONTNEED)
    file.flush()


def receive(channel: socket.socket) -> Any:
    """Return the next object; a large array in it is mapped from its file, and read-only.

    Raises
    ------
    EOFError
        The other side is gone.
    TimeoutError
        The socket's timeout has passed.
    """
    head, descriptors = b"", []
    while len(head) < _HEAD.size:
        part, found, _, _ = socket.recv_fds(channel, _HEAD.size - len(head), 1)
        descriptors += found
        if not part:
            raise EOFError
        head += part
    data_bytes, buffer_bytes, is_file = _HEAD.unpack(head)
    buffers = []
    if is_file:
        with open(descriptors[0], "rb") as file:
            buffers = [mmap.mmap(file.fileno(), buffer_bytes, access=mmap.ACCESS_READ)]
    return pickle.loads(_exactly(channel, data_bytes), buffers=buffers)  # noqa: S301 - from our own process


def _exactly(channel: socket.socket, n_bytes: int) -> bytearray:
    data = bytearray(n_bytes)
    view = memoryview(data)
    while view:
        n_read = channel.recv_into(view)
        if not n_read:
            raise EOFError
        view = view[n_read:]
    return data
