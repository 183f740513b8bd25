"""Build the images' contents and run compose.yml's services, all without a container engine.

Usage: ``python docker/try_without_docker [--keep FOLDER] [--postgres FOLDER]``. Needs a
Python with Soundalike installed (``make demo`` makes one in ``.venv``), and a package index. The images
get the same Python. Takes some minutes and 4 GB. As root it runs the services as the images' user.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import os
import shutil
import sys
import tempfile
import time
import urllib.request
import wave
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from database import Server, default_programs
from images import Image
from recipe import Dockerfile, mounts, read_compose
from services import Addresses, Service

FOLDER = Path(__file__).resolve().parents[1]
PROJECT = FOLDER.parent
#: With characters that would need escaping in a URL, in a shell, and in SQL.
PASSWORDS = {"POSTGRES_PASSWORD": "s u'p\"e/r", "SOUNDALIKE_DB_PASSWORD": "a@b:c/d%20'e\\f"}
#: More audio than travels inside one message (32 MiB of float32 at 16 kHz).
_LONG_S = 600


def main() -> int:
    """Do it all; the exit status is 0 when everything was as it should be."""
    parser = argparse.ArgumentParser(prog="try_without_docker", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work here, and leave it")
    parser.add_argument("--postgres", type=Path, metavar="FOLDER", help="initdb, psql and so on")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="soundalike-docker-"))
    folder.mkdir(parents=True, exist_ok=True)
    # The services run as another user.
    folder.chmod(0o755)
    try:
        return Trial(folder.resolve(), arguments.postgres or default_programs()).run()
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


class Trial:
    """One round of building and running.

    Parameters
    ----------
    folder : Path
        Where everything goes.
    programs : Path
        Folder of PostgreSQL's programs.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder, self._programs = folder, programs
        self._services = read_compose(FOLDER / "compose.yml", PASSWORDS)["services"]
        self._components = [name for name in self._services if "build" in self._services[name]]
        self._dockerfile = Dockerfile((FOLDER / "Dockerfile").read_text(encoding="utf-8"))
        self._addresses = Addresses()
        self._failures: list[str] = []

    def run(self) -> int:
        """Build, run, stop; return an exit status."""
        images = {name: self._build(name) for name in self._components}
        with ExitStack() as stack:
            has_timescaledb = self._start_database(stack)
            running = self._start(images, stack)
            self._use(has_timescaledb)
            self._stop(running)
        left = list((self._folder / "volumes").glob("*/*"))
        self._expect(not left, f"left in a volume: {left}")
        say("\n".join(self._failures) or "all as it should be")
        return bool(self._failures)

    def _build(self, name: str) -> Image:
        began = time.monotonic()
        target = self._services[name]["build"]["target"]
        image = Image(self._dockerfile, target, self._folder / name, PROJECT)
        image.build()
        packages = Path(image.environment["VIRTUAL_ENV"])
        has_tensorflow = any(packages.glob("lib/*/site-packages/tensorflow"))
        say(
            f"{name}: built in {time.monotonic() - began:.0f} s, packages {size_mb(packages)} MB, "
            f"{'with' if has_tensorflow else 'without'} TensorFlow"
        )
        self._expect(has_tensorflow == (name == "encoder"), f"{name} has the wrong packages")
        return image

    def _start_database(self, stack: ExitStack) -> bool:
        database = self._services["database"]
        environment = {name: str(value) for name, value in database["environment"].items()}
        (script,) = [mount.source for path, mount in mounts(database).items() if path.endswith(".sql")]
        port = self._addresses.port("database", "5432")
        server = Server(self._programs, self._folder / "database", port)
        has_timescaledb = stack.enter_context(server.running(environment, FOLDER / script))
        say(f"database: up, {'with' if has_timescaledb else 'without'} TimescaleDB")
        return has_timescaledb

    def _start(self, images: dict[str, Image], stack: ExitStack) -> list[Service]:
        logs = self._folder / "logs"
        logs.mkdir()
        running = []
        for name in self._components:
            places = self._places(name, images[name])
            log = logs / f"{name}.log"
            service = Service(name, self._services, images[name], places, self._addresses, log)
            stack.callback(service.kill)
            service.start()
            running.append(service)
        for service in running:
            spent, waited = service.wait_until_healthy()
            say(f"{service.name}: healthy after {waited:.1f} s; a check costs {spent:.2f} s of CPU")
        return running

    def _places(self, name: str, image: Image) -> dict[str, Path]:
        """Return what lies at the paths at which a service has volumes."""
        places = {}
        for path, mount in mounts(self._services[name]).items():
            if mount.source.startswith("."):
                places[path] = (FOLDER / mount.source).resolve()
                continue
            places[path] = self._folder / "volumes" / mount.source
            if not places[path].exists():
                # A new volume gets the owner of the folder that the image has in its place.
                places[path].mkdir(parents=True)
                like = image.place(path).stat()
                os.chown(places[path], like.st_uid, like.st_gid)
        return places

    def _use(self, has_timescaledb: bool) -> None:
        """Index the toy data and a long recording over HTTP, and search."""
        toy_data = PROJECT / "toy-data"
        expected = json.loads((toy_data / "expected.json").read_text(encoding="utf-8"))
        clips = [path for label in expected["classes"] for path in (toy_data / label).iterdir()]
        outcomes = [doc["outcome"] for doc in self._post("/index", map(str, clips))]
        say(f"indexed {outcomes.count('added')} of {len(clips)} clips")
        self._expect(outcomes == ["added"] * len(clips), f"outcomes {set(outcomes)}")
        (doc,) = self._post("/index", [str(self._long_recording())])
        say(f"a recording of {_LONG_S} s: {doc['outcome']}, {doc['n_windows']} windows")
        self._expect(doc["outcome"] == "added", f"the long recording: {doc['error']}")
        queries = [query for query in expected["queries"] if query["label"] in expected["classes"]]
        found = self._post("/search", [str(toy_data / query["file"]) for query in queries], top_k=1)
        right = [
            [match["label"] for match in doc["matches"]] == [query["label"]]
            for doc, query in zip(found, queries, strict=True)
        ]
        say(f"the right class comes first for {sum(right)} of {len(right)} queries")
        self._expect(sum(right) > 0.8 * len(right), "most queries are answered wrongly")
        (status,) = self._post("/status", [None])
        say(f"status: {json.dumps(status)}")
        self._expect("timescaledb" in status["extensions"] or not has_timescaledb, "no hypertable")
        self._expect(status["recordings"] == len(clips) + 1, "recordings are missing")

    def _long_recording(self) -> Path:
        """Write a recording that has to go through the spool volume."""
        path = self._folder / "long.wav"
        period = array.array("h", (round(20_000 * math.sin(n * math.tau / 40)) for n in range(40)))
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(period.tobytes() * (16_000 * _LONG_S // len(period)))
        return path

    def _post(self, path: str, uris: Any, **parameters: Any) -> list[dict[str, Any]]:
        port = self._addresses.port("gateway", "45678")
        body = {"data": [{"uri": uri} if uri else {} for uri in uris], "parameters": parameters}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310 - as above
            docs: list[dict[str, Any]] = json.load(answer)["data"]
        return docs

    def _stop(self, running: list[Service]) -> None:
        for service in reversed(running):
            peak_mb = service.peak_mb()
            status, took = service.stop()
            say(f"{service.name}: {peak_mb:.0f} MB at most; ended with {status} after {took:.1f} s")
            self._expect(status == 0, f"{service.name} ended with status {status}")

    def _expect(self, is_so: bool, complaint: str) -> None:
        if not is_so:
            self._failures.append(f"NOT AS IT SHOULD BE: {complaint}")


def say(text: str) -> None:
    """Tell the user at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def size_mb(folder: Path) -> int:
    """Return what a folder takes up, in MB."""
    return sum(path.stat(follow_symlinks=False).st_size for path in folder.rglob("*")) // 2**20


if __name__ == "__main__":
    sys.exit(main())
