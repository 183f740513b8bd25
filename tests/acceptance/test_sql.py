"""``soundalike sql``: the database by hand."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soundalike.cli.main import main
from soundalike.cli.sql import statements
from soundalike.store.embedded import EmbeddedServer

Run = Callable[..., tuple[int, str, str]]
SCRIPT = """
BEGIN;
SET LOCAL hnsw.ef_search = 50;  -- a setting; of the session
SELECT label, count(*) AS n, avg(duration_s)::numeric(6, 2) AS mean_s, 'a;b' AS "odd;"
FROM soundalike.files JOIN soundalike.recordings USING (collection_id, recording_id)
GROUP BY label ORDER BY label;
COMMIT;
"""


@pytest.fixture
def run(database_url: str, clean_environ: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; return its status, and what it wrote."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        status = main([*map(str, arguments), "--database-url", database_url])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def indexed(run: Run, sounds: Path) -> Run:
    assert run("index", sounds)[0] == 0
    return run


def test_a_table_for_people(indexed: Run):
    status, out, err = indexed("sql", SCRIPT)
    assert status == 0, err
    assert out.splitlines() == [
        "label  n  mean_s  odd;",
        "deep   1      10  a;b",
        "low    2      10  a;b",
    ]
    assert err.splitlines() == ["BEGIN", "SET", "2 rows", "COMMIT"]


def test_rows_for_programs(indexed: Run):
    rows = [json.loads(line) for line in indexed("sql", SCRIPT, "--json")[1].splitlines()]
    assert rows[1] == {"label": "low", "n": 2, "mean_s": 10, "odd;": "a;b"}
    odd = "SELECT NULL AS a, 'NaN'::float8 AS a, "
    odd += "'{\"x\": [1]}'::jsonb AS j, now() AS t, '\\x01'::bytea AS b"
    (row,) = (json.loads(line) for line in indexed("sql", odd, "--format", "json")[1].splitlines())
    assert (row["a"], row["a_2"], row["j"], row["b"]) == (None, None, {"x": [1]}, "\\x01")
    header, cells = csv.reader(indexed("sql", odd, "--format", "csv")[1].splitlines())
    assert (header[:3], cells[2]) == (["a", "a_2", "j"], '{"x": [1]}')


def test_long_values_are_shortened_for_people_alone(indexed: Run):
    text = "SELECT embedding FROM soundalike.windows_1 LIMIT 1"
    assert len(indexed("sql", text)[1].splitlines()[1]) == 80
    assert len(indexed("sql", text, "--format", "csv")[1].splitlines()[1]) > 1000


@pytest.mark.parametrize("text", ["DELETE FROM soundalike.files", "BEGIN; DELETE FROM soundalike.files"])
def test_nothing_is_changed_unless_that_is_asked_for(indexed: Run, text: str):
    status, out, err = indexed("sql", text)
    assert (status, out) == (2, "")
    assert "in a read-only transaction; to change the database add --write [parameter.invalid]" in err
    count = "SELECT count(*) AS n FROM soundalike.files"
    assert json.loads(indexed("sql", count, "--json")[1]) == {"n": 3}
    status, out, err = indexed("sql", "DELETE FROM soundalike.files", "--write")
    assert (status, out, err) == (0, "", "DELETE 3\n")
    assert json.loads(indexed("sql", count, "--json")[1]) == {"n": 0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELEC 1", "the database refuses a statement: syntax error"),
        ("SELECT 1/0", "the database refuses a statement: division by zero"),
        (" ; -- nothing", "there is no statement"),
    ],
)
def test_wrong_statements(run: Run, text: str, said: str):
    status, _, err = run("sql", text)
    assert status == 2
    (line,) = err.splitlines()
    assert said in line
    assert line.endswith("[parameter.invalid]")


def test_two_formats(run: Run):
    assert run("sql", "SELECT 1", "--json", "--format", "csv")[0] == 2


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("SELECT 1", 1),
        ("SELECT 1; ;; SELECT 2;", 2),
        ("SELECT 'it''s; one'; SELECT E'\\';'", 2),
        ('SELECT 1 AS "a;""b"', 1),
        ("DO $body$ BEGIN PERFORM 1; END $body$; SELECT $$;$$", 2),
        ("/* a; b */ SELECT 1 -- ;", 1),
        ("/* a; b */ -- c", 0),
        ("SELECT 4/2 - 1; SELECT 'open", 2),
    ],
)
def test_statements_are_told_apart(script: str, count: int):
    assert len(statements(script)) == count


def test_the_embedded_server_while_no_service_runs(
    soundalike: Callable[..., Any], data_dir: Path, command_environ: dict[str, str]
):
    none = soundalike("sql", "SELECT 1")
    assert (none.returncode, "index something first" in none.stderr) == (5, True)
    server = EmbeddedServer(data_dir)
    server.acquire().close()
    server.release()
    assert _in_psql(command_environ) == 0
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def _in_psql(environ: dict[str, str]) -> int:
    """Open psql on a terminal, try to change something, and leave."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "soundalike", "sql"], {**environ, "PAGER": ""})
    seen = b""
    try:
        for prompt, line in ((b"=#", b"CREATE TABLE x();\n"), (b"read-only transaction", b"\\q\n")):
            while prompt not in seen:
                seen += os.read(terminal, 1024)
            os.write(terminal, line)
        while part := _read(terminal):
            seen += part
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
    assert b"start it with --write" in seen
    return os.waitstatus_to_exitcode(status)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # so Linux says that the other side has gone
        return b""
