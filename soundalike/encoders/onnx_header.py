"""Check that a file is an ONNX network before a runtime reads it.

OpenVINO tries every format that it knows on a file that is none of them, which takes minutes and
gigabytes for a large one. Only the outermost fields are read here, and everything else is skipped.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from soundalike.errors import WeightsCorrupt

#: Numbers of the fields of ONNX's ModelProto and of its OperatorSetIdProto.
_GRAPH, _OPSETS, _DOMAIN, _VERSION = 7, 8, 1, 2
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MOST_FIELDS, _MOST_OPSET_BYTES = 10_000, 1000
#: Every runtime knows these.
_COMMON_OPSET = 20


def check_onnx(path: Path) -> None:
    """Raise `WeightsCorrupt` unless a file has the outline of an ONNX network, to its end."""
    opsets: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            fields = set()
            for number, length in _fields(file, path.stat().st_size):
                fields.add(number)
                if number == _OPSETS:
                    opsets.update([_opset(file.read(length))])
                else:
                    file.seek(length, 1)
    except ValueError as exc:
        reason = "it is of another format" if isinstance(exc, UnicodeDecodeError) else exc
        raise WeightsCorrupt(f"{path} cannot be used as an ONNX network ({reason})") from exc
    if _GRAPH not in fields:
        raise WeightsCorrupt(f"{path} cannot be used as an ONNX network (it has no graph)")
    _check_opset(path, opsets.get("", 0) or opsets.get("ai.onnx", 0))


def _check_opset(path: Path, version: int) -> None:
    if version < 1:
        raise WeightsCorrupt(f"{path} names no set of ONNX's operators; export it again")
    if version > _COMMON_OPSET:
        from onnx import defs

        newest = defs.onnx_opset_version()
        if version > newest:
            raise WeightsCorrupt(
                f"{path} needs the operators of ONNX's set {version}, and {newest} is the newest known "
                f"here; export it with opset_version={_COMMON_OPSET}"
            )


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of each field; the caller reads or skips what the length says."""
    for _ in range(_MOST_FIELDS):
        if file.tell() == size:
            return
        key = _varint(file)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _varint(file)
            yield number, 0
            continue
        if kind not in (_BYTES, _FIXED_32, _FIXED_64) or not number:
            break
        length = _varint(file) if kind == _BYTES else 4 if kind == _FIXED_32 else 8
        if file.tell() + length > size or (number == _OPSETS and length > _MOST_OPSET_BYTES):
            break
        yield number, length
    raise ValueError("it is of another format, or cut off")


def _varint(file: BinaryIO) -> int:
    """Read a number of seven bits a byte."""
    found = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is cut off")
        found |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return found
    raise ValueError("it is of another format")


def _opset(content: bytes) -> tuple[str, int]:
    """Return domain and version of a set of operators."""
    domain, version = "", 0
    file = io.BytesIO(content)
    while file.tell() < len(content):
        key = _varint(file)
        if key == _VERSION << 3 | _VARINT:
            version = _varint(file)
        elif key == _DOMAIN << 3 | _BYTES:
            domain = file.read(_varint(file)).decode()
        else:
            raise ValueError("it is of another format")
    return domain, version
