"""The soak says what has grown."""

from typing import Any

import pytest

from benchmarks import soak, soak_plot


def row(requests: int, **changed: float) -> dict[str, Any]:
    part = {"processes": 1, "memory_kb": 50_000, "threads": 9, "descriptors": 20, "connections": 3}
    changed = {"upload_files": 0, **changed}
    files = changed.pop("upload_files")
    return {"requests": requests, "upload_files": files, "processes": {"gateway": part | changed}}


def judged(**growth: float) -> dict[str, Any]:
    """Return the verdict on 40 steps in each of which something has grown by so much."""
    first = row(0)["processes"]["gateway"] | {"upload_files": 0}
    rows = [
        row(step * 100, **{name: first[name] + step * by for name, by in growth.items()})
        for step in range(40)
    ]
    return soak.judge(rows, warm_up=800, most_mb=5.0)


def test_what_stays_as_it_is_is_no_fault():
    found = judged()
    assert found["faults"] == []
    assert found["grown"]["gateway"]["bytes_per_request"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("growth", "fault"),
    [
        ({"memory_kb": 300.0}, "gateway holds 7.6 MB more"),
        ({"descriptors": 1.0}, "gateway has 26 descriptors more"),
        ({"threads": 1.0}, "gateway has 26 threads more"),
        ({"connections": 1.0}, "gateway has 26 connections more"),
        ({"upload_files": 1.0}, "there are 26 files of uploads more"),
    ],
)
def test_what_grows_is_named(growth: dict[str, float], fault: str):
    assert judged(**growth)["faults"] == [fault]


def test_the_slope_is_in_bytes_a_request():
    assert judged(memory_kb=100.0)["grown"]["gateway"]["bytes_per_request"] == pytest.approx(1024)


def test_what_comes_before_the_warm_up_does_not_count():
    rows = [row(0, memory_kb=1), *(row(step * 100) for step in range(10, 40))]
    assert soak.judge(rows, warm_up=1000, most_mb=5.0)["faults"] == []


def test_too_few_samples_are_no_pass():
    assert soak.judge([row(0), row(100)], warm_up=0, most_mb=5.0)["faults"]


def test_each_process_has_its_curve():
    svg = soak_plot.plot([row(step * 100) for step in range(5)], warm_up=100)
    assert [line.get("points") for line in svg.iter("polyline")]
    assert "gateway" in {text.text for text in svg.iter("text")}
