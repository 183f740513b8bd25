"""The processes of a running service by what they do, and what each of them holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

_DATABASE = "postgres"
_DECODERS = "decoder"


@dataclass(frozen=True)
class Held:
    """What the processes of one kind hold.

    Attributes
    ----------
    processes : int
    memory_kb : int
        Of the largest one, without files and without what it shares with others.
    threads, descriptors, connections : int
        Of all of them.
    """

    processes: int
    memory_kb: int
    threads: int
    descriptors: int
    connections: int


class Processes:
    """The launcher that this process has started last, what it has started, and the database's server.

    Parameters
    ----------
    launcher : psutil.Process
    flow : Path
        Its flow file: executors are started in its order, and the gateway after them.
    data : Path
        The data folder, which the embedded server's command line names.
    """

    def __init__(self, launcher: psutil.Process, flow: Path, data: Path) -> None:
        config = yaml.safe_load(flow.read_text(encoding="utf-8"))
        self._names = [*(part["name"] for part in config["executors"]), "gateway"]
        self._launcher, self._data = launcher, data

    def held(self) -> dict[str, Held]:
        """Return what is held now, by the names of executors, ``decoder`` or ``postgres``."""
        found: dict[str, list[psutil.Process]] = {}
        for name, process in self._named():
            found.setdefault(name, []).append(process)
        return {name: _held(processes) for name, processes in sorted(found.items())}

    def processor_s(self) -> dict[tuple[str, int], float]:
        """Return the processor time until now of those that run, by name and number."""
        spent: dict[tuple[str, int], float] = {}
        for name, process in self._named():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent[name, process.pid] = times.user + times.system
        return spent

    def _named(self) -> Iterator[tuple[str, psutil.Process]]:
        yield "launcher", self._launcher
        own = [one for one in self._launcher.children() if one.name() != _DATABASE]
        started = sorted(own, key=lambda one: (one.create_time(), one.pid))
        for name, process in zip(self._names, started, strict=False):
            yield name, process
            for child in process.children(recursive=True):
                if child.name() != _DATABASE:
                    yield _DECODERS, child
        for server in self._servers():
            yield _DATABASE, server
            for backend in server.children():
                yield _DATABASE, backend

    def _servers(self) -> Iterable[psutil.Process]:
        for process in psutil.process_iter(["name", "cmdline"]):
            if process.info["name"] == _DATABASE and any(
                str(self._data) in argument for argument in process.info["cmdline"] or ()
            ):
                yield process


def _held(processes: Iterable[psutil.Process]) -> Held:
    each = []
    for process in processes:
        # One that ends meanwhile holds nothing.
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            each.append(
                (
                    _own_memory_kb(process.pid),
                    process.num_threads(),
                    process.num_fds(),
                    len(process.net_connections()),
                )
            )
    memory, threads, descriptors, connections = zip(*each, strict=True) if each else ((0,),) * 4
    return Held(len(each), max(memory), sum(threads), sum(descriptors), sum(connections))


def _own_memory_kb(pid: int) -> int:
    """Return the anonymous memory: shared buffers count for whoever happens to touch them."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0
