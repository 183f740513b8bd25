"""Run the benchmarks on a fresh embedded server; write a JSON report, print it for people.

Each figure stands beside a baseline that was measured in the same run, because the machine's speed
drifts; the ratios are what holds elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import clips, flow, indexing, service, store, vggish
from soundalike.config import Settings


def main() -> int:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    parser.add_argument("--minutes", type=float, default=10.0, help="audio to index; default: 10")
    parser.add_argument(
        "--windows", type=int, nargs="+", default=[10_000, 65_000], help="sizes of the store"
    )
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(), "commit": commit(), "minutes": arguments.minutes}
    with tempfile.TemporaryDirectory(prefix="soundalike-bench-") as folder:
        root = Path(folder)
        sounds = clips.make(root / "clips", arguments.minutes)
        environment = {"SOUNDALIKE_MODEL": "logmel-modulation", "SOUNDALIKE_ROOTS": folder}
        report["indexing"] = indexing.measure(
            sounds, Settings.from_env({**environment, "SOUNDALIKE_DATA_DIR": str(root / "direct")})
        )
        report["flow"] = flow.measure(
            sounds, Settings.from_env({**environment, "SOUNDALIKE_DATA_DIR": str(root / "flow")})
        )
        report["vggish"] = vggish.measure(sounds, root)
        places = Settings.from_env({"SOUNDALIKE_DATA_DIR": str(root / "store")})
        report["store"] = store.measure(places, arguments.windows, years=1.0)
        for name in ("logmel-modulation", "vggish"):
            settings = replace(
                Settings.from_env({"SOUNDALIKE_DATA_DIR": str(root / f"service-{name}")}),
                model=name,
                checkpoint=root / "vggish_model.ckpt" if name == "vggish" else None,
            )
            report[f"service_{name}"] = service.measure(sounds[0], settings, max(arguments.windows))
    audio_s = report["indexing"]["audio_s"]
    report["flow"]["index_times_naive"] = round(
        report["indexing"]["naive_s"] / report["flow"]["index_s"], 2
    )
    report["flow"]["index_times_real_time"] = round(audio_s / report["flow"]["index_s"], 1)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    return 0


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def commit() -> str | None:
    """Return the commit that was measured, or None outside a checkout."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


if __name__ == "__main__":
    sys.exit(main())
