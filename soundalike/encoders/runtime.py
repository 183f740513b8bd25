"""Run ONNX networks on the processor: OpenVINO, or ONNX Runtime where OpenVINO has no wheel."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from soundalike.config import PRECISIONS
from soundalike.encoders.compiled import Keeping, KeptNetwork, Numbers, Run
from soundalike.encoders.onnx_header import check_onnx
from soundalike.encoders.quiet_import import import_openvino
from soundalike.errors import ModelError, ParameterError, SoundalikeError, WeightsCorrupt
from soundalike.types import FloatArray

_CPU_FLAGS = Path("/proc/cpuinfo")
#: One batch at a time, as soon as possible: requests share batches before they come here.
_OPTIONS = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
_ONNX_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
#: No network that embeds sound is larger; a hostile file may be.
MOST_BYTES = 4 << 30

#: Of an input or output; None for the only one.
Name = str | None


class Session(Protocol):
    """A network that is ready."""

    #: What it computes in.
    precision: str

    def __call__(self, *inputs: Numbers) -> FloatArray:
        """Return the output for a batch; threads that call it at the same time wait."""
        ...


def open_session(
    path: Path,
    given: Name | tuple[Name, ...],
    wanted: Name,
    *,
    precision: str = "auto",
    keeping: Keeping | None = None,
) -> Session:
    """Load a network.

    Parameters
    ----------
    path : Path
        An ONNX file.
    given : str or None, or tuple of them
        Names of its inputs, in the order in which the session takes them; None for the only one.
    wanted : str or None
        Name of its output; None for the only one.
    precision : str
        ``float32``; or ``bfloat16`` or ``auto``, which both mean bfloat16 where the processor multiplies
        it itself, and float32 elsewhere. ONNX Runtime computes in ``float32``.
    keeping : Keeping, optional
        Where OpenVINO's form of the network is kept; by default nothing is.

    Raises
    ------
    ParameterError
        `precision` is none of the three.
    WeightsCorrupt
        The file is not an ONNX network, is damaged, or has no such input or output, or more inputs.
    ModelError
        Neither runtime is installed.
    """
    if precision not in PRECISIONS:
        raise ParameterError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise WeightsCorrupt(f"{path} has {size >> 20} MB, more than any network that embeds sound")
    check_onnx(path)
    names = Names(path, given if isinstance(given, tuple) else (given,), wanted)
    if importlib.util.find_spec("openvino") is not None:
        return _OpenVino(names, precision, keeping)
    if importlib.util.find_spec("onnxruntime") is not None:
        return _OnnxRuntime(names)
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


@dataclass(frozen=True, slots=True)
class Names:
    """The inputs and the output of a file that are meant."""

    path: Path
    given: tuple[Name, ...]
    wanted: Name

    def places(self, inputs: list[set[str]], outputs: list[set[str]]) -> tuple[list[int], int]:
        """Return the positions of inputs and output in the lists of the file, each entry with its names.

        Raises
        ------
        WeightsCorrupt
            One is not there, or cannot be told from others, or the file has more inputs.
        """
        found = [self._place("input", name, inputs) for name in self.given]
        if rest := set(range(len(inputs))) - set(found):
            names = ", ".join(min(inputs[place], default="?") for place in sorted(rest))
            raise WeightsCorrupt(f"{self.path} has more inputs than the manifest says: {names}")
        return found, self._place("output", self.wanted, outputs)

    def _place(self, kind: str, name: Name, known: list[set[str]]) -> int:
        listed = ", ".join(sorted(set().union(*known))[:20]) or "none"
        if name is None and len(known) != 1:
            raise WeightsCorrupt(
                f"{self.path} has several of the {kind}s, so name one; it has: {listed}"
            )
        if name is None:
            return 0
        for place, names in enumerate(known):
            if name in names:
                return place
        raise WeightsCorrupt(f"{self.path} has no {kind} {name!r}; it has: {listed}")


class _OpenVino:
    """OpenVINO's own threads share the work of a batch."""

    def __init__(self, names: Names, precision: str, keeping: Keeping | None) -> None:
        core = import_openvino().Core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        is_short = precision != "float32" and "BF16" in capabilities
        self.precision = "bfloat16" if is_short else "float32"
        self._names = names
        self._lock = threading.Lock()
        with _told(names.path):
            self._run = self._opened(core, keeping)

    def _opened(self, core: Any, keeping: Keeping | None) -> Run:
        """Return the network, ready to run: the kept form, or that of the file."""
        path, is_short = self._names.path, self.precision == "bfloat16"
        options = {"INFERENCE_PRECISION_HINT": "bf16" if is_short else "f32", **_OPTIONS}

        def compiled(model: Any) -> Run:
            return _runner(self._names, model, core.compile_model(model, "CPU", options))

        if keeping is None:
            return compiled(core.read_model(path))
        kept = KeptNetwork(path, keeping, half=is_short)
        run = kept.opened(core, compiled)
        if run is None:
            model = core.read_model(path)
            plain = compiled(model)
            run = kept.make(model, plain, core, compiled) or plain
        kept.settle()
        return run

    def __call__(self, *inputs: Numbers) -> FloatArray:
        with self._lock, _told(self._names.path):
            return self._run(*inputs)


