"""What lies below a folder is found by an index, however many paths there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from soundalike.filters import Filters
from soundalike.store import listing, writing
from soundalike.store.collections import find

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

N_PATHS = 20_000


class RememberingCursor(psycopg2.extensions.cursor):
    """Remembers what it has sent."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sent: list[bytes] = []

    def execute(self, query: Any, values: Any = None) -> None:
        """Execute and remember."""
        super().execute(query, values)
        self.sent.append(self.query)

    def plan(self, part: str) -> str:
        """Return the server's plan for what was sent last that holds this text."""
        sent = next(text for text in reversed(self.sent) if part in text.decode())
        super().execute(b"EXPLAIN " + sent)
        return "\n".join(line for (line,) in self.fetchall())


@pytest.fixture
def cursor(
    collection: Collection, sql: Callable[..., Any], database_url: str
) -> Iterator[RememberingCursor]:
    """Open a database with many paths, most of them not in the folder /a/17."""
    collection.add("/a/17/one.wav")
    sql(
        "INSERT INTO soundalike.files (collection_id, uri, recording_id) "
        f"SELECT 1, '/a/' || n %% 1000 || '/' || n, %s FROM generate_series(1, {N_PATHS}) AS n",
        [collection.recording("/a/17/one.wav").recording_id],
    )
    sql("ANALYZE soundalike.files")
    connection = psycopg2.connect(database_url, cursor_factory=RememberingCursor)
    with connection.cursor() as opened:
        yield opened
    connection.close()


def test_a_page_of_a_folder(cursor: RememberingCursor):
    found = find(cursor, "default")
    assert found is not None
    page = listing.page(cursor, found, "", 10, Filters(uri_prefix="/a/17/"))

    assert [file.recording.uri for file in page][:2] == ["/a/17/10017", "/a/17/1017"]
    assert "(uri >= '/a/17/'::text)" in cursor.plan("starts_with")


def test_deleting_a_folder(cursor: RememberingCursor):
    found = find(cursor, "default")
    assert found is not None
    assert writing.delete(cursor, found, "/a/17") == 1 + N_PATHS // 1000

    assert "(uri >= '/a/17/'::text)" in cursor.plan("DELETE FROM soundalike.files")
    assert "Seq Scan on files" not in cursor.plan("FOR UPDATE")


def test_paths_have_the_order_of_their_bytes(collection: Collection):
    """As Python sorts them, whatever the server's language."""
    paths = ["/B", "/a", "/Ä", "/_", "/é", "/z"]
    for path in paths:
        collection.add(path)

    assert [file.uri for file in collection.store.files()] == sorted(paths)
