"""Rows of label files find their recordings by path, by name, and by the name of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soundalike.errors import MetadataError, RecordingNotFound
from soundalike.indexing.annotations import ImportedFile, import_annotations

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

LINE = "1\t2\towl\n"
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str = LINE) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    return write


@pytest.fixture
def pond(collection: Collection, tmp_path: Path) -> Collection:
    """Store recordings of 10 s: two with the same name, one with a name of its own, one upload."""
    for uri in ("day/a.wav", "night/a.wav", "night/b.flac", "night/two words.wav"):
        collection.add(str(tmp_path / uri))
    collection.add("upload:c.wav")
    return collection


def imported(collection: Collection, *paths: Path, **given: Any) -> list[ImportedFile]:
    results = list(import_annotations(collection.store, paths, **given))
    for result in results:
        assert isinstance(result, ImportedFile), result
    return results  # type: ignore[return-value]


def told(collection: Collection, tmp_path: Path) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in collection.store.annotations():
        found.setdefault(one.uri.removeprefix(f"{tmp_path}/"), []).append(one.annotation.start_s)
    return found


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("night/a.txt", "night/a.wav"),
        ("night/a_labels.txt", "night/a.wav"),
        ("day/a.labels.txt", "day/a.wav"),
        ("night/b-Label.txt", "night/b.flac"),
        # Anywhere else, if the name is unique.
        ("elsewhere/b_annotations.txt", "night/b.flac"),
        ("two words.txt", "night/two words.wav"),
    ],
)
def test_a_file_belongs_to_the_recording_of_its_name(
    pond: Collection, write: Write, tmp_path: Path, name: str, uri: str
):
    (result,) = imported(pond, write(name, LINE))
    assert (result.added, result.bad) == (1, [])
    assert told(pond, tmp_path) == {uri: [1.0]}
    (stored,) = pond.store.annotations()
    assert stored.source == str(tmp_path / name)


def test_a_selection_table_without_files_belongs_to_the_recording_of_its_name(
    pond: Collection, write: Write, tmp_path: Path
):
    table = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n1\t1\t2\towl\n"
    imported(pond, write("night/a.Table.1.selections.txt", table))
    assert told(pond, tmp_path) == {"night/a.wav": [1.0]}


def test_rows_name_recordings_by_path_and_by_unique_names(
    pond: Collection, write: Write, tmp_path: Path
):
    rows = [
        f"{tmp_path}/day/a.wav,1,2,owl",
        "a.wav,2,3,owl",
        "b.flac,3,4,owl",
        r"C:\sounds\two words.wav,4,5,owl",
        "../day/a.wav,5,6,owl",
        "upload:c.wav,6,7,owl",
        "none.wav,7,8,owl",
    ]
    (result,) = imported(pond, write("night/t.csv", "\n".join(["file,start,end,label", *rows])))
    assert told(pond, tmp_path) == {
        "day/a.wav": [1.0, 5.0],
        "night/a.wav": [2.0],
        "night/b.flac": [3.0],
        "night/two words.wav": [4.0],
        "upload:c.wav": [6.0],
    }
    assert [row.line for row in result.bad] == [8]
    assert "'none.wav' is not in the collection 'default'" in result.bad[0].reason


def test_names_of_several_recordings_are_refused(pond: Collection, write: Write):
    table = write("t.csv", "file,start,end,label\na.wav,1,2,owl\nb.flac,1,2,owl\n")
    (of_rows, of_name) = imported(pond, table, write("a.txt", LINE))
    assert (of_rows.added, of_name.added) == (1, 0)
    for result in (of_rows, of_name):
        assert "may be" in result.bad[0].reason
        assert "day/a.wav" in result.bad[0].reason


def test_the_recording_may_be_given(pond: Collection, write: Write, tmp_path: Path):
    path = str(tmp_path / "day" / "a.wav")
    file = write("x.txt", LINE)
    imported(pond, file, recording=path)
    key = pond.recording(str(tmp_path / "night" / "a.wav")).recording_id
    imported(pond, file, recording=key)
    assert told(pond, tmp_path) == {"day/a.wav": [1.0], "night/a.wav": [1.0]}
    with pytest.raises(RecordingNotFound, match="index it first"):
        imported(pond, file, recording="/none.wav")


def test_spans_past_the_end_are_refused_or_cut(pond: Collection, write: Write):
    (result,) = imported(pond, write("b.txt", "9\t10.5\towl\n10\t11\towl\n"))
    assert [one.annotation.end_s for one in pond.store.annotations()] == [10.0]
    assert "begins at 10 s, the recording has 10 s" in result.bad[0].reason


def test_labels_may_be_given_for_rows_without_one(pond: Collection, write: Write):
    imported(pond, write("b.txt", "1\t2\n3\t4\tfox\n"), label="owl")
    assert pond.store.annotation_labels() == [("fox", 1), ("owl", 1)]


def test_a_file_that_cannot_be_read_does_not_keep_the_others_out(
    pond: Collection, write: Write, tmp_path: Path
):
    found = list(import_annotations(pond.store, [tmp_path / "none.txt", write("b.txt", LINE)]))
    path, error = found[0]  # type: ignore[misc]
    assert path == tmp_path / "none.txt"
    assert isinstance(error, MetadataError)
    assert isinstance(found[1], ImportedFile)
    assert found[1].added == 1


def test_labels_that_cannot_be_stored_are_named(pond: Collection, write: Write):
    (result,) = imported(pond, write("b.jsonl", '{"start_s": 1, "end_s": 2, "label": "a\\u0000"}\n'))
    assert result.added == 0
    assert "cannot be stored" in result.bad[0].reason
