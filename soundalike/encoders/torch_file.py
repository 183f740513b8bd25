"""Tensors of a PyTorch checkpoint, read without PyTorch and without running code in it.

A checkpoint is a pickle, and a pickle may call any function. Here it may name seven, which are replaced
by others that only gather tensors; any other name ends the reading. Both formats are read: the archive
of PyTorch 1.6 and later, and the stream of pickles before it.

References
----------
PyTorch, torch/serialization.py and torch/_utils.py, as of release 2.5.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from soundalike.errors import WeightsCorrupt

_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
#: First number of the format before PyTorch 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C
_MOST_BYTES = 1 << 31

Tensors = dict[str, npt.NDArray[Any]]


def read_tensors(path: Path) -> Tensors:
    """Return the tensors of a checkpoint by their names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tensors : dict of str to array
        Names of nested dictionaries are joined by dots; other values are left out.

    Raises
    ------
    WeightsCorrupt
        The file is not a PyTorch checkpoint, is cut off, or would run code.
    """
    try:
        with path.open("rb") as file:
            is_archive = zipfile.is_zipfile(file)
            file.seek(0)
            found = _from_archive(file) if is_archive else _from_stream(file)
    except (OSError, WeightsCorrupt):
        raise
    except Exception as exc:
        raise WeightsCorrupt(f"{path} cannot be read as a PyTorch checkpoint ({exc})") from exc
    tensors: Tensors = {}
    _gather(found, "", tensors)
    if not tensors:
        raise WeightsCorrupt(f"{path} is a PyTorch checkpoint without tensors")
    return tensors


@dataclass
class _Storage:
    """Numbers that tensors are views of; in the old format they come after the tensors."""

    dtype: np.dtype[Any]
    numbers: npt.NDArray[Any]


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> npt.NDArray[Any]:
        """Return a copy; what lies outside the storage is refused."""
        numbers, size = self.storage.numbers, self.storage.dtype.itemsize
        counts = [(length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True)]
        last = self.offset + sum(counts)
        if np.prod(self.shape, dtype=np.float64) * size > _MOST_BYTES:
            raise WeightsCorrupt(f"a tensor of the checkpoint has the shape {self.shape}")
        if min((*self.shape, *self.strides, self.offset), default=0) < 0 or last >= max(len(numbers), 1):
            raise WeightsCorrupt("a tensor of the checkpoint lies outside its storage")
        view = np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.shape, [stride * size for stride in self.strides]
        )
        return view.copy()


def _from_archive(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if sum(sizes.values()) > _MOST_BYTES:
            raise WeightsCorrupt("the checkpoint unpacks to more than 2 GB")
        (listing,) = [name for name in sizes if name.endswith("/data.pkl")]
        root = listing.removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}

        def storage(kind: str, key: str, count: int) -> _Storage:
            if key not in storages:
                dtype = np.dtype(_DTYPES[kind])
                numbers = np.frombuffer(archive.read(f"{root}data/{key}"), dtype)
                storages[key] = _Storage(dtype, numbers[:count])
            return storages[key]

        return _Reader(io.BytesIO(archive.read(listing)), storage).load()


def _from_stream(file: IO[bytes]) -> Any:
    storages: dict[str, _Storage] = {}

    def storage(kind: str, key: str, _count: int) -> _Storage:
        dtype = np.dtype(_DTYPES[kind])
        return storages.setdefault(key, _Storage(dtype, np.empty(0, dtype)))

    def load() -> Any:
        return _Reader(file, storage).load()

    if load() != _MAGIC:
        raise WeightsCorrupt("the file does not begin as a PyTorch checkpoint does")
    _version, _system, found, keys = load(), load(), load(), load()
    for key in keys:
        kept = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        data = file.read(count * kept.dtype.itemsize)
        if len(data) != count * kept.dtype.itemsize:
            raise WeightsCorrupt("the checkpoint ends too early")
        kept.numbers = np.frombuffer(data, kept.dtype)
    return found


class _Reader(pickle.Unpickler):
    """A pickle reader that knows tensors and nothing else."""

    def __init__(self, file: IO[bytes], storage: Callable[[str, str, int], _Storage]) -> None:
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a function that a checkpoint may name."""
        if module == "torch" and name in _DTYPES:
            return name
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise WeightsCorrupt(
                f"the checkpoint names {module}.{name}, and only tensors are read, because anything "
                "else may run code"
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a tensor names."""
        _, kind, key, _device, count, *_ = pid
        return self._storage(kind, str(key), int(count))


def _tensor(
    storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_: Any
) -> Any:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _nothing(*_: Any) -> _Nothing:
    return _Nothing()


class _Nothing:
    """A number or text that is not needed; NumPy's are kept in checkpoints beside the tensors."""

    def __setstate__(self, state: Any) -> None:
        """Take no state."""


_STAND_INS: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    ("numpy.core.multiarray", "scalar"): _nothing,
    ("numpy._core.multiarray", "scalar"): _nothing,
    ("numpy", "dtype"): _nothing,
    ("_codecs", "encode"): _nothing,
}


def _gather(found: Any, prefix: str, into: Tensors) -> None:
    """Collect tensors from dictionaries, lists and tuples."""
    if isinstance(found, _Tensor):
        into[prefix.removesuffix(".")] = found.array()
    elif isinstance(found, Mapping):
        for key, value in found.items():
            _gather(value, f"{prefix}{key}.", into)
    elif isinstance(found, (list, tuple)):
        for number, value in enumerate(found):
            _gather(value, f"{prefix}{number}." if prefix or len(found) > 1 else "", into)
