"""The script that the database container runs, on a server of its own with passwords."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psycopg2
import pytest

from soundalike.config import Settings
from soundalike.filters import Filters
from soundalike.store import open_store
from soundalike.types import IndexSpec, Recording, Window

#: Characters that would need escaping in a URL, in a shell, or in SQL.
PASSWORD = "a@b:c/d%20'e\\f\"g"
SPEC = IndexSpec("toy", "f00d", 16, 4.0, 2.0)

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def database_port(
    load_script: Callable[[str], ModuleType],
    services: dict[str, Any],
    docker_folder: Path,
    free_port: Callable[[], int],
) -> Iterator[int]:
    """Port of a server that was set up as the container sets up its own."""
    database = load_script("try_without_docker/database.py")
    environment = {**services["database"]["environment"], "SOUNDALIKE_DB_PASSWORD": PASSWORD}
    port = free_port()
    # Not below pytest's folder, which only its owner may enter: PostgreSQL does not run as root.
    with tempfile.TemporaryDirectory(prefix="soundalike-test-") as folder:
        os.chmod(folder, 0o755)
        server = database.Server(database.default_programs(), Path(folder, "server"), port)
        with server.running(environment, docker_folder / "initdb" / "050-soundalike.sql"):
            yield port


def connect(port: int, user: str, password: str) -> Any:
    """Connect over TCP, as containers do."""
    return psycopg2.connect(
        host="127.0.0.1", port=port, user=user, password=password, dbname="soundalike"
    )


def test_role_can_do_all_that_the_indexer_does(
    database_port: int,
    services: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    rng: np.random.Generator,
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    url = services["indexer"]["environment"]["SOUNDALIKE_DATABASE_URL"]
    url = url.replace("database:5432", f"127.0.0.1:{database_port}")
    store = open_store(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))
    vectors = rng.standard_normal((1, 16)).astype(np.float32)
    recording = Recording("00000000-0000-0000-0000-000000000001", "/audio/a.wav", 4.0)
    try:
        assert store.add(recording, [Window(0, 0.0, 4.0)], vectors, SPEC) == "added"
        found = store.search(vectors, SPEC, top_k=1, filters=Filters())
        assert list(found.recordings) == [recording.recording_id]
        assert "vector" in store.status().extensions
        store.reset()
    finally:
        store.close()


def test_role_is_no_administrator(database_port: int) -> None:
    connection = connect(database_port, "soundalike", PASSWORD)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
                "FROM pg_roles WHERE rolname = current_user"
            )
            assert cursor.fetchone() == (False,) * 5
    finally:
        connection.close()


@pytest.mark.parametrize("password", ["", "postgres", "soundalike", PASSWORD.upper()])
def test_other_passwords_are_refused(database_port: int, password: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        connect(database_port, "soundalike", password)
