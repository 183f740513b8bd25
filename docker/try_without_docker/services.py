"""Run compose.yml's services as processes of this machine."""

# ruff: noqa: S603 - the commands are those of compose.yml and of the Dockerfile

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from images import Image

_START_S = 180
_STOP_S = 30


class Addresses:
    """Where each port of each service is reached here: a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self._ports: dict[tuple[str, str], int] = {}

    def port(self, service: str, port: str) -> int:
        """Return the port that stands for one of a service's own."""
        key = (service, port)
        if key not in self._ports:
            # The sockets stay open until all numbers are known, so that no number comes twice.
            self._ports[key] = free_port(taken=set(self._ports.values()))
        return self._ports[key]

    def rewritten(self, text: str, service: str, services: Mapping[str, Any]) -> str:
        """Return a command's or variable's text with the addresses that hold here."""
        names = "|".join(services)
        text = re.sub(r"(?<=//127\.0\.0\.1:)\d+", lambda match: str(self.port(service, match[0])), text)
        text = re.sub(
            rf"\b({names}):(\d+)\b",
            lambda match: f"127.0.0.1:{self.port(match[1], match[2])}",
            text,
        )
        text = text.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - it is taken out here
        return re.sub(
            r"^((?:--port=)?)(\d{4,5})$", lambda match: f"{match[1]}{self.port(service, match[2])}", text
        )


def free_port(taken: set[int]) -> int:
    """Return a port that nobody listens on and that is not in `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


class Service:
    """A service of compose.yml as a process.

    Parameters
    ----------
    name : str
        Its name.
    services : mapping
        All services of compose.yml.
    image : Image
        What it runs in.
    places : mapping of str to Path
        What stands here for the paths at which volumes are mounted.
    addresses : Addresses
        Ports here.
    log : Path
        Where its output goes.
    """

    def __init__(
        self,
        name: str,
        services: Mapping[str, Any],
        image: Image,
        places: Mapping[str, Path],
        addresses: Addresses,
        log: Path,
    ) -> None:
        self.name, self.log = name, log
        self._services, self._image, self._addresses = services, image, addresses
        self._process: subprocess.Popen[bytes] | None = None
        mounted = {str(image.place(path)): str(place) for path, place in places.items()}
        self._environment = {
            variable: mounted.get(value, value) for variable, value in image.environment.items()
        }
        for variable, value in services[name].get("environment", {}).items():
            here = str(places.get(value, value))
            self._environment[variable] = addresses.rewritten(here, name, services)
        user, group = image.user()
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._identity = {"user": user, "group": group, "extra_groups": []}

    def start(self) -> None:
        """Start it, as the image's user, with nothing in its environment but what it is given."""
        command = [*self._image.command("ENTRYPOINT")]
        command += self._services[self.name].get("command") or self._image.command("CMD")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._here(command),
                cwd=self._image.workdir,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._identity,
            )

    def _here(self, command: list[str]) -> list[str]:
        program = shutil.which(command[0], path=self._environment["PATH"])
        if program is None:
            raise RuntimeError(f"{self.name}: {command[0]} is not on the image's PATH")
        arguments = [self._addresses.rewritten(word, self.name, self._services) for word in command[1:]]
        return [program, *(self._image.placed(word) for word in arguments)]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end where the service runs."""
        return subprocess.run(
            self._here([*command]),
            cwd=self._image.workdir,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            **self._identity,
        )

    def wait_until_healthy(self) -> tuple[float, float]:
        """Wait for the health check; return its last run's processor time, and the time waited."""
        began = time.monotonic()
        test = self._services[self.name]["healthcheck"]["test"][1:]
        while True:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            answer = self.run(*test)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if answer.returncode == 0:
                spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                return spent, time.monotonic() - began
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() - began > _START_S:
                raise RuntimeError(f"{self.name} did not start: {answer.stderr}; see {self.log}")
            time.sleep(0.5)

    def peak_mb(self) -> float:
        """Return the most memory that it has held, in MB."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def stop(self) -> tuple[int, float]:
        """Ask it to stop; return its exit status and how long it took.

        Raises
        ------
        RuntimeError
            It did not stop, or left processes behind.
        """
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.name} did not stop within {_STOP_S} s") from None
        took = time.monotonic() - began
        if self.kill():
            raise RuntimeError(f"{self.name} left processes behind")
        return status, took

    def kill(self) -> bool:
        """End whatever is left of it; tell whether there was anything."""
        if self._process is None:
            return False
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
