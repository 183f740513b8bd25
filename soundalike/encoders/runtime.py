"""Run ONNX networks on the processor: OpenVINO, or ONNX Runtime where OpenVINO has no wheel."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from soundalike.config import PRECISIONS
from soundalike.errors import ModelError, ParameterError, WeightsCorrupt
from soundalike.types import FloatArray

_CPU_FLAGS = Path("/proc/cpuinfo")
#: No network that embeds sound is larger; a hostile file may be.
MOST_BYTES = 4 << 30


class Session(Protocol):
    """A network that is ready."""

    #: What it computes in.
    precision: str

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Return the output for a batch; threads that call it at the same time wait."""
        ...


def open_session(path: Path, given: str, wanted: str, *, precision: str = "auto") -> Session:
    """Load a network.

    Parameters
    ----------
    path : Path
        An ONNX file.
    given, wanted : str
        Names of its input and output.
    precision : str
        ``float32``; or ``bfloat16`` or ``auto``, which both mean bfloat16 where the processor multiplies
        it itself, and float32 elsewhere. ONNX Runtime computes in ``float32``.

    Raises
    ------
    ParameterError
        `precision` is none of the three.
    WeightsCorrupt
        The file is not an ONNX network, is damaged, or has no such input or output.
    ModelError
        Neither runtime is installed.
    """
    if precision not in PRECISIONS:
        raise ParameterError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise WeightsCorrupt(f"{path} has {size >> 20} MB, more than any network that embeds sound")
    if importlib.util.find_spec("openvino") is not None:
        return _OpenVino(path, given, wanted, precision)
    if importlib.util.find_spec("onnxruntime") is not None:
        return _OnnxRuntime(path, given, wanted)
    raise ModelError(
        "networks need openvino or onnxruntime, and neither is installed; install one of them with pip"
    )


def has_bfloat16() -> bool:
    """Tell whether the processor has instructions for bfloat16, without loading a runtime."""
    try:
        text = _CPU_FLAGS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    lines = (line for line in text.splitlines() if line.startswith(("flags", "Features")))
    flags = next(lines, "").split()
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags))


def _openvino() -> Any:
    """Import OpenVINO without the package that reports each start to its makers."""
    hidden = "openvino_telemetry"
    if "openvino" not in sys.modules:
        sys.modules[hidden] = None  # type: ignore[assignment]
        try:
            return importlib.import_module("openvino")
        finally:
            del sys.modules[hidden]
    return sys.modules["openvino"]


class _OpenVino:
    """OpenVINO's own threads share the work of a batch."""

    def __init__(self, path: Path, given: str, wanted: str, precision: str) -> None:
        core = _openvino().Core()
        with _told(path):
            model = core.read_model(path)
        _check_names(path, given, wanted, _names(model.inputs), _names(model.outputs))
        can = precision != "float32" and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bfloat16" if can else "float32"
        hint = "bf16" if can else "f32"
        with _told(path):
            compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint})
        self._request = compiled.create_infer_request()
        self._path, self._given, self._wanted = path, given, wanted
        self._lock = threading.Lock()

    def __call__(self, inputs: FloatArray) -> FloatArray:
        with self._lock, _told(self._path):
            self._request.infer({self._given: inputs})
            # The request uses its memory again.
            return np.array(self._request.get_tensor(self._wanted).data, dtype=np.float32)


class _OnnxRuntime:
    precision = "float32"

    def __init__(self, path: Path, given: str, wanted: str) -> None:
        import onnxruntime

        with _told(path):
            self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        _check_names(path, given, wanted, {one.name for one in inputs}, {one.name for one in outputs})
        self._path, self._given, self._wanted = path, given, wanted

    def __call__(self, inputs: FloatArray) -> FloatArray:
        with _told(self._path):
            (found,) = self._session.run([self._wanted], {self._given: inputs})
        return np.asarray(found, dtype=np.float32)


def _names(ports: Any) -> set[str]:
    return {name for port in ports for name in port.get_names()}


def _check_names(path: Path, given: str, wanted: str, inputs: set[str], outputs: set[str]) -> None:
    for kind, name, known in (("input", given, inputs), ("output", wanted, outputs)):
        if name not in known:
            listed = ", ".join(sorted(known)[:20]) or "none"
            raise WeightsCorrupt(f"{path} has no {kind} {name!r}; it has: {listed}")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one line what a runtime does not like of a file."""
    try:
        yield
    except Exception as exc:
        lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else type(exc).__name__
        raise WeightsCorrupt(f"{path} cannot be used as an ONNX network ({reason})") from exc
