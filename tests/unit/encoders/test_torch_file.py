"""Checkpoints of PyTorch are read without PyTorch, and run no code."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from soundalike.encoders.torch_file import read_tensors
from soundalike.errors import WeightsCorrupt

MAGIC = 0x1950A86A20F9469CFC6C
KINDS = {"f": "FloatStorage", "d": "DoubleStorage", "q": "LongStorage", "?": "BoolStorage"}


class Storage:
    """Numbers on their way into a checkpoint."""

    def __init__(self, key: str, numbers: Any) -> None:
        self.key, self.numbers = key, numbers


class Tensor:
    """A view of numbers, pickled as PyTorch does it."""

    def __init__(self, storage: Storage, offset: int, shape: Any, strides: Any) -> None:
        self.parts = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> Any:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put modules in the place of PyTorch whose functions a pickle can name."""
    module, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in KINDS.values():
        setattr(module, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def tensor(key: str, array: Any) -> Tensor:
    strides = [stride // array.itemsize for stride in array.strides]
    return Tensor(Storage(key, array.ravel()), 0, array.shape, tuple(strides))


class _Pickler(pickle.Pickler):
    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=2)
        self.storages: dict[str, Any] = {}

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        self.storages[obj.key] = obj.numbers
        kind = getattr(sys.modules["torch"], KINDS[obj.numbers.dtype.char.replace("l", "q")])
        return ("storage", kind, obj.key, "cpu", len(obj.numbers))


def archive(path: Path, content: Any) -> Path:
    """Write the format of PyTorch 1.6 and later."""
    listing = io.BytesIO()
    pickler = _Pickler(listing)
    pickler.dump(content)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", listing.getvalue())
        for key, numbers in pickler.storages.items():
            file.writestr(f"archive/data/{key}", numbers.tobytes())
    return path


def stream(path: Path, content: Any) -> Path:
    """Write the format before that."""
    with path.open("wb") as file:
        for header in (MAGIC, 1001, {"little_endian": True}):
            pickle.dump(header, file, protocol=2)
        pickler = _Pickler(file)
        pickler.dump(content)
        pickle.dump(sorted(pickler.storages), file, protocol=2)
        for _, numbers in sorted(pickler.storages.items()):
            file.write(struct.pack("<q", len(numbers)) + numbers.tobytes())
    return path


WRITERS = pytest.mark.parametrize("write", [archive, stream])
Write = Callable[[Path, Any], Path]


@WRITERS
def test_tensors_come_back_by_name(write: Write, torch: None, tmp_path: Path, rng: np.random.Generator):
    weight = rng.standard_normal((3, 4)).astype(np.float32)
    steps = np.array([7], np.int64)
    content = {
        "step": 3,
        "model": OrderedDict(
            weight=tensor("0", weight), transposed=tensor("1", weight.T), n=tensor("2", steps)
        ),
    }

    found = read_tensors(write(tmp_path / "model.pt", content))

    assert found.keys() == {"model.weight", "model.transposed", "model.n"}
    np.testing.assert_array_equal(found["model.weight"], weight)
    assert found["model.transposed"].shape == (4, 3)
    assert (found["model.n"].dtype, found["model.n"].tolist()) == (np.int64, [7])


class Hostile:
    """Runs a command where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@WRITERS
def test_code_in_a_checkpoint_is_not_run(write: Write, torch: None, tmp_path: Path):
    trace = tmp_path / "trace"
    content = {"weight": tensor("0", np.ones(3, np.float32)), "bad": Hostile(trace)}

    with pytest.raises(WeightsCorrupt, match=r"names (posix|os)\.system, and only tensors are read"):
        read_tensors(write(tmp_path / "model.pt", content))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (5,), (1,)), (2, (3,), (1,)), (0, (2, 2), (3, 1)), (-1, (2,), (1,)), (0, (2,), (-1,))],
)
@WRITERS
def test_a_tensor_outside_its_numbers_is_refused(
    write: Write, offset: int, shape: Any, strides: Any, torch: None, tmp_path: Path
):
    bad = Tensor(Storage("0", np.ones(4, np.float32)), offset, shape, strides)
    with pytest.raises(WeightsCorrupt, match="lies outside its storage"):
        read_tensors(write(tmp_path / "model.pt", {"weight": bad}))


def test_a_tensor_of_one_number_repeated_without_end_is_refused(torch: None, tmp_path: Path):
    bad = Tensor(Storage("0", np.ones(1, np.float32)), 0, (1 << 20, 1 << 20), (0, 0))
    with pytest.raises(WeightsCorrupt, match="has the shape"):
        read_tensors(archive(tmp_path / "model.pt", {"weight": bad}))


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04broken", pickle.dumps([1, 2])])
def test_other_files_get_a_sentence(content: bytes, tmp_path: Path):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt):
        read_tensors(path)


@WRITERS
def test_a_cut_off_checkpoint_gets_a_sentence(write: Write, torch: None, tmp_path: Path):
    path = write(tmp_path / "model.pt", {"weight": tensor("0", np.ones(1000, np.float32))})
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(WeightsCorrupt):
        read_tensors(path)


def test_without_tensors(torch: None, tmp_path: Path):
    with pytest.raises(WeightsCorrupt, match="without tensors"):
        read_tensors(archive(tmp_path / "model.pt", {"step": 3}))
