"""Whole services of one machine behind nginx, each with a folder of its own, on one database."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundalike.cli.serve import find_flow, launch_command

_PORTS = range(20_000, 32_000)
_START_S = 180
_NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream soundalike {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://soundalike/;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            client_max_body_size 1025m;
            proxy_request_buffering off;
        }}
    }}
}}
"""


@dataclass
class Running:
    """A service.

    Attributes
    ----------
    process : subprocess.Popen
    port, number : int
    """

    process: subprocess.Popen[bytes]
    port: int
    number: int


class Services:
    """Services, and nginx in front of those that serve.

    Parameters
    ----------
    folder : Path
    environ : dict
        Of all services, without the data folder.
    """

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder, self._environ = folder, environ
        self._ports = iter(random.sample(_PORTS, len(_PORTS)))
        self._numbers = itertools.count(1)
        self._began = time.monotonic()
        self._nginx: subprocess.Popen[bytes] | None = None
        self.port = self._free_port()
        self.serving: list[Running] = []
        self.events: list[dict[str, Any]] = []

    def start(self, port: int | None = None) -> Running:
        """Start a service, on a port of its own or on that of an earlier one, and wait for it."""
        number, port = next(self._numbers), port or self._free_port()
        data = self._folder / f"service-{port}"
        environ = {**self._environ, "SOUNDALIKE_DATA_DIR": str(data), "PYTHONSAFEPATH": "1"}
        with (self._folder / f"{number:02d}-service.log").open("wb") as log:
            words = launch_command(find_flow(None), None, port, self._free_port())
            process = subprocess.Popen(
                words, env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        running = Running(process, port, number)
        self.serving.append(running)
        deadline = time.monotonic() + _START_S
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a service does not start; see {self._folder}")
            time.sleep(0.5)
        self._note(running, "serves")
        return running

    def stop(self, running: Running) -> None:
        """End a service with SIGTERM, without a word to nginx."""
        begun = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        status = running.process.wait(120)
        self.serving.remove(running)
        self._note(running, "ended", status=status, seconds=round(time.monotonic() - begun, 1))

    def tell_nginx(self) -> None:
        """Start nginx, or let it read the services that there are now."""
        text = _NGINX.format(
            user="user root;" if os.geteuid() == 0 else "",
            folder=self._folder,
            port=self.port,
            servers=" ".join(f"server 127.0.0.1:{one.port} max_fails=0;" for one in self.serving),
        )
        file = self._folder / "nginx.conf"
        file.write_text(text, encoding="utf-8")
        if self._nginx is None:
            program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
            assert program is not None, "nginx is not installed"
            words = [
                program,
                "-e",
                f"{self._folder}/nginx.log",
                "-p",
                str(self._folder),
                "-c",
                str(file),
            ]
            self._nginx = subprocess.Popen(words, start_new_session=True)
        else:
            self._nginx.send_signal(signal.SIGHUP)
        time.sleep(1.0)

    def close(self) -> None:
        """Kill what is left."""
        programs = [one.process for one in self.serving]
        for process in [*programs, *([self._nginx] if self._nginx else [])]:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def change_everything(self, quiet_s: float) -> None:
        """Restart all services one after the other, then add one and remove it again."""
        time.sleep(quiet_s)
        for running in list(self.serving):
            self.stop(running)
            self.start(running.port)
        added = self.start()
        self.tell_nginx()
        time.sleep(quiet_s)
        self.serving.remove(added)
        self.tell_nginx()
        self.serving.append(added)
        self.stop(added)

    def _free_port(self) -> int:
        for port in self._ports:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return port
        raise RuntimeError("no free port")

    def _note(self, running: Running, what: str, **more: Any) -> None:
        at_s = round(time.monotonic() - self._began, 1)
        event = {"at_s": at_s, "service": running.number, "what": what, **more}
        self.events.append(event)
        print(json.dumps(event), file=sys.stderr, flush=True)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=8):
            return True
    except OSError:
        return False
