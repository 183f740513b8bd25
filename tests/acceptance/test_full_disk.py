"""A full disk: each command says so, with the code that belongs to it. The disks are real, and small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from soundalike.cli.main import main
from soundalike.errors import StoreFull, http_status_of
from soundalike.store.connection import Database

if TYPE_CHECKING:
    from tests.fixtures.database import DatabaseServer

Done = subprocess.CompletedProcess[str]
Disk = Callable[[int], AbstractContextManager[Path]]
#: Makes a table of about 200 MB in an embedded server.
LOAD = """
import sys
from soundalike.config import Settings
from soundalike.store.opening import open_database
database, release = open_database(Settings.from_env())
try:
    database.run(lambda cursor: cursor.execute(
        "CREATE TABLE large AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 200000) AS n"
    ))
except Exception as exc:
    print(repr(exc))
finally:
    database.close()
    release()
"""


@pytest.fixture(scope="module")
def disk(server_folder: Callable[..., Any]) -> Disk:
    """Mount a disk of so many megabytes."""

    @contextmanager
    def mounted(megabytes: int) -> Iterator[Path]:
        with server_folder() as folder:
            # Readable for the user that root's servers run as.
            options = f"size={megabytes}m,mode=755"
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
            if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("only root outside of a closed container may mount a small disk")
            try:
                yield folder
            finally:
                subprocess.run(["umount", "--lazy", str(folder)], check=True)

    return mounted


def fill(folder: Path, *, leave_mb: int = 0) -> Path:
    """Fill a disk but for some megabytes; return the file that does."""
    path = folder / "fill"
    size = shutil.disk_usage(folder).free - (leave_mb << 20)
    with suppress(OSError), path.open("wb") as file:
        for _ in range(0, size + 4096, 4096):
            file.write(bytes(4096))
            file.flush()
    return path


def refused(done: Done) -> str:
    """Return what a command said that ended because of a full disk, in one line."""
    *_, last = done.stderr.splitlines()
    assert done.returncode == StoreFull.exit_status, done.stderr
    assert last.endswith("[store.disk_full]"), done.stderr
    assert "SOUNDALIKE_DATABASE_URL" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "free some space there" in last
    return last


def test_it_is_507_over_http():
    assert http_status_of("store.disk_full") == 507


@pytest.fixture
def on(soundalike: Callable[..., Done], clean_process_environ: dict[str, str]) -> Callable[..., Done]:
    """Run a command, or a program, on the data folder of a disk."""

    def run(folder: Path, *arguments: Any) -> Done:
        settings = {"SOUNDALIKE_DATA_DIR": str(folder / "data")}
        if arguments:
            return soundalike(*arguments, **settings)
        return subprocess.run(
            [sys.executable, "-c", LOAD],
            capture_output=True,
            text=True,
            check=True,
            env={**clean_process_environ, **settings},
        )

    return run


def test_a_server_that_cannot_be_made(disk: Disk, on: Callable[..., Done], toy_data: Path):
    with disk(3) as folder:
        said = refused(on(folder, "index", toy_data / "siren"))
    assert "MiB free" in said
    assert "--data-dir" in said


def test_a_server_that_grows_and_then_cannot_start(disk: Disk, on: Callable[..., Done]):
    with disk(80) as folder:
        assert on(folder, "status").returncode == 0
        grown = on(folder)
        assert grown.stdout.startswith("store.disk_full: "), grown
        full = fill(folder)
        done = on(folder, "status")
        refused(done)
        # Nothing of the server's own log, which is long.
        assert len(done.stderr.splitlines()) == 1
        # What was left of the table is the server's for good.
        subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
        full.unlink()
        assert on(folder, "status").returncode == 0


@pytest.fixture
def small(disk: Disk, database_server: DatabaseServer) -> Iterator[tuple[Path, str]]:
    """Return a small disk, and the URL of an empty database on it; the server's own disk has room."""
    ((data,),) = database_server.sql("SHOW data_directory")
    if not os.path.isdir(data):
        pytest.skip("the server runs on another machine")
    with disk(40) as folder:
        space = folder / "space"
        space.mkdir()
        status = os.stat(data)
        os.chown(space, status.st_uid, status.st_gid)
        database_server.sql(f"CREATE TABLESPACE small LOCATION '{space}'")
        try:
            with database_server.database("TABLESPACE small") as url:
                yield folder, url
        finally:
            database_server.sql("DROP TABLESPACE small")


def test_a_database_on_a_full_disk(
    small: tuple[Path, str],
    clean_environ: Path,
    capsys: pytest.CaptureFixture[str],
    toy_data: Path,
    tmp_path: Path,
):
    folder, url = small
    archive = tmp_path / "siren.soundalike.zip"

    def run(*arguments: Any) -> Done:
        # In this process, which is there already.
        status = main([*map(str, arguments), "--database-url", url])
        return Done(arguments, status, *capsys.readouterr())

    assert run("index", toy_data / "siren").returncode == 0
    assert run("export", archive).returncode == 0
    fill(folder)
    for command in (
        ("index", toy_data / "rain"),
        ("import", archive, "--collection", "other"),
        ("reindex", "--window-size", "1"),
    ):
        assert "No space left on device" in refused(run(*command)), command
    _check_an_index_that_does_not_fit(url)


def _check_an_index_that_does_not_fit(url: str) -> None:
    database = Database(lambda: psycopg2.connect(url), urlsplit(url).path)
    attempts = []

    def build(cursor: Any) -> None:
        attempts.append(cursor)
        cursor.execute(
            "CREATE INDEX large ON soundalike.windows_1 USING hnsw (embedding halfvec_cosine_ops)"
        )

    with pytest.raises(StoreFull, match=r"No space left on device"):
        database.run(build)
    database.close()
    # What does not fit fits no better the second time.
    assert len(attempts) == 1


def test_another_file_that_does_not_fit(disk: Disk, soundalike: Callable[..., Done], toy_data: Path):
    with disk(1) as folder:
        fill(folder)
        done = soundalike("embed", toy_data / "siren", "--output", folder / "vectors.npy")
    assert done.returncode != 70, done.stderr
    assert "No space left on device" in done.stderr
