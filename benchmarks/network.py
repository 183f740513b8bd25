"""VGGish alone, in a process of its own: ``python -m benchmarks.network CHECKPOINT PRECISION RUNTIME``.

Prints JSON: seconds until it is ready, milliseconds a patch by batch size, memory. `RUNTIME` is
``openvino``, as it serves; ``openvino-onnx``, OpenVINO from the ONNX file, without the kept form;
``onnxruntime``, where that is installed; or ``tensorflow``, the tf-slim graph.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

BATCHES = (1, 4, 10, 32, 64)
RUNTIMES = ("openvino", "openvino-onnx", "onnxruntime", "tensorflow")
_ROUNDS = 9


def compare(checkpoint: Path, precisions: list[str]) -> dict[str, Any]:
    """Return what each runtime takes, one after the other on the same machine.

    The peers compute in float32; TensorFlow has no other format for this graph.
    """
    for precision in precisions:
        # The first use converts the checkpoint.
        measure(checkpoint, precision)
    found = {precision: measure(checkpoint, precision) for precision in precisions}
    for precision in precisions:
        found[f"{precision}, from ONNX"] = measure(checkpoint, precision, "openvino-onnx")
    if importlib.util.find_spec("onnxruntime") is not None:
        found["onnxruntime"] = measure(checkpoint, "float32", "onnxruntime")
    found["tensorflow"] = measure(checkpoint, "float32", "tensorflow")
    return found


def measure(checkpoint: Path, precision: str, runtime: str = "openvino") -> dict[str, Any]:
    """Return what a process of its own has measured."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks.network", str(checkpoint), precision, runtime],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure_here(checkpoint: Path, precision: str, runtime: str) -> dict[str, Any]:
    started = time.perf_counter()
    run, precision = _opened(checkpoint, precision, runtime)
    ready_s = time.perf_counter() - started
    rng = np.random.default_rng(0)
    times: dict[str, float] = {}
    for batch in BATCHES:
        patches = rng.uniform(-4.6, 3.0, (batch, 96, 64)).astype(np.float32)
        run(patches)
        spent = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            run(patches)
            spent.append(time.perf_counter() - began)
        times[str(batch)] = round(statistics.median(spent) / batch * 1e3, 2)
    return {
        "runtime": runtime,
        "precision": precision,
        "ready_s": round(ready_s, 2),
        "ms_a_patch_by_batch": times,
        "memory_mb": round(psutil.Process().memory_info().rss / 2**20),
        "memory_peak_mb": _peak_mb(),
    }


def _opened(checkpoint: Path, precision: str, runtime: str) -> tuple[Callable[..., Any], str]:
    """Return a network that is ready, and the format that it computes in."""
    if runtime == "tensorflow":
        from soundalike.encoders.vggish.reference import load_float32

        return load_float32(checkpoint), "float32"
    if runtime == "openvino":
        from soundalike.encoders.vggish.network import VGGishNetwork

        network = VGGishNetwork(checkpoint, precision)
        return network.embed_patches, network.precision
    from soundalike.encoders.runtime import has_bfloat16, open_session
    from soundalike.encoders.vggish.conversion import converted
    from soundalike.encoders.vggish.onnx_graph import INPUT, OUTPUT

    if runtime == "onnxruntime":
        # Where both are installed, the program takes OpenVINO.
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *more: None if name == "openvino" else find(name, *more)
    half = runtime != "onnxruntime" and precision != "float32" and has_bfloat16()
    path, _ = converted(checkpoint, half=half)
    session = open_session(path, INPUT, OUTPUT, precision=precision)
    return session, session.precision


def _peak_mb() -> int:
    """Return the largest resident size; getrusage would count that of the program which started this."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


if __name__ == "__main__":
    runtime = sys.argv[3] if len(sys.argv) > 3 else RUNTIMES[0]
    print(json.dumps(_measure_here(Path(sys.argv[1]), sys.argv[2], runtime)))
