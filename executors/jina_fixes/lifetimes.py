"""End the processes of a Flow with the process that started them.

Jina's pods are children of the process that starts the Flow, and go on when it is killed: they keep
the ports, and the next start is refused. ``jina flow`` does not even stop them on SIGTERM. Where one
executor cannot start, Jina waits a minute or for ever for the others, which are still at their own
start and do not listen to SIGTERM.

It can go when Jina watches the parent in its pods, handles SIGTERM in ``Flow.block``, and waits in
``Pod.close`` and ``Pod.join`` with a limit.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from executors.jina_fixes import starting
from soundalike.runtime.lifetime import end_with_parent

#: Of an orderly stop; Jina alone waits for ever until every request has been answered.
_STOP_S = 10.0


def install() -> None:
    """Let the pods that this process starts end with it, and let SIGTERM stop ``Flow.block``."""
    import jina.orchestrate.flow.base as flow
    import jina.orchestrate.pods as pods

    if pods.run is not run_watched:
        pods.run = run_watched
        pods.Pod.close = _closed_in_time(pods.Pod.close)
        flow.Flow.block = _stopped_by_sigterm(flow.Flow.block)


def run_watched(*args: Any, **kwargs: Any) -> None:
    """Run a pod, as `jina.serve.executors.run.run` does, in a process that ends with its parent."""
    end_with_starter()
    from jina.serve.executors.run import run

    starting.in_pod(run, *args, **kwargs)


def end_with_starter() -> None:
    """Watch the parent where this process is a pod of Jina's, and do nothing elsewhere.

    A process that a person started, such as ``jina executor --native``, outlives its shell.
    """
    parent = multiprocessing.parent_process()
    target = getattr(multiprocessing.current_process(), "_target", None)
    if parent is None or getattr(target, "__module__", "").split(".")[0] not in ("jina", "executors"):
        return
    if multiprocessing.get_start_method() == "forkserver":
        end_with_parent(os.getppid(), is_gone=lambda: not parent.is_alive())
    elif parent.pid is not None:
        end_with_parent(parent.pid)


def _closed_in_time(close: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(close)
    def bounded(pod: Any) -> None:
        if pod.is_started.is_set():
            close(pod)
            pod.worker.join(_STOP_S)
        else:
            # It serves nobody yet. Its events are left alone after the kill: it may hold their lock.
            pod.is_shutdown.set()
            pod.logger.close()
        pod.worker.kill()

    return bounded


def _stopped_by_sigterm(block: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(block)
    def stoppable(*args: Any, **kwargs: Any) -> Any:
        is_ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if is_ours:
            signal.signal(signal.SIGTERM, _interrupt)
        return block(*args, **kwargs)

    return stoppable


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stop in order, as Ctrl-C does, but not for ever."""
    signal.signal(number, signal.SIG_IGN)
    limit = threading.Timer(_STOP_S, os._exit, (0,))
    limit.daemon = True
    limit.start()
    raise KeyboardInterrupt
