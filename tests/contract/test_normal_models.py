"""Models of what is normal, and the recordings that were watched."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soundalike.errors import NormalModelNotFound, ParameterError
from soundalike.store.normal_models import MAX_MODEL_BYTES, WatchedFile, WatchEvent

if TYPE_CHECKING:
    from soundalike.store import Store

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)


def event(
    uri: str = "/a.wav", *, at: datetime = NOON, mtime_ns: int = 7, is_anomalous: bool = True
) -> WatchEvent:
    file = WatchedFile(uri, 100, mtime_ns)
    return WatchEvent(str(uuid.uuid4()), "pump", file, at, is_anomalous, {"score": 1.5})


@pytest.fixture
def pump(store: Store) -> Store:
    assert store.save_normal_model("pump", b"\x00one", {"n": 1}, version=None)
    return store


def test_an_empty_store_has_none(store: Store):
    assert store.normal_models() == []
    assert store.watch_events("pump") == []
    assert store.untold_events("pump") == []
    assert store.watched("pump", [WatchedFile("/a.wav", 1, 2)]) == set()
    assert store.remove_normal_model("pump") is False
    with pytest.raises(NormalModelNotFound, match="'pump'"):
        store.normal_model("pump")
    with pytest.raises(NormalModelNotFound, match="'pump'"):
        store.put_watch_event(event())


def test_a_model_comes_back_as_it_was_saved(pump: Store):
    pump.save_normal_model("fan", b"two", {"n": 2}, version=None)
    summary, model = pump.normal_model("pump")
    assert (summary.name, summary.version, summary.summary, model) == ("pump", 1, {"n": 1}, b"\x00one")
    assert [found.name for found in pump.normal_models()] == ["fan", "pump"]


def test_a_change_from_an_old_version_is_refused(pump: Store):
    assert pump.save_normal_model("pump", b"first", {}, version=1)
    assert not pump.save_normal_model("pump", b"second", {}, version=1)
    assert not pump.save_normal_model("pump", b"second", {}, version=None)
    summary, model = pump.normal_model("pump")
    assert (summary.version, model) == (2, b"first")
    assert summary.created_at <= summary.updated_at


def test_of_two_processes_that_save_at_once_one_wins(store: Store):
    def save(number: int) -> bool:
        return store.save_normal_model("pump", str(number).encode(), {}, version=None)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(save, range(8))) == 1


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "ä", "a" * 64, "../x"])
def test_names_that_are_refused(store: Store, name: str):
    with pytest.raises(ParameterError, match="name of the model"):
        store.save_normal_model(name, b"", {}, version=None)


def test_too_large_a_model_is_refused(store: Store):
    with pytest.raises(ParameterError, match="MB"):
        store.save_normal_model("pump", bytes(MAX_MODEL_BYTES + 1), {}, version=None)


def test_a_file_is_scored_once_until_it_changes(pump: Store):
    first, again, changed = event(), event(), event(mtime_ns=8)
    assert pump.put_watch_event(first)
    assert not pump.put_watch_event(again)
    assert pump.put_watch_event(changed)
    known = pump.watched("pump", [first.file, changed.file, WatchedFile("/a.wav", 100, 9)])
    assert known == {first.file, changed.file}
    assert {found.event_id for found in pump.watch_events("pump")} == {first.event_id, changed.event_id}


def test_a_renamed_file_is_known_by_its_new_path(pump: Store):
    first, other = event(), event("/taken.wav")
    for one in (first, other):
        pump.put_watch_event(one)
    renamed = WatchedFile("/b.wav", 100, 7)
    assert pump.rename_watched("pump", first.file, "/b.wav")
    assert pump.watched("pump", [first.file, renamed]) == {renamed}
    assert not pump.rename_watched("pump", first.file, "/c.wav")
    assert not pump.rename_watched("pump", renamed, "/taken.wav")
    assert not pump.rename_watched("fan", renamed, "/c.wav")
    # The event tells where the file was when it was scored.
    assert {found.file.uri for found in pump.untold_events("pump")} == {"/a.wav", "/taken.wav"}
    assert pump.watch_events("pump", limit=2)


def test_events_come_back_the_latest_first_and_by_time(pump: Store):
    early = event("/early.wav", at=NOON - timedelta(days=40), is_anomalous=False)
    late = event("/late.wav")
    for one in (late, early):
        pump.put_watch_event(one)
    assert pump.watch_events("pump") == [late, early]
    assert pump.watch_events("pump", since=NOON) == [late]
    assert pump.watch_events("pump", only_anomalous=True) == [late]
    assert pump.watch_events("pump", limit=1) == [late]
    assert pump.watch_events("fan") == []
    with pytest.raises(ParameterError, match="limit"):
        pump.watch_events("pump", limit=0)


def test_anomalous_events_wait_until_the_hooks_were_told(pump: Store):
    later, first = event("/b.wav", at=NOON + timedelta(hours=1)), event("/a.wav")
    for one in (later, first, event("/c.wav", is_anomalous=False)):
        pump.put_watch_event(one)
    assert pump.untold_events("pump") == [first, later]
    pump.mark_told(first)
    assert pump.untold_events("pump") == [later]


def test_removing_takes_the_events_along(pump: Store):
    pump.put_watch_event(event())
    assert pump.remove_normal_model("pump") is True
    assert pump.save_normal_model("pump", b"new", {}, version=None)
    assert pump.watch_events("pump") == []
    assert pump.watched("pump", [event().file]) == set()


def test_a_reset_takes_everything(pump: Store):
    pump.put_watch_event(event())
    pump.reset()
    assert pump.normal_models() == []
