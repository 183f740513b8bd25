"""Run all checks in order; checks without their prerequisites are skipped."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from soundalike.config import DEFAULT_COLLECTION, Settings
from soundalike.doctor import contents, database, machine, shards, vectors
from soundalike.doctor.checks import Check, failed, guarded
from soundalike.errors import ConfigError, SoundalikeError
from soundalike.store import collections
from soundalike.store.collections import Collection
from soundalike.store.connection import Cursor, Database
from soundalike.store.contents import begin_snapshot
from soundalike.store.opening import open_database
from soundalike.store.postgres import EXACT_BELOW_WINDOWS

_Result = TypeVar("_Result")


def examine(
    settings: Settings | ConfigError,
    *,
    collection: str = DEFAULT_COLLECTION,
    exact_below: int = EXACT_BELOW_WINDOWS,
) -> Iterator[Check]:
    """Check this machine, the database and a collection, without changing anything.

    Parameters
    ----------
    settings : Settings or ConfigError
        The settings, or the error of reading them.
    collection : str
        Collection to check.
    exact_below : int
        Number of windows from which an index is expected.

    Yields
    ------
    check : Check
        Result of each check. A failure skips only the checks that depend on it.
    """
    if isinstance(settings, ConfigError):
        yield failed("settings", settings)
        yield guarded("processor", lambda: machine.processor(None))
        yield guarded("decoders", machine.decoders)
        return
    yield guarded("processor", lambda: machine.processor(settings))
    yield guarded("decoders", machine.decoders)
    yield guarded("weights", lambda: machine.encoder_weights(settings))
    yield guarded("disk", lambda: machine.disk(settings))
    yield guarded("spool", lambda: machine.spool(settings))
    missing = machine.missing_server(settings)
    if missing is not None:
        yield missing
        return
    urls = settings.database_urls
    if len(urls) < 2:
        for check in _opened(settings, collection, exact_below):
            yield check
            if check.name == "tables" and check.state == "ok":
                yield from shards.alone(settings)
        return
    yield guarded("shards", lambda: shards.shards(settings, collection))
    for number, url in enumerate(urls, start=1):
        for check in _opened(replace(settings, database_url=url), collection, exact_below):
            yield replace(check, name=f"{check.name} {number}")


def _opened(settings: Settings, collection: str, exact_below: int) -> Iterator[Check]:
    try:
        opened, release = open_database(settings)
    except SoundalikeError as exc:
        yield failed("server", exc)
        return
    try:
        yield from _database(opened, settings, collection, exact_below)
    finally:
        opened.close()
        release()


def _database(opened: Database, settings: Settings, name: str, exact_below: int) -> Iterator[Check]:
    def look(check: str, work: Callable[[Cursor], Check]) -> Check:
        return guarded(check, lambda: _read(opened, work))

    server = look("server", lambda cursor: database.server(cursor, opened.description))
    if server.state == "fail":
        reached = ["pg_isready", "-d", opened.description]
        yield replace(server, remedy=shlex.join(reached) if settings.database_url else None)
        return
    yield server
    vector = look("pgvector", database.vector)
    yield vector
    yield look("timescaledb", database.timescaledb)
    try:
        tables = database.tables(opened)
    except SoundalikeError as exc:
        yield failed("tables", exc)
        return
    yield tables.check
    # Without pgvector the column of vectors does not exist.
    if not tables.usable or vector.state == "fail":
        return
    yield look("collections", lambda cursor: database.collections(cursor, name))
    try:
        found = _read(opened, lambda cursor: collections.find(cursor, name))
    except SoundalikeError as exc:
        yield failed("collection", exc)
        return
    if found is not None:
        yield from _collection(look, opened, settings, found, exact_below)


def _collection(
    look: Callable[[str, Callable[[Cursor], Check]], Check],
    opened: Database,
    settings: Settings,
    found: Collection,
    exact_below: int,
) -> Iterator[Check]:
    yield guarded("encoder", lambda: contents.encoder(settings, found))
    yield look("decoder", lambda cursor: contents.decoder(cursor, found))
    yield look("quality", lambda cursor: contents.quality(cursor, found))
    yield look("scores", lambda cursor: contents.scores(cursor, found))
    yield look("event scores", lambda cursor: contents.event_scores(cursor, found))
    yield look("integrity", lambda cursor: contents.integrity(cursor, found))
    yield look("chunks", lambda cursor: contents.chunks(cursor, found))
    try:
        known = _read(opened, lambda cursor: vectors.look(cursor, found, exact_below))
    except SoundalikeError as exc:
        yield failed("index", exc)
        return
    yield guarded("index", lambda: vectors.index(known, found, exact_below))
    yield look("plan", lambda cursor: vectors.plan(cursor, found, known))
    yield look("recall", lambda cursor: vectors.recall(cursor, found, known))
    yield look("memory", lambda cursor: vectors.memory(cursor, known))


def _read(opened: Database, work: Callable[[Cursor], _Result]) -> _Result:
    """Run a function in a read-only transaction."""

    def run(cursor: Cursor) -> _Result:
        begin_snapshot(cursor)
        return work(cursor)

    return opened.run(run)
