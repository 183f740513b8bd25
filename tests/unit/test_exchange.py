"""Files that are broken, foreign or hostile: a clear sentence, and nothing imported."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.archive import Rebase, export_collection, import_collection, open_archive
from soundalike.errors import ArchiveError, ArchiveInvalid, ArchiveTooNew, SoundalikeError
from soundalike.store import MemoryStore
from tests.fixtures.collections import Collection

Members = dict[str, bytes]
PART = "windows-0000.npz"


@pytest.fixture
def file(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Export two recordings."""
    collection = Collection(MemoryStore(), rng)
    collection.add("/a/one.wav", label="dog", silent=[1])
    collection.add("/a/two.wav")
    export_collection(collection.store, tmp_path / "x.zip")
    return tmp_path / "x.zip"


def imported(path: Path) -> MemoryStore:
    store = MemoryStore()
    with open_archive(path) as archive:
        import_collection(store, archive)
    return store


def refused(path: Path, error: type[SoundalikeError] = ArchiveInvalid) -> str:
    store = MemoryStore()
    with pytest.raises(error) as caught, open_archive(path) as archive:
        import_collection(store, archive)
    assert store.collections() == {}
    assert "\n" not in caught.value.message
    return caught.value.message


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: Members, *, sums: bool = True, **options: Any) -> None:
    """Write members; with `sums`, the list of members is made to fit."""
    head = json.loads(members["collection.json"])
    if sums:
        for name, content in members.items():
            if name in head["members"]:
                head["members"][name] = {
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, json.dumps(head) if name == "collection.json" else content)


