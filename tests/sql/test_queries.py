"""Every statement is used, and the server takes every statement."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest
from psycopg2.extras import Json, execute_values

import soundalike
from soundalike.store import sql as statements
from soundalike.store.base import Entry
from soundalike.store.rows import binary_rows
from soundalike.store.schema import create_windows
from soundalike.types import Recording

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

#: How the code takes a statement: from the store's dictionary, the module, or a collection.
_USE = re.compile(r'(?:_sql|queries\(\))\["(\w+)"\]|\.statement\("(\w+)"\)')
_QUOTED = re.compile(r'"(\w+)"')
_ID = "6d255136-80ea-549e-b634-6a0e7f408e39"
_UNKNOWN = "00000000-0000-4000-8000-000000000000"
_COLLECTION = {"collection": 1}
_KEY = {**_COLLECTION, "recording_id": _ID}
_RECORDING = (1, _ID, 10.0, None, None, 4, 3, 2)
_FILE = (1, "/a/one.wav", _ID, "dog", Json({}), 9, None)
_FILTERS = {
    "labels": ["dog"],
    "without_labels": ["cat"],
    "tags": Json({"n": 1}),
    "uri_prefix": "/a",
    "excluded": [_ID],
    "where": '$."n" == 1',
}
_TIMES = {
    **{"since": datetime(2025, 5, 1, tzinfo=UTC), "until": datetime(2025, 6, 1, tzinfo=UTC)},
    **{"zone": "<+02:00>-02:00", "day_begin": timedelta(hours=22), "day_length": timedelta(hours=6)},
}
FILTERS = ("filter_files", "filter_excluded", "filter_since", "filter_until", "filter_time_of_day")
_ANNOTATIONS = {**_COLLECTION, "recording_id": _ID, "label": "dog", "source": "a.txt"}
_NAMED = {"name": "pump"}
_SEARCH = {**_COLLECTION, "name": "dogs"}
_MODEL = {**_NAMED, "summary": Json({}), "model": b"npz"}
_WATCHED = {"event_id": _ID, "uri": "/a/one.wav", "size_bytes": 9, "mtime_ns": 7}
_VECTOR = "[" + ",".join(["0.25"] * 16) + "]"

#: Values for each statement's parameters.
VALUES: dict[str, dict[str, Any]] = {
    "extensions": {},
    "table_exists": {"name": "windows_1"},
    "schema_version": {},
    "set_schema_version": {"version": 3},
    "lock_schema": {},
    "create_shard": {},
    "is_in_use": {},
    "drop_schema": {},
    "find_collection": {"name": "default"},
    "list_collections": {},
    "put_collection": {
        **{"name": "other", "encoder": "toy", "fingerprint": "f00d", "dimension": 16},
        **{"window_s": 4.0, "stride_s": 2.0},
    },
    "layout_of": _COLLECTION,
    "take_layout": {**_COLLECTION, "like": "default"},
    "set_layout": {**_COLLECTION, "layout": "bit", "centre": _VECTOR},
    "lock_collection": _COLLECTION,
    "share_collection": _COLLECTION,
    "rename_collection": {**_COLLECTION, "name": "other"},
    "drop_collection": {},
    "count_rows": _COLLECTION,
    "count_starts": _COLLECTION,
    "count_shortcomings": {**_COLLECTION, "decoder_version": 2},
    "lock_recordings": {**_COLLECTION, "keys": [_ID, "/a/one.wav"]},
    "find_files": {**_COLLECTION, "uris": ["/a/one.wav"]},
    "find_recordings": {**_COLLECTION, "recording_ids": [_ID]},
    "list_files": {**_FILTERS, **_COLLECTION, "after": "", "limit": 10},
    "outdated_files": {**_COLLECTION, "after": "", "limit": 10, "decoder_version": 2},
    "first_files": {**_COLLECTION, "recording_ids": [_ID]},
    "count_labels": {**_COLLECTION, "limit": 10},
    "count_folders": {**_COLLECTION, "limit": 10},
    "known_files": {**_COLLECTION, "uris": ["/a/one.wav"]},
    "snapshot": {},
    "recordings_page": {**_COLLECTION, "after": None, "limit": 10},
    "files_of_page": {**_COLLECTION, "recording_ids": [_ID]},
    "windows_of_page": {"recording_ids": [_ID]},
    "windows_of_recording": {"recording_id": _ID},
    "vectors_of_windows": {"recording_id": _ID, "windows": [0, 2]},
    "delete_windows": _KEY,
    "renew_recording": {
        **{**_KEY, "duration_s": 8.0, "recorded_at": None, "source": None},
        **{"n_windows": 3, "n_searchable": 2, "decoder_version": 2},
    },
    "set_decoder_version": {**_KEY, "decoder_version": 2},
    "delete_orphan": _KEY,
    "delete_files": {**_COLLECTION, "key": _ID, "recording_id": _ID, "folder": "/a/"},
    "lock_recordings_of": {**_COLLECTION, "key": "/a/b", "recording_id": None, "folder": "/a/b/"},
    "lock_recordings_under": {**_COLLECTION, "uris": ["/a/one.wav"]},
    "delete_named_files": {**_COLLECTION, "uris": ["/a/one.wav", "/a/two.wav"]},
    "lock_recording_row": _KEY,
    "known_lengths": {**_COLLECTION, "recording_ids": [_ID]},
    "missing_files": {**_COLLECTION, "other": 2},
    "delete_vanished": {**_COLLECTION, "other": 2},
    "search_settings": {},
    "search": {
        **_FILTERS,
        **_TIMES,
        "vectors": [_VECTOR, _VECTOR],
        "query_windows": [0, 1],
        "limit": 40,
    },
    "search_bits": {
        **_FILTERS,
        **_TIMES,
        "vectors": [_VECTOR, _VECTOR],
        "bits": ["01" * 8, "1" * 16],
        "query_windows": [0, 1],
        "limit": 40,
    },
    "count_by_time": {
        **{**_FILTERS, **_TIMES, "vectors": [_VECTOR, _VECTOR], "min_score": 0.5, "touch_s": 0.001},
        **{"first_known": datetime(1857, 1, 1, tzinfo=UTC), "bucket_zone": "Europe/Berlin"},
        **{"unit": "hour", "width": "1 hour"},
    },
    "describe": {"name": "default", "created_at": _TIMES["since"], "recording_ids": [_ID]},
    "describe_filtered": {
        **{**_FILTERS, **_COLLECTION, "name": "default"},
        **{"created_at": _TIMES["since"], "recording_ids": [_ID]},
    },
    "estimate_windows": {"limit": 100},
    "create_index": {},
    "create_bit_index": {},
    "mean_of_sample": {"recordings": 10, "windows": 100},
    "create_time_index": {},
    "stop_if_alone": {},
    "set_index_aside": {},
    "drop_index_aside": {},
    "analyze": {},
    "may_create_vector": {},
    "schema_owner": {},
    "quality_of_sample": {"limit": 10},
    "least_useful": {"limit": 10, "shown": 3, "share": 0.3},
    "count_orphans": _COLLECTION,
    "delete_orphans": {},
    "wrong_counts": {"limit": 10},
    "sample_windows": {"limit": 10},
    "vector_indexes": {},
    "planner_setting": {},
    "memory_settings": {},
    "count_recordings": _COLLECTION,
    "sample_recordings": {**_COLLECTION, "limit": 10},
    "sample_blocks": {"recording_ids": [_ID], "firsts": [0], "lengths": [4]},
    "load_null_model": _COLLECTION,
    "save_null_model": {**_COLLECTION, "model": Json({}), "made_at": _TIMES["since"]},
    "recordings_in_time": {**_FILTERS, **_COLLECTION, "recordings": [_ID]},
    "load_event_models": _COLLECTION,
    "save_event_models": {**_COLLECTION, "events": Json({})},
    "searchable_windows": {**_FILTERS, **_TIMES, "recording_ids": [_ID]},
    "count_annotations": {**_COLLECTION, "limit": 10},
    "list_annotations": {
        **{**_ANNOTATIONS, "after_recording": None, "after_s": None, "after_id": None},
        "limit": 10,
    },
    "delete_annotations": _ANNOTATIONS,
    "window_vectors": {"recording_ids": [_ID], "window_indexes": [0]},
    "keep_annotations": {**_COLLECTION, "other": 2},
    "voice_encoder": {},
    "put_voice_encoder": {"encoder": "voice", "fingerprint": "f00d", "dimension": 2},
    "forget_voice_encoder": {},
    "lock_speakers": {},
    "list_speakers": {},
    "find_speaker": _NAMED,
    "put_speaker": _NAMED,
    "remove_speaker": _NAMED,
    "forget_silent_speakers": {},
    "score_speakers": {"name": None, "vector": "[1, 0]", "limit": 10},
    "is_utterance": {"uri": "/a/one.wav"},
    "list_utterances": _NAMED,
    "uri_of_utterance": {"recording_id": _ID, "speaker": 1},
    "remove_utterance": {**_NAMED, "recording_id": _ID},
    "find_map_layout": {**_COLLECTION, "name": "recordings-pca-15-0"},
    "put_map_layout": {**_COLLECTION, "name": "recordings-pca-15-0", "layout": b"npz"},
    "list_normal_models": {},
    "find_normal_model": _NAMED,
    "share_normal_model": _NAMED,
    "put_normal_model": _MODEL,
    "replace_normal_model": {**_MODEL, "version": 1},
    "remove_normal_model": _NAMED,
    "list_watched_files": {**_NAMED, "uris": ["/a/one.wav"]},
    "rename_watched_file": {**_NAMED, **_WATCHED, "new_uri": "/a/two.wav"},
    "list_untold_events": _NAMED,
    "list_watch_events": {**_NAMED, "since": None, "only_anomalous": True, "limit": 10},
    "put_watch_event": {
        **{**_NAMED, **_WATCHED, "occurred_at": _TIMES["since"], "is_anomalous": True},
        "details": Json({}),
    },
    "mark_told": {"event_id": _ID},
    "remove_watch_events": _NAMED,
    "list_searches": _COLLECTION,
    "find_search": _SEARCH,
    "put_search": {**_SEARCH, "definition": Json({}), "vectors": b"npz", "replace": True},
    "remove_search": _SEARCH,
    "lock_search": _SEARCH,
    "list_search_marks": _SEARCH,
    "undo_search_mark": {"search": 1},
    "delete_accepted": {**_COLLECTION, "label": "dog", "source": "x", "at": _TIMES["since"]},
    "keep_searches": {**_COLLECTION, "other": 2},
}
#: Run in another way, below.
SPECIAL = {
    *("put_recordings", "put_files", "copy_windows", "time_bucket", "date_trunc"),
    *(*FILTERS, "narrow_files", "choose_annotations"),
    *("put_annotations", "put_utterance", "put_watched_file"),
    *("put_search_marks", "put_search_acceptance", "put_shard", "find_shard"),
}
TIMESCALEDB = {
    *("create_hypertable", "events_to_hypertable", "chunks", "compression_jobs", "stop_compression"),
    "decompress",
}


def test_every_statement_is_used_and_every_name_exists():
    used, quoted = set(), set()
    for path in Path(soundalike.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        used |= {name for groups in _USE.findall(text) for name in groups if name}
        quoted |= set(_QUOTED.findall(text))

    known = statements.queries().keys()
    assert used - known == set()
    # Some names are chosen first, and asked for then.
    assert known - quoted == set()


def test_every_statement_is_tested():
    assert statements.queries().keys() == VALUES.keys() | SPECIAL | TIMESCALEDB


@pytest.fixture
def cursor(collection: Collection, database_url: str) -> Any:
    """Yield a cursor on a database that holds the schema and nothing else."""
    collection.add("/a/one.wav")
    collection.store.delete("/a")
    connection = psycopg2.connect(database_url)
    with connection.cursor() as found:
        yield found
    connection.close()


@pytest.mark.parametrize("name", VALUES)
def test_the_server_takes_the_statement(cursor: Any, name: str):
    if name == "set_index_aside":
        cursor.execute(statements.queries()["create_index"].replace("{collection}", "1"))
    statement = statements.queries()[name].replace(
        "{filters}", "\n".join(statements.queries()[part] for part in FILTERS)
    )

    fragments = {"{collection}": "1", "{ef_search}": "100", "{exactly}": "+ 0"}
    fragments["{bucket}"] = statements.queries()["date_trunc"]
    fragments |= {"{centre}": _VECTOR, "{dimension}": "16", "{candidates}": "160"}
    fragments["{narrowed}"] = statements.queries()["narrow_files"]
    for placeholder, text in fragments.items():
        statement = statement.replace(placeholder, text)
    cursor.execute(statement, VALUES[name])
    assert cursor.statusmessage


def test_recordings_and_paths_are_put_by_many_rows_a_statement(cursor: Any):
    """Also where every value of a column is unknown, so that it has no type of its own."""
    execute_values(cursor, statements.queries()["put_recordings"], [_RECORDING])
    execute_values(cursor, statements.queries()["put_files"], [_FILE])

    cursor.execute("SELECT recording_id::text, n_windows, recorded_at FROM soundalike.recordings")
    assert cursor.fetchall() == [(_ID, 4, None)]
    cursor.execute("SELECT uri, label, tags, size_bytes, mtime_ns FROM soundalike.files")
    assert cursor.fetchall() == [("/a/one.wav", "dog", {}, 9, None)]


def test_what_belongs_to_others_is_put_beside_them(cursor: Any):
    queries = statements.queries()
    execute_values(cursor, queries["put_recordings"], [_RECORDING])
    annotation = (1, _ID, 0.0, 1.0, None, None, "dog", "a.txt", None)
    execute_values(cursor, queries["put_annotations"], [annotation, (1, _UNKNOWN, *annotation[2:])])
    cursor.execute("SELECT recording_id::text, label FROM soundalike.annotations")
    assert cursor.fetchall() == [(_ID, "dog")]

    cursor.execute(queries["put_speaker"], _NAMED)
    cursor.execute("SELECT speaker_id FROM soundalike.speakers")
    ((speaker,),) = cursor.fetchall()
    spoken = {"speaker": speaker, "recording_id": _ID, "uri": "/a/one.wav", "duration_s": 9.0}
    cursor.execute(queries["put_utterance"], {**spoken, "speech_s": 8.0, "vector": "[1, 0]"})
    cursor.execute("SELECT uri, embedding::text FROM soundalike.utterances")
    assert cursor.fetchall() == [("/a/one.wav", "[1,0]")]

    cursor.execute(queries["put_normal_model"], _MODEL)
    cursor.execute(queries["put_watched_file"], {**_NAMED, **_WATCHED, "is_told": False})
    cursor.execute("SELECT uri, is_told FROM soundalike.watched_files")
    assert cursor.fetchall() == [("/a/one.wav", False)]

    cursor.execute(queries["put_search"], VALUES["put_search"])
    ((search,),) = cursor.fetchall()
    # Also where no row has a verdict or a time.
    mark = (search, _ID, "/a/one.wav", 0.0, 4.0, None, "ann", None)
    execute_values(cursor, queries["put_search_marks"], [(0, *mark)])
    cursor.execute(
        queries["put_search_acceptance"], {"search": search, "by": "", "label": "dog", "at": None}
    )
    cursor.execute("SELECT uri, is_right, accepted_label FROM soundalike.search_marks ORDER BY mark_id")
    assert cursor.fetchall() == [("/a/one.wav", None, None), ("", None, "dog")]


def test_a_database_has_one_place_in_an_index(cursor: Any):
    queries = statements.queries()
    for number in (0, 1):
        cursor.execute(queries["create_shard"])
        cursor.execute(queries["put_shard"], {"shards_id": _ID, "number": number, "total": 2})
    cursor.execute(queries["find_shard"])
    assert cursor.fetchall() == [(_ID, 1, 2)]


def test_windows_are_copied_in_binary(cursor: Any, collection: Collection):
    """Every field, read back as text."""
    execute_values(cursor, statements.queries()["put_recordings"], [_RECORDING])
    vectors = np.arange(48, dtype=np.float32).reshape(3, 16) / 64
    start = datetime(2025, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    recording = Recording(_ID, "/a/one.wav", 10.0, recorded_at=start)
    rows = binary_rows([Entry(recording, collection.windows(3, silent=[1]), vectors)])
    cursor.copy_expert(statements.queries()["copy_windows"].replace("{collection}", "1"), rows)

    cursor.execute(
        "SELECT collection_id, recording_id::text, window_index, window_time, start_s, end_s, quality, "
        "embedding::text FROM soundalike.windows_1 ORDER BY window_index"
    )
    found = cursor.fetchall()
    assert [row[:7] for row in found] == [
        (1, _ID, n, start + timedelta(seconds=2 * n), 2.0 * n, 2.0 * n + 4, quality)
        for n, quality in enumerate(["ok", "silent", "ok"])
    ]
    assert [row[7] and json.loads(row[7]) for row in found] == [
        vectors[0].tolist(),
        None,
        vectors[2].tolist(),
    ]


def test_older_timescaledb_gets_the_same_hypertable(cursor: Any, database_server: DatabaseServer):
    """Before 2.20, CREATE TABLE cannot make one."""
    if not database_server.has_timescaledb:
        pytest.skip("the server has no TimescaleDB")
    cursor.execute("DROP TABLE soundalike.windows_1")
    create_windows(cursor, 1, 16, "2.19.3")

    cursor.execute(
        "SELECT compression_enabled FROM timescaledb_information.hypertables "
        "WHERE hypertable_schema = 'soundalike' AND hypertable_name = 'windows_1'"
    )
    assert cursor.fetchall() == [(False,)]


def test_comments_do_not_reach_the_server():
    for name, statement in statements.queries().items():
        assert statement, name
        assert "--" not in statement, name


def test_nothing_is_created_outside_of_the_schema(collection: Collection, sql: Callable[..., Any]):
    collection.add("/a/one.wav")

    assert not sql(
        "SELECT c.relname FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace "
        "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')"
    )


def test_reset_leaves_no_schema(collection: Collection, sql: Callable[..., Any]):
    collection.add("/a/one.wav")
    assert sql("SELECT to_regnamespace('soundalike') IS NOT NULL") == [(True,)]
    collection.store.reset()

    assert sql("SELECT to_regnamespace('soundalike') IS NOT NULL") == [(False,)]
