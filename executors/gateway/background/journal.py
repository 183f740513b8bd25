"""The jobs on disk, so that they survive a restart of the service."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence

from pydantic import TypeAdapter, ValidationError

from executors.gateway.background.job import Job, JobFile

#: In the folder of uploads, which the gateway can write to in every deployment.
FILE_NAME = "jobs.sqlite3"
#: A service that is just ending may still hold the file.
_LOCK_TIMEOUT_S = 5.0
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, request TEXT NOT NULL, files TEXT NOT NULL
)
"""
_SAVE = """
INSERT INTO jobs (id, job, request, files) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET job = excluded.job, request = excluded.request, files = excluded.files
"""
_files = TypeAdapter(List[JobFile])
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """A job, with the data to list it or to run it again.

    Attributes
    ----------
    job : Job
    request : dict
        JSON-compatible; empty when the job is finished.
    files : sequence of JobFile
        Results of uploaded files.
    """

    job: Job
    request: Dict[str, Any]
    files: Sequence[JobFile] = ()


class Journal:
    """A SQLite file of jobs, which one service at a time has for itself; threads may share it.

    A write that fails, for example because the disk is full, does not fail the job: a warning is
    logged.

    Parameters
    ----------
    path : Path
        Made where it does not exist.
    wait_s : float, optional
        Seconds to wait for another service; default: 5.

    Raises
    ------
    OSError, sqlite3.Error
        The file cannot be used, or another service is using it.
    """

    def __init__(self, path: Path, wait_s: float | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Paths and tags of uploads are for the service alone.
        path.touch(mode=0o600)
        self._connection = _connect(path, _LOCK_TIMEOUT_S if wait_s is None else wait_s)

    @classmethod
    def open(cls, path: Path) -> Journal | None:
        """Return a journal, or None with a warning in the log where the file cannot be used.

        A damaged file is renamed, and a new one is made.
        """
        try:
            return cls(path)
        except (sqlite3.OperationalError, OSError) as exc:
            _log.warning("jobs will not survive a restart before %s can be used: %s", path, exc)
            return None
        except sqlite3.Error as exc:
            damaged = path.with_suffix(".damaged")
            _log.warning("%s is damaged (%s); renamed to %s, earlier jobs are lost", path, exc, damaged)
            path.replace(damaged)
            return cls(path)

    @classmethod
    def take(cls, path: Path) -> Journal | None:
        """Return a journal that no service is using any more, or None."""
        try:
            return cls(path, wait_s=0.0)
        except (sqlite3.Error, OSError):
            return None

    def load(self) -> Iterator[Record]:
        """Yield the jobs in the order in which they were accepted."""
        for job_id, job, request, files in self._connection.execute(
            "SELECT id, job, request, files FROM jobs ORDER BY rowid"
        ).fetchall():
            try:
                yield Record(
                    Job.model_validate_json(job), json.loads(request), _files.validate_json(files)
                )
            except (ValidationError, ValueError) as exc:
                _log.warning("%s: cannot read the job %s: %s", self._path, job_id, exc)

    def save(self, record: Record) -> None:
        """Write a job, in place of its earlier row."""
        row = (
            record.job.id,
            record.job.model_dump_json(),
            json.dumps(record.request),
            _files.dump_json(list(record.files)).decode(),
        )
        self._write(_SAVE, [row])

    def delete(self, job_ids: Iterable[str]) -> None:
        """Remove jobs."""
        self._write("DELETE FROM jobs WHERE id = ?", [(job_id,) for job_id in job_ids])

    def close(self) -> None:
        """Release the file; later writes are lost."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    def _write(self, statement: str, rows: Sequence[Sequence[str]]) -> None:
        try:
            with self._lock, self._connection:
                self._connection.executemany(statement, rows)
        except sqlite3.Error as exc:
            _log.warning("jobs may not survive a restart: cannot write %s (%s)", self._path, exc)


def _connect(path: Path, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=wait_s, check_same_thread=False)
    try:
        # Held until the connection is closed or the process ends, however it ends.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute(_TABLE)
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection
