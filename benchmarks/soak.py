"""Ask a service for hours, and say whether its processes hold more at the end than at the beginning.

``python -m benchmarks.soak --requests 100000``

Starts a service on a fresh embedded server in a temporary folder, sends requests of all kinds, and notes
after each step, at rest, what every process holds. Writes a JSON report and a picture of the curves, and
ends with a line that begins with PASSED or FAILED; the exit status is 0 or 1. Control-C ends it early,
with a report of what there is by then.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ElementTree

import numpy as np
import psutil

from benchmarks import clips, soak_plot
from benchmarks.__main__ import commit, machine
from benchmarks.mixed import Mix
from benchmarks.processes import Held, Processes
from soundalike.cli.demo import running_service
from soundalike.cli.serve import find_flow
from soundalike.config import Settings

_SOUND_MINUTES = 2.0
#: Until what a request has left behind, as connections that end, is over.
_REST_S = 2.0
#: More of these at the end than at the beginning is a leak; pools may still gain one or two.
_MOST_MORE = {"threads": 4, "descriptors": 6, "connections": 4}
#: PostgreSQL keeps the files of tables open that it may need again, up to a thousand in each backend.
_MOST_MORE_FILES = {"postgres": 200}
#: Beginning and end are the medians of so much of what comes after the warm-up.
_EDGE = 0.2


def main() -> int:
    """Run the soak; write report and picture."""
    arguments = _parse()
    report: dict[str, Any] = {"machine": machine(), "commit": commit(), "samples": []}
    with tempfile.TemporaryDirectory(prefix="soundalike-soak-") as folder:
        try:
            _run(arguments, Path(folder), report)
        except KeyboardInterrupt:
            print("stopped early", file=sys.stderr)
        except Exception as exc:
            # Of hours of measuring nothing is lost, and the last line says what has happened.
            report["broken"] = f"it broke off: {exc!r}"
    report |= judge(report["samples"], arguments.warm_up, arguments.most_mb)
    report["faults"] += [report["broken"]] if "broken" in report else []
    if report.get("failed"):
        report["faults"].append(f"{report['failed']} requests failed: {report['failures'][0]}")
    arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if len(report["samples"]) > 1:
        svg = soak_plot.plot(report["samples"], arguments.warm_up)
        ElementTree(svg).write(arguments.picture, encoding="utf-8")
    for name, grown in report["grown"].items():
        print(f"{name:10} {grown['mb']:+7.1f} MB, {grown['bytes_per_request']:+7.0f} bytes a request")
    verdict = f"FAILED: {'; '.join(report['faults'])}" if report["faults"] else "PASSED"
    print(f"{verdict} ({report.get('requests', 0)} requests, at most {arguments.most_mb:g} MB more)")
    return 1 if report["faults"] else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=4, help="who ask at the same time; default: 4")
    parser.add_argument("--every", type=int, help="requests between samples; default: a hundredth")
    parser.add_argument("--warm-up", type=int, help="requests before it counts; default: a fifth")
    parser.add_argument("--most-mb", type=float, default=5.0, help="growth of a process; default: 5")
    parser.add_argument("--output", type=Path, default=Path("soak.json"))
    parser.add_argument("--picture", type=Path, default=Path("soak.svg"))
    arguments = parser.parse_args()
    arguments.every = arguments.every or max(arguments.requests // 100, 1)
    arguments.warm_up = arguments.requests // 5 if arguments.warm_up is None else arguments.warm_up
    return arguments


def _run(arguments: argparse.Namespace, folder: Path, report: dict[str, Any]) -> None:
    """Fill the report while requests are sent."""
    sounds = clips.make(folder / "clips", _SOUND_MINUTES)
    environment = {"SOUNDALIKE_MODEL": "logmel-modulation", "SOUNDALIKE_ROOTS": str(folder)}
    settings = Settings.from_env({**environment, "SOUNDALIKE_DATA_DIR": str(folder / "data")})
    flow = find_flow(None)
    with running_service(flow, settings) as service:
        launcher = psutil.Process().children()[0]
        processes = Processes(launcher, flow, folder / "data")
        mix = Mix(service.url, _grpc_port(launcher), sounds)
        mix.prepare()
        began = time.perf_counter()
        with ThreadPoolExecutor(arguments.users) as users:
            for begin in range(0, arguments.requests, arguments.every):
                end = min(begin + arguments.every, arguments.requests)
                list(users.map(mix.send, range(begin, end)))
                report["requests"] = end
                report["failed"], report["failures"] = mix.n_failed, mix.failures
                report["sent"] = dict(mix.sent)
                report["a_second"] = round(end / (time.perf_counter() - began), 1)
                time.sleep(_REST_S)
                report["samples"].append(_sample(end, processes.held(), folder / "data"))
                _say(report, arguments.requests)


def _grpc_port(launcher: psutil.Process) -> int:
    command = launcher.cmdline()
    return int(command[command.index("--grpc-port") + 1])


def _sample(requests: int, held: dict[str, Held], data: Path) -> dict[str, Any]:
    """Return a row of the report; files are those of uploads and of what is handed on."""
    parts = {name: asdict(what) for name, what in held.items()}
    files = sum(path.is_file() for path in data.rglob("*") if "uploads" in path.parts)
    return {"requests": requests, "upload_files": files, "processes": parts}


def _say(report: dict[str, Any], wanted: int) -> None:
    first, last = report["samples"][0]["processes"], report["samples"][-1]["processes"]
    grown = ", ".join(
        f"{name} {(what['memory_kb'] - first[name]['memory_kb']) / 1024:+.1f}"
        for name, what in last.items()
        if name in first
    )
    line = f"{report['requests']} of {wanted}, {report['a_second']} a second, "
    line += f"{report['failed']} failed, MB: {grown}"
    print(line, file=sys.stderr, flush=True)


def judge(samples: Sequence[dict[str, Any]], warm_up: int, most_mb: float) -> dict[str, Any]:
    """Say what has grown since the warm-up.

    Parameters
    ----------
    samples : sequence of dict
        As the report has them.
    warm_up : int
        Requests that do not count.
    most_mb : float
        So much a process may grow.

    Returns
    -------
    verdict : dict
        ``grown``, for each kind of process; ``faults``, a sentence for each that has grown too much.
    """
    rows = [row for row in samples if row["requests"] >= warm_up]
    if len(rows) < 4:
        return {"grown": {}, "faults": [f"{len(rows)} samples after the warm-up are too few"]}
    # A decoder that was not needed for some time has ended.
    names = sorted(set.intersection(*(set(row["processes"]) for row in rows)))
    grown = {name: _grown(rows, name) for name in names}
    faults = [
        f"{name} holds {found['mb']:.1f} MB more"
        for name, found in grown.items()
        if found["mb"] > most_mb
    ]
    faults += [
        f"{name} has {found[what]:g} {what} more"
        for name, found in grown.items()
        for what, most in _most_more(name).items()
        if found[what] > most
    ]
    files = _between_edges([row["upload_files"] for row in rows])
    faults += [f"there are {files:g} files of uploads more"] if files > 0 else []
    return {"grown": grown, "faults": faults}


def _most_more(name: str) -> dict[str, int]:
    return {**_MOST_MORE, "descriptors": _MOST_MORE_FILES.get(name, _MOST_MORE["descriptors"])}


def _grown(rows: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    parts = [row["processes"][name] for row in rows]
    memory = [part["memory_kb"] for part in parts]
    slope = np.polyfit([row["requests"] for row in rows], np.multiply(memory, 1024.0), 1)[0]
    return {
        "mb": round(_between_edges(memory) / 1024, 2),
        "bytes_per_request": round(float(slope), 1),
        **{what: _between_edges([part[what] for part in parts]) for what in _MOST_MORE},
    }


def _between_edges(values: Sequence[float]) -> float:
    edge = max(1, round(len(values) * _EDGE))
    return float(np.median(values[-edge:]) - np.median(values[:edge]))


if __name__ == "__main__":
    sys.exit(main())
