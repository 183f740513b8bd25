"""VGGish alone, in a process of its own: ``python -m benchmarks.network CHECKPOINT PRECISION``.

Prints JSON: seconds until it is ready, milliseconds a patch by batch size, memory.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

BATCHES = (1, 4, 10, 32, 64)
_ROUNDS = 9


def measure(checkpoint: Path, precision: str) -> dict[str, Any]:
    """Return what a process of its own has measured."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks.network", str(checkpoint), precision],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure_here(checkpoint: Path, precision: str) -> dict[str, Any]:
    started = time.perf_counter()
    from soundalike.encoders.vggish.network import VGGishNetwork

    network = VGGishNetwork(checkpoint, precision)
    ready_s = time.perf_counter() - started
    rng = np.random.default_rng(0)
    times: dict[str, float] = {}
    for batch in BATCHES:
        patches = rng.uniform(-4.6, 3.0, (batch, 96, 64)).astype(np.float32)
        network.embed_patches(patches)
        spent = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            network.embed_patches(patches)
            spent.append(time.perf_counter() - began)
        times[str(batch)] = round(statistics.median(spent) / batch * 1e3, 2)
    return {
        "precision": network.precision,
        "ready_s": round(ready_s, 2),
        "ms_a_patch_by_batch": times,
        "memory_mb": round(psutil.Process().memory_info().rss / 2**20),
        "memory_peak_mb": _peak_mb(),
    }


def _peak_mb() -> int:
    """Return the largest resident size; getrusage would count that of the program which started this."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


if __name__ == "__main__":
    print(json.dumps(_measure_here(Path(sys.argv[1]), sys.argv[2])))
