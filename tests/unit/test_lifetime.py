"""A child ends with its parent, and not with the thread that started it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest

#: Starts children in one of the ways, prints their process numbers, and waits.
PARENT = """
import ctypes, multiprocessing, os, sys, threading, time
from soundalike.runtime.lifetime import end_with_parent

def hold_the_interpreter():
    ctypes.PyDLL(None).sleep(60)

def child(work):
    end_with_parent(multiprocessing.parent_process().pid)
    work()

def start(work):
    process = context.Process(target=child, args=(work,))
    process.start()
    print(process.pid, flush=True)

def sleep():
    time.sleep(60)

if __name__ == "__main__":
    how, method = sys.argv[1:]
    context = multiprocessing.get_context(method)
    if how == "by a thread":
        thread = threading.Thread(target=start, args=(sleep,))
        thread.start()
        thread.join()
    else:
        start(hold_the_interpreter if how == "holding the interpreter" else sleep)
        # A later child inherits whatever the parent has open.
        start(sleep)
    print("all", flush=True)
    time.sleep(60)
"""


def _is_there(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def parent(tmp_path: Any) -> Any:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    started = []

    def start(how: str, method: str = "fork") -> tuple[subprocess.Popen[str], list[int]]:
        process = subprocess.Popen(
            [sys.executable, program, how, method], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        pids = []
        while (line := process.stdout.readline()) != "all\n":
            assert line, "it has ended"
            pids.append(int(line))
        return process, pids

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("how", "method"),
    [
        ("by the main thread", "fork"),
        ("by the main thread", "spawn"),
        ("by a thread", "fork"),
        ("holding the interpreter", "fork"),
    ],
)
def test_children_of_a_parent_that_was_killed_end(
    how: str, method: str, parent: Callable[..., Any], wait_until: Callable[..., Any]
):
    process, children = parent(how, method)
    process.kill()

    wait_until(lambda: not any(map(_is_there, children)), "the children have ended", 20)


def test_a_child_outlives_the_thread_that_started_it(parent: Callable[..., Any]):
    process, (child,) = parent("by a thread")

    # Twice as long as it takes to notice.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    assert _is_there(child)


#: A program that a person starts, and its child, which is not one of Jina's pods.
OF_ITS_OWN = """
import multiprocessing, threading
import executors

def watching():
    return "parent" in [thread.name for thread in threading.enumerate()]

def child(queue):
    from executors.jina_fixes.lifetimes import end_with_starter
    end_with_starter()
    queue.put(watching())

queue = multiprocessing.Queue()
process = multiprocessing.Process(target=child, args=(queue,))
process.start()
print(watching(), queue.get())
"""


def test_only_pods_of_jina_watch_their_parent():
    done = subprocess.run(
        [sys.executable, "-c", OF_ITS_OWN], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["False", "False"]
