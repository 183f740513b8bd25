"""The soak of the watch counts files, events, lines and calls of the hook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.watch_soak import arrive, judge, make_sounds

FILES = {"/a.wav", "/b.wav"}


def event(number: int, uri: str, *, is_anomalous: bool = False) -> dict[str, Any]:
    return {"event_id": str(number), "uri": uri, "is_anomalous": is_anomalous}


NORMAL, ANOMALOUS = event(1, "/a.wav"), event(2, "/b.wav", is_anomalous=True)
GOOD: dict[str, list[dict[str, Any]]] = {
    "events": [NORMAL, ANOMALOUS],
    "lines": [NORMAL, ANOMALOUS],
    "told": [ANOMALOUS],
}


def test_every_file_once_is_no_fault():
    assert judge(FILES, **GOOD, n_kills=0)["faults"] == []


def test_a_kill_may_cost_a_line_and_repeat_a_call():
    found = judge(FILES, **{**GOOD, "lines": [NORMAL], "told": [ANOMALOUS] * 2}, n_kills=1)
    assert (found["faults"], found["lines_missing"], found["hook_calls_repeated"]) == ([], 1, 1)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"events": [ANOMALOUS], "lines": [ANOMALOUS]}, "1 files have no event"),
        ({"events": [*GOOD["events"], event(3, "/a.wav")]}, "1 files have several events"),
        ({"events": [*GOOD["events"], event(3, "/c.wav")]}, "1 events are of other files"),
        ({"lines": [NORMAL, NORMAL, ANOMALOUS]}, "1 lines are repeated"),
        ({"lines": [*GOOD["lines"], event(3, "/a.wav")]}, "1 lines have no event"),
        ({"lines": [NORMAL]}, "1 lines are missing, more than kills"),
        ({"told": []}, "1 anomalies were not told"),
        ({"told": [NORMAL, ANOMALOUS]}, "1 calls were about other events"),
        ({"told": [ANOMALOUS] * 2}, "1 calls were repeated, more than kills"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], fault: str):
    assert fault in judge(FILES, **{**GOOD, **changed}, n_kills=0)["faults"]


def test_files_arrive_in_every_way(tmp_path: Path):
    make_sounds(tmp_path / "sounds", np.random.default_rng(0))
    (tmp_path / "in").mkdir()
    found = list(arrive(tmp_path, 160))
    assert len(set(found)) == 160
    assert {path for path in (tmp_path / "in").rglob("*") if path.is_file()} == set(found)
    damaged = (tmp_path / "sounds" / "damaged.wav").read_bytes()
    assert sum(path.read_bytes() == damaged for path in found) == 1
