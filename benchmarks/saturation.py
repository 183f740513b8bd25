"""Searches a second and their latency, by the number of users who ask at once.

``python -m benchmarks.saturation saturation.json docs/images/saturation.svg``

Starts a service on a fresh embedded server with made-up windows, and lets 1 to 64 users search by
upload, each as soon as its last search is answered. For each number it records throughput, latency,
processor time of each process for a search, and the time of each stage, from ``/metrics``. Writes a
JSON report and a plot. Another load on the machine lowers throughput; processor time for a search
changes little.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

import numpy as np
import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import clips
from benchmarks.__main__ import commit, machine
from benchmarks.processes import Processes
from benchmarks.service import fill
from soundalike.audio.windows import WindowPlan
from soundalike.cli.demo import running_service
from soundalike.cli.serve import find_flow
from soundalike.config import Settings
from soundalike.encoders.base import index_spec
from soundalike.encoders.choice import load_encoder

_USERS = (1, 2, 4, 8, 16, 32, 64)
_WARM_UP = 50
_STAGE = "soundalike_stage_duration_seconds"
_TIMEOUT_S = 300


def measure(sound: bytes, url: str, processes: Processes, users: int, seconds: float) -> dict[str, Any]:
    """Return a row of the report."""
    before, spent, began = _stages(url), processes.processor_s(), time.monotonic()
    latencies = _searched(sound, url, users, seconds)
    took, after = time.monotonic() - began, _stages(url)
    own: dict[str, float] = {}
    # Decoders that have ended meanwhile, after seconds without work, are left out.
    for (name, pid), seconds_now in processes.processor_s().items():
        own[name] = own.get(name, 0.0) + seconds_now - spent.get((name, pid), 0.0)
    quantiles = np.percentile(latencies, [50, 95, 99])
    return {
        "users": users,
        "searches": len(latencies),
        "a_second": round(len(latencies) / took, 1),
        **{f"p{q}_ms": round(1e3 * float(v), 1) for q, v in zip((50, 95, 99), quantiles, strict=True)},
        "cores_used": round(sum(own.values()) / took, 2),
        "processor_ms": {name: round(1e3 * s / len(latencies), 1) for name, s in own.items()},
        "stages_ms": {
            stage: round(1e3 * (after[stage] - before.get(stage, 0.0)) / len(latencies), 1)
            for stage in after
        },
    }


def _searched(sound: bytes, url: str, users: int, seconds: float) -> list[float]:
    """Let users search for some seconds; return the seconds of each search."""
    latencies: list[float] = []
    faults: list[BaseException] = []
    ends = time.monotonic() + seconds

    def use() -> None:
        try:
            with requests.Session() as session:
                while time.monotonic() < ends:
                    begun = time.monotonic()
                    _search(session, url, sound)
                    latencies.append(time.monotonic() - begun)
        except BaseException as exc:
            faults.append(exc)

    threads = [threading.Thread(target=use) for _ in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return latencies


def _search(session: requests.Session, url: str, sound: bytes) -> None:
    files = {"file": ("clip.mp3", sound)}
    answer = session.post(f"{url}/api/search", files=files, timeout=_TIMEOUT_S)
    answer.raise_for_status()
    assert answer.json()["matches"]


def _stages(url: str) -> dict[str, float]:
    """Return the seconds of each stage since the start of the service."""
    text = requests.get(f"{url}/metrics", timeout=_TIMEOUT_S).text
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{_STAGE}_sum"
    }


def plot(rows: Sequence[dict[str, Any]], title: str) -> Element:
    """Return an SVG: searches a second along, milliseconds up on a logarithmic scale."""
    width, height, left, top, right, bottom = 640, 400, 62, 34, 30, 50
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}")
    SubElement(svg, "title").text = title
    SubElement(svg, "rect", width=str(width), height=str(height), fill="#fff")
    most = 10 * (int(max(row["a_second"] for row in rows)) // 10 + 1)
    low, high = 10.0, 10 ** np.ceil(np.log10(max(row["p95_ms"] for row in rows)))

    def at(x: float, y: float) -> tuple[float, float]:
        share = np.log(y / low) / np.log(high / low)
        return left + x / most * (width - left - right), height - bottom - share * (
            height - top - bottom
        )

    for y in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000):
        if y <= high:
            _line(svg, at(0, y), at(most, y))
            _text(svg, str(y), (left - 8, at(0, y)[1] + 4), "end")
    for x in range(0, most + 1, max(1, most // 5)):
        _text(svg, str(x), (at(x, low)[0], height - bottom + 18), "middle")
    _text(svg, "searches a second", (left + (width - left - right) / 2, height - 12), "middle")
    _text(svg, title, (left, top - 14), "start")
    for key, colour, dash in (("p50_ms", "#0b6e99", ""), ("p95_ms", "#b3541e", "7 3")):
        points = [at(row["a_second"], row[key]) for row in rows]
        shape = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style: dict[str, Any] = {
            "fill": "none",
            "stroke": colour,
            "stroke-width": "2",
            "stroke-dasharray": dash,
        }
        SubElement(svg, "polyline", points=shape, **style)
        for point in points:
            place = {"cx": f"{point[0]:.1f}", "cy": f"{point[1]:.1f}"}
            SubElement(svg, "circle", place, r="3", fill=colour)
        number = ("p50_ms", "p95_ms").index(key)
        _text(svg, f"{key[:3]}, ms", (left + 10, top + 16 + 18 * number), "start", colour)
    for row in rows:
        point = at(row["a_second"], row["p50_ms"])
        _text(svg, str(row["users"]), (point[0] + 6, point[1] + 14), "start")
    return svg


def _line(svg: Element, begin: tuple[float, float], end: tuple[float, float]) -> None:
    ends = zip(("x1", "y1", "x2", "y2"), (*begin, *end), strict=True)
    SubElement(svg, "line", {name: f"{value:.1f}" for name, value in ends}, stroke="#d5dbe0")


def _text(svg: Element, text: str, at: tuple[float, float], anchor: str, colour: str = "#333") -> None:
    place = {"x": f"{at[0]:.1f}", "y": f"{at[1]:.1f}", "text-anchor": anchor, "fill": colour}
    font = {"font-family": "system-ui, sans-serif", "font-size": "12"}
    SubElement(svg, "text", {**place, **font}).text = text


def main() -> int:
    """Measure; write report and plot."""
    parser = argparse.ArgumentParser(prog="benchmarks.saturation", description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("plot", type=Path)
    parser.add_argument("--windows", type=int, default=20_000, help="stored windows; default: 20000")
    parser.add_argument("--seconds", type=float, default=15.0, help="for each number of users")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soundalike-saturation-") as name:
        folder = Path(name)
        given = {"SOUNDALIKE_MODEL": "logmel-modulation", "SOUNDALIKE_DATA_DIR": str(folder / "data")}
        settings = Settings.from_env(given)
        encoder = load_encoder(settings.model, settings.weights_dir, settings.checkpoint)
        fill(settings, index_spec(encoder, WindowPlan()), options.windows)
        sound = clips.make(folder / "clips", 0.2)[0].read_bytes()
        flow = find_flow(None)
        with running_service(flow, settings) as service, requests.Session() as session:
            for _ in range(_WARM_UP):
                _search(session, service.url, sound)
            processes = Processes(psutil.Process().children()[0], flow, folder / "data")
            rows = []
            for users in _USERS:
                load = psutil.getloadavg()[0]
                row = measure(sound, service.url, processes, users, options.seconds)
                rows.append({**row, "load_before": round(load, 1)})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    report = {"machine": machine(), "commit": commit(), "windows": options.windows, "rows": rows}
    options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    title = f"Latency by searches a second, users at the points; {report['machine']['date']}"
    ElementTree(plot(rows, title)).write(options.plot, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