def _runner(names: Names, model: Any, compiled: Any) -> Run:
    """Return a function that runs a compiled network of OpenVINO."""
    inputs, outputs = ([port.get_names() for port in ports] for ports in (model.inputs, model.outputs))
    places, wanted = names.places(inputs, outputs)
    types = [model.inputs[place].get_element_type().to_dtype() for place in places]
    request = compiled.create_infer_request()
    shape = model.inputs[places[0]].partial_shape
    is_single = shape.rank.is_static and len(shape) > 1 and shape[0] == 1

    def run(*given: Numbers) -> FloatArray:
        arrays = zip(places, given, types, strict=True)
        request.infer({place: array.astype(dtype, copy=False) for place, array, dtype in arrays})
        # The request uses its memory again.
        return np.array(request.get_output_tensor(wanted).data, dtype=np.float32)

    return _one_by_one(run) if is_single else run


def _one_by_one(run: Run) -> Run:
    """Return a function for batches of a network that takes one example at a time."""

    def each(*given: Numbers) -> FloatArray:
        rows = [run(*(batch[row : row + 1] for batch in given)) for row in range(len(given[0]))]
        return np.concatenate(rows)

    return each


class _OnnxRuntime:
    precision = "float32"

    def __init__(self, names: Names) -> None:
        import onnxruntime

        with _told(names.path):
            self._session = onnxruntime.InferenceSession(names.path, providers=["CPUExecutionProvider"])
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        places, wanted = names.places([{one.name} for one in inputs], [{one.name} for one in outputs])
        self._given = [(inputs[place].name, _ONNX_TYPES.get(inputs[place].type)) for place in places]
        self._wanted, self._path = outputs[wanted].name, names.path
        shape = inputs[places[0]].shape
        self._is_single = len(shape) > 1 and shape[0] == 1

    def __call__(self, *inputs: Numbers) -> FloatArray:
        with _told(self._path):
            return (_one_by_one(self._run) if self._is_single else self._run)(*inputs)

    def _run(self, *inputs: Numbers) -> FloatArray:
        named = zip(self._given, inputs, strict=True)
        given = {name: array.astype(dtype or array.dtype) for (name, dtype), array in named}
        (found,) = self._session.run([self._wanted], given)
        return np.asarray(found, dtype=np.float32)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one line what a runtime does not like of a file."""
    try:
        yield
    except SoundalikeError:
        raise
    except Exception as exc:
        lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else type(exc).__name__
        raise WeightsCorrupt(f"{path} cannot be used as an ONNX network ({reason})") from exc
