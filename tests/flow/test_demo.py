"""``soundalike demo``: the main job from nothing, with the embedded server and the Flow."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

#: Of the eighteen queries; chance would be two.
LEAST_RIGHT = 16


@pytest.fixture(scope="module")
def demo_environ(
    clean_process_environ: dict[str, str], server_folder: Callable[..., Any]
) -> Iterator[dict[str, str]]:
    with server_folder() as folder:
        yield {**clean_process_environ, "SOUNDALIKE_DATA_DIR": str(folder / "data")}


@pytest.fixture(scope="module")
def demo(
    demo_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the demo, from a folder that is not the project's."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "soundalike", "demo", *options],
            env=demo_environ,
            cwd=elsewhere,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def first(demo: Callable[..., Any]) -> subprocess.CompletedProcess[str]:
    return demo("--json")


@pytest.fixture(scope="module")
def second(
    first: subprocess.CompletedProcess[str], demo: Callable[..., Any]
) -> subprocess.CompletedProcess[str]:
    return demo()


pytestmark = [pytest.mark.flow, pytest.mark.db]


def test_it_works_from_nothing(first: subprocess.CompletedProcess[str]):
    assert first.returncode == 0, first.stderr
    assert "37 added" in first.stderr
    assert "Traceback" not in first.stderr


def test_most_queries_find_their_own_class_first(
    first: subprocess.CompletedProcess[str], toy_data: Path
):
    expected = json.loads((toy_data / "expected.json").read_text(encoding="utf-8"))
    labels = {str(toy_data / query["file"]): query["label"] for query in expected["queries"]}
    rows = [json.loads(line) for line in first.stdout.splitlines()]
    best = {row["query"]: row["label"] for row in rows if row["rank"] == 1}

    assert len(labels) == 18
    assert sum(best[query] == label for query, label in labels.items()) >= LEAST_RIGHT
    assert {row["encoder"] for row in rows} == {"logmel-modulation"}


def test_the_event_is_found_at_its_second(first: subprocess.CompletedProcess[str], toy_data: Path):
    (event,) = json.loads((toy_data / "expected.json").read_text(encoding="utf-8"))["events"]
    rows = [json.loads(line) for line in first.stdout.splitlines()]
    (row,) = [
        row
        for row in rows
        if row["query"] == str(toy_data / event["query"]) and row["uri"].endswith(event["file"])
    ]

    overlap_s = min(row["end_s"], event["end_s"]) - max(row["start_s"], event["start_s"])
    assert overlap_s >= 2


def test_it_says_which_encoder_was_used_and_how_to_get_the_other(
    first: subprocess.CompletedProcess[str],
):
    assert "encoder: logmel-modulation" in first.stderr
    assert "weight-free" in first.stderr
    assert "soundalike models download aisfx\n" in first.stderr
    assert "soundalike models download\n" in first.stderr


def test_a_second_run_adds_nothing_and_prints_tables(second: subprocess.CompletedProcess[str]):
    assert second.returncode == 0, second.stderr
    assert "37 unchanged" in second.stderr
    assert "added" not in second.stderr
    lines = second.stdout.splitlines()
    head = ["rank", "score", "match", "clip", "at", "query", "at", "label"]
    assert sum(line.split() == head for line in lines) == 19


def test_the_clips_are_apart_and_the_command_it_prints_removes_them(
    second: subprocess.CompletedProcess[str], demo_environ: dict[str, str]
):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "soundalike", *arguments]
        return subprocess.run(command, env=demo_environ, capture_output=True, text=True, check=True)

    def names() -> list[str]:
        listed = run("collections", "--json").stdout.splitlines()
        return [json.loads(line)["collection"] for line in listed]

    assert names() == ["demo"]
    (line,) = [line for line in second.stderr.splitlines() if line.startswith("  remove them: ")]
    run(*shlex.split(line.removeprefix("  remove them: "))[1:])
    assert names() == []


def test_nothing_runs_on(
    first: subprocess.CompletedProcess[str],
    second: subprocess.CompletedProcess[str],
    demo_environ: dict[str, str],
    wait_until: Callable[..., Any],
):
    folder = demo_environ["SOUNDALIKE_DATA_DIR"]

    def left() -> list[str]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            if folder in command or f"postgres: {folder}" in command:
                found.append(command)
        return found

    wait_until(lambda: not left(), f"nothing of {folder} runs: {left()}", 20)
    assert not (Path(folder) / "postgres" / "postmaster.pid").exists()