def changed_head(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    members = members_of(path)
    head = json.loads(members["collection.json"])
    change(head)
    members["collection.json"] = json.dumps(head).encode()
    write(path, members, sums=False)


def changed_lines(path: Path, name: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
    members = members_of(path)
    rows = [json.loads(line) for line in members[name].splitlines()]
    change(rows)
    members[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    write(path, members)


def changed_arrays(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    members = members_of(path)
    with np.load(io.BytesIO(members[PART])) as found:
        arrays = dict(found)
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    members[PART] = buffer.getvalue()
    write(path, members)


def test_the_helpers_write_what_can_be_imported(file: Path):
    for change in (changed_head, changed_arrays):
        change(file, lambda found: None)
    changed_lines(file, "files.jsonl", lambda rows: None)
    assert imported(file).status().files == 2


def test_the_members_and_their_order(file: Path):
    assert list(members_of(file)) == [PART, "recordings.jsonl", "files.jsonl", "collection.json"]
    with zipfile.ZipFile(file) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    head = json.loads(members_of(file)["collection.json"])
    assert head["format"] == "soundalike-collection"
    assert head["version"] == 1
    assert head["counts"] == {"recordings": 2, "files": 2, "windows": 8}
    for name, member in head["members"].items():
        assert member["sha256"] == hashlib.sha256(members_of(file)[name]).hexdigest()


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path):
    assert "gone.zip" in refused(tmp_path / "gone.zip", ArchiveError)
    assert "directory" in refused(tmp_path, ArchiveError)


@pytest.mark.parametrize("content", [b"", b"RIFF of a sound", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_zip_file(tmp_path: Path, content: bytes):
    (tmp_path / "x.zip").write_bytes(content)
    assert "not an exported collection" in refused(tmp_path / "x.zip")


def test_a_foreign_zip_file(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../etc/passwd", "me")
    assert "not an exported collection" in refused(tmp_path / "x.zip")


def test_every_truncation_is_noticed(file: Path):
    whole = file.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 40, dtype=int):
        file.write_bytes(whole[:length])
        refused(file)


def test_every_flipped_byte_of_the_content_is_noticed(file: Path):
    whole = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        places = [
            info.header_offset + 30 + len(info.filename) + 20 + at
            for info in archive.infolist()
            for at in (0, info.file_size // 2, info.file_size - 1)
            if info.filename != "collection.json"
        ]
    for place in places:
        whole[place] ^= 1
        file.write_bytes(whole)
        refused(file)
        whole[place] ^= 1
    file.write_bytes(whole)
    imported(file)


def test_a_later_format(file: Path):
    changed_head(file, lambda head: head.update(version=3))
    assert "version 3" in refused(file, ArchiveTooNew)


def test_a_quality_of_later_times(file: Path):
    changed_head(file, lambda head: head["qualities"].append("distorted"))
    assert "distorted" in refused(file, ArchiveTooNew)


HEADS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda head: head.update(format="photos"),
    "no format": lambda head: head.pop("format"),
    "a spec that is no object": lambda head: head.update(spec=[]),
    "no dimension": lambda head: head["spec"].pop("dimension"),
    "a dimension in words": lambda head: head["spec"].update(dimension="16"),
    "another dimension": lambda head: head["spec"].update(dimension=8),
    "a negative count": lambda head: head["counts"].update(files=-1),
    "another count": lambda head: head["counts"].update(windows=9),
    "no members": lambda head: head.update(members={}),
    "a part more": lambda head: head["members"].update({"windows-0001.npz": head["members"][PART]}),
    "a member from elsewhere": lambda head: head["members"].update(
        {"../../x": head["members"].pop(PART)}
    ),
    "another sum": lambda head: head["members"][PART].update(sha256="0" * 64),
    "no qualities": lambda head: head.update(qualities=[]),
    "too few qualities": lambda head: head.update(qualities=["ok"]),
}


@pytest.mark.parametrize("change", HEADS.values(), ids=HEADS.keys())
def test_a_head_that_is_wrong(file: Path, change: Callable[[dict[str, Any]], object]):
    changed_head(file, change)
    refused(file)


def test_a_head_that_is_no_json(file: Path):
    for content in (b"[]", b"{", b"[" * 100_000, b"\xff", b'{"format": 1}'):
        members = members_of(file)
        with zipfile.ZipFile(file.with_name("y.zip"), "w") as archive:
            for name in members:
                archive.writestr(name, content if name == "collection.json" else members[name])
        refused(file.with_name("y.zip"))


ROWS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], object]]] = {
    "a recording more": ("recordings.jsonl", lambda rows: rows.append(rows[0])),
    "a recording less": ("recordings.jsonl", lambda rows: rows.pop()),
    "another order": ("recordings.jsonl", lambda rows: rows.reverse()),
    "another number of windows": ("recordings.jsonl", lambda rows: rows[1].update(n_windows=5)),
    "no length": ("recordings.jsonl", lambda rows: rows[1].update(duration_s=0)),
    "an endless one": ("recordings.jsonl", lambda rows: rows[1].update(duration_s=float("inf"))),
    "a length in words": ("recordings.jsonl", lambda rows: rows[1].update(duration_s="long")),
    "a start without zone": (
        "recordings.jsonl",
        lambda rows: rows[1].update(recorded_at="2025-05-01T12:00:00"),
    ),
    "a start by nobody known": (
        "recordings.jsonl",
        lambda rows: rows[1].update(recorded_at="2025-05-01T12:00:00Z", recorded_at_source="ann"),
    ),
    "a decoder in words": ("recordings.jsonl", lambda rows: rows[1].update(decoder_version="2")),
    "a decoder before the first": ("recordings.jsonl", lambda rows: rows[1].update(decoder_version=0)),
    "a decoder that no table holds": (
        "recordings.jsonl",
        lambda rows: rows[1].update(decoder_version=1 << 31),
    ),
    "a path less": ("files.jsonl", lambda rows: rows.pop()),
    "a path of nobody": ("files.jsonl", lambda rows: rows[1].update(recording_id="x")),
    "a path that is none": ("files.jsonl", lambda rows: rows[1].update(uri=7)),
    "tags that are a list": ("files.jsonl", lambda rows: rows[1].update(tags=[1])),
    "a size in words": ("files.jsonl", lambda rows: rows[1].update(size_bytes="a", mtime_ns=1)),
    "a line that is a number": ("files.jsonl", lambda rows: rows.append(7)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("name", "change"), ROWS.values(), ids=ROWS.keys())
def test_lists_that_are_wrong(file: Path, name: str, change: Callable[..., object]):
    changed_lines(file, name, change)
    refused(file)


@pytest.mark.parametrize(
    "change", [{"uri": ""}, {"uri": "a\0b"}, {"label": "\0"}, {"tags": {"a": "\0"}}]
)
def test_what_no_store_takes(file: Path, change: dict[str, Any]):
    changed_lines(file, "files.jsonl", lambda rows: rows[1].update(change))
    assert "contains an invalid recording" in refused(file)


def test_a_file_from_before_there_were_other_decoders(file: Path):
    changed_lines(file, "recordings.jsonl", lambda rows: [row.pop("decoder_version") for row in rows])
    store = imported(file)

    assert store.status().earlier_decoder == 2
    assert {content.decoder_version for content in store.contents()} == {1}


ARRAYS: dict[str, Callable[[dict[str, Any]], object]] = {
    "one is missing": lambda arrays: arrays.pop("end_s"),
    "other numbers": lambda arrays: arrays.update(embedding=arrays["embedding"].astype(float)),
    "too short": lambda arrays: arrays.update(start_s=arrays["start_s"][:-1]),
    "other counts": lambda arrays: arrays["n_windows"].__setitem__(0, 5),
    "a count below 1": lambda arrays: arrays.update(n_windows=np.array([8, 0], dtype=np.int32)),
    "a negative count": lambda arrays: arrays.update(n_windows=np.array([9, -1], dtype=np.int32)),
    "not finite": lambda arrays: arrays["embedding"].__setitem__((0, 0), np.inf),
    "an end before the start": lambda arrays: arrays["end_s"].__setitem__(0, -1.0),
    "a start that is no number": lambda arrays: arrays["start_s"].__setitem__(0, np.nan),
    "a window twice": lambda arrays: arrays["index"].__setitem__(1, 0),
    "an unknown quality": lambda arrays: arrays["quality"].__setitem__(0, 9),
    "ids in another order": lambda arrays: arrays.update(recording_id=arrays["recording_id"][::-1]),
    "a pickle": lambda arrays: arrays.update(index=np.array([{"a": 1}], dtype=object)),
}


@pytest.mark.parametrize("change", ARRAYS.values(), ids=ARRAYS.keys())
def test_arrays_that_are_wrong(file: Path, change: Callable[[dict[str, Any]], object]):
    changed_arrays(file, change)
    refused(file)


def test_a_part_that_is_compressed_or_none(file: Path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, index=np.zeros(1 << 20))
    for content in (buffer.getvalue(), b"no part", b""):
        write(file, {**members_of(file), PART: content})
        refused(file)


def test_compression_extra_and_doubled_members_are_refused(file: Path):
    members = members_of(file)
    write(file, members, compression=zipfile.ZIP_DEFLATED)
    assert "damaged" in refused(file)
    write(file, {**members, "../evil": b"x"})
    assert "differ from" in refused(file)
    write(file, members)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("files.jsonl", members["files.jsonl"])
    assert "differ from" in refused(file)


def test_where_it_cannot_be_written_nothing_is_left(rng: np.random.Generator, tmp_path: Path):
    collection = Collection(MemoryStore(), rng)
    collection.add("/a/one.wav")
    with pytest.raises(ArchiveError, match="cannot be written"):
        export_collection(collection.store, tmp_path / "gone" / "x.zip")
    (tmp_path / "x.zip").mkdir()
    with pytest.raises(ArchiveError, match="cannot be written"):
        export_collection(collection.store, tmp_path / "x.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_an_older_file_stays_until_the_new_one_is_complete(file: Path, rng: np.random.Generator):
    before = file.read_bytes()
    collection = Collection(MemoryStore(), rng)
    collection.add("/b/other.wav")

    def break_off(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_collection(collection.store, file, on_progress=break_off)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    export_collection(collection.store, file)
    assert [found.uri for found in imported(file).files()] == ["/b/other.wav"]


@pytest.mark.parametrize(
    ("old", "new", "uri", "moved"),
    [
        ("/a", "/b", "/a/x.wav", "/b/x.wav"),
        ("/a", "/b", "/ab/x.wav", None),
        ("/a/x.wav", "/b/y.wav", "/a/x.wav", "/b/y.wav"),
        ("/a/", "/b/", "/a", "/b"),
        ("/", "/mnt", "/a/x.wav", "/mnt/a/x.wav"),
        ("/mnt", "/", "/mnt/a/x.wav", "/a/x.wav"),
    ],
)
def test_where_a_path_goes(old: str, new: str, uri: str, moved: str | None):
    assert Rebase(old, new).moved(uri) == moved
