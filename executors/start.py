"""Watch a Flow while it starts: a deadline, and the reason where it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from executors.jina_fixes import starting
from soundalike.errors import ServiceError

_POLL_S = 0.2
#: So long a pod's own words may come after Jina has noticed that it failed.
_WORDS_S = 2.0


@dataclass
class _Pod:
    """State of one executor, or of the gateway."""

    pid: int | None = None
    said: str = ""
    place: str = ""
    ready: bool = False
    failure: str | None = None
    status: int = ServiceError.exit_status


class Start:
    """The start of a Flow, watched by a thread.

    Parameters
    ----------
    names : sequence of str
        Of the executors, and of the gateway.
    timeout_s : float
        Seconds until all must be ready.
    give_up : callable
        Called with a line for the user and an exit status when a pod failed or the time is over; it
        stops all and does not return.
    """

    def __init__(
        self, names: Sequence[str], timeout_s: float, give_up: Callable[[str, int], NoReturn]
    ) -> None:
        self._pods = {name: _Pod() for name in names}
        self._timeout_s = timeout_s
        self._ends = time.monotonic() + timeout_s
        self._give_up = give_up
        self._is_done = threading.Event()
        self._reading, writing = os.pipe()
        os.set_blocking(writing, False)
        starting.tell_launcher_by(writing)
        self._unread = b""
        threading.Thread(target=self._watch, name="start", daemon=True).start()

    def done(self) -> None:
        """Stop watching."""
        self._is_done.set()

    def failed(self, exc: BaseException) -> NoReturn:
        """Give up because Jina says so; a pod's own reason goes before Jina's."""
        time.sleep(_WORDS_S)
        why, status = starting.reason(exc)
        self._give_up(f"the Flow did not start: {why}", status)

    def _watch(self) -> None:
        while not self._is_done.is_set():
            self._read()
            for name, pod in self._pods.items():
                if why := pod.failure or _death(pod):
                    self._give_up(f"{starting.shown(name)} cannot start: {why}", pod.status)
            if time.monotonic() > self._ends and not self._is_done.is_set():
                self._give_up(self._delay(), ServiceError.exit_status)

    def _read(self) -> None:
        if not select.select([self._reading], [], [], _POLL_S)[0]:
            return
        *lines, self._unread = (self._unread + os.read(self._reading, 1 << 16)).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                # Replicas share a name; one that fails speaks for all.
                pod = self._pods.setdefault(told.pop("name"), _Pod())
                vars(pod).update(told)

    def _delay(self) -> str:
        late = {name: pod for name, pod in self._pods.items() if not pod.ready} or self._pods
        shown = "; ".join(f"{starting.shown(name)} ({_progress(pod)})" for name, pod in late.items())
        return (
            f"not ready after {self._timeout_s:g} s: {shown}; see what it waits for, or raise "
            f"--start-timeout [{ServiceError.code}]"
        )


def _death(pod: _Pod) -> str | None:
    """Return how a pod's process has ended, and leave it to its parent to collect that."""
    if pod.pid is None:
        return None
    try:
        end = os.waitid(os.P_PID, pod.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return f"its process has ended [{ServiceError.code}]"
    if end is None:
        return None
    how = (
        f"exit status {end.si_status}"
        if end.si_code == os.CLD_EXITED
        else signal.Signals(end.si_status).name
    )
    last = f"; it last said: {pod.said}" if pod.said else ""
    return f"its process ended with {how}{last} [{ServiceError.code}]"


def _progress(pod: _Pod) -> str:
    if pod.pid is None:
        return "its process has not begun"
    said = f"it last said: {pod.said}" if pod.said else "it has said nothing"
    return f"{said}; at work in {pod.place}" if pod.place else said
