"""What tables say of files: labels, starts and tags."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from soundalike.errors import MetadataError
from soundalike.evaluation import read_metadata
from soundalike.indexing.metadata import FILE_COLUMNS, FileMetadata, read_file_metadata, typed

ESC50 = """\
filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
2-100038-A-14.wav,2,14,chirping_birds,False,100038,A
"""
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make ESC-50's folders and two files anywhere else."""
    names = ("audio/1-100032-A-0.wav", "audio/2-100038-A-14.wav", "a.wav", "sub/b.wav", "meta/c.wav")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = folder / "meta" / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("place", ["", "audio"])
def test_esc50_as_it_is(place: str, folder: Path, write: Write):
    assert read_file_metadata(write("esc50.csv", ESC50), [folder / place], UTC) == {
        folder / "audio" / "1-100032-A-0.wav": FileMetadata(
            "dog", {"fold": 1, "target": 0, "esc10": True, "src_file": 100032, "take": "A"}, None
        ),
        folder / "audio" / "2-100038-A-14.wav": FileMetadata(
            "chirping_birds",
            {"fold": 2, "target": 14, "esc10": False, "src_file": 100038, "take": "A"},
            None,
        ),
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "file_name,label,site,depth_m\na.wav,rain,pond,1.5\nc.wav,owl,,2\n"),
        ("t.tsv", "file\tcategory\tsite\tdepth_m\na.wav\train\tpond\t1.50\nc.wav\towl\t\t2\n"),
        ("t.txt", "path;label;site;depth_m\n./a.wav;rain;pond;1.5\nc.wav;owl;;2\n"),
        (
            "t.jsonl",
            '{"filename": "a.wav", "label": "rain", "site": "pond", "depth_m": 1.5}\n'
            '{"file_name": "c.wav", "label": "owl", "site": null, "depth_m": 2}\n',
        ),
    ],
)
def test_spellings_of_one_table(name: str, content: str, folder: Path, write: Write):
    """A file is looked for beside the table first, then in the folders that are indexed."""
    assert read_file_metadata(write(name, content), [folder], UTC) == {
        folder / "a.wav": FileMetadata("rain", {"site": "pond", "depth_m": 1.5}, None),
        folder / "meta" / "c.wav": FileMetadata("owl", {"depth_m": 2}, None),
    }


def test_json_keeps_its_types(folder: Path, write: Write):
    table = write(
        "t.jsonl", '{"file": "a.wav", "label": 7, "gps": {"lat": 1.5}, "code": "12", "x": [1, null]}'
    )
    assert read_file_metadata(table, [folder], UTC) == {
        folder / "a.wav": FileMetadata("7", {"gps": {"lat": 1.5}, "code": "12", "x": [1, None]}, None)
    }


def test_starts_are_read_in_the_zone_that_is_meant(folder: Path, write: Write):
    table = write(
        "t.csv",
        "file,recorded_at\na.wav,2025-05-01T06:30\nsub/b.wav,2025-05-01T06:30Z\nc.wav,\n",
    )
    found = read_file_metadata(table, [folder], timezone(timedelta(hours=2)))
    assert [file.recorded_at for file in found.values()] == [
        datetime(2025, 5, 1, 4, 30, tzinfo=UTC),
        datetime(2025, 5, 1, 6, 30, tzinfo=UTC),
        None,
    ]
    assert {file.label for file in found.values()} == {None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("true", True), ("FALSE", False), ("yes", "yes"), ("0", 0), ("-3", -3), ("1.50", 1.5)),
        *(("1e3", 1000.0), ("007", "007"), ("+5", "+5"), ("1_000", "1_000"), ("nan", "nan")),
        *(("inf", "inf"), ("1,5", "1,5"), ("12345678901234567890", "12345678901234567890")),
        *((".5", ".5"), ("5.", "5."), ("٣", "٣"), (" 5", " 5"), ("2025-05-01", "2025-05-01")),
    ],
)
def test_typed(text: str, value: Any):
    assert typed(text) == value
    assert type(typed(text)) is type(value)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.csv", "name,label\na.wav,x\n", "no column file_name or filename or file or path"),
        ("t.csv", "file,label\na.wav,x\n./a.wav,y\n", "lines 2 and 3 name the same file"),
        ("t.csv", "file,site,site\na.wav,x,y\n", "two columns 'site'"),
        ("t.csv", "file,label\n,x\n", "line 2 has no"),
        ("t.csv", "file,label\n", "names no file"),
        ("t.csv", "file,recorded_at\na.wav,noon\n", "line 2: recorded_at is 'noon'"),
        ("t.csv", "file,site\na.wav,po\0nd\n", "line 2 contains the character NUL"),
        ("t.jsonl", '{"file": "a.wav", "x": NaN}', "line 1 contains a value that cannot be stored"),
        (
            "t.jsonl",
            '{"file": "a.wav", "x": "\\ud800"}',
            "line 1 contains a value that cannot be stored",
        ),
        ("t.jsonl", '{"file": "a.wav", "label": ["x"]}', "line 1: label is"),
        ("t.jsonl", '{"label": "x"}', "line 1 has no file_name"),
        ("t.jsonl", "[1]", "line 1 is not a JSON object"),
        ("t.csv", b"file,label\na.wav,caf\xe9\n", "cannot be read as CSV in UTF-8"),
    ],
)
def test_wrong_tables(name: str, content: str | bytes, complaint: str, folder: Path, write: Write):
    with pytest.raises(MetadataError, match=complaint):
        read_file_metadata(write(name, content), [folder], UTC)


def test_a_table_that_is_not_there(folder: Path):
    with pytest.raises(MetadataError, match="there is no file at"):
        read_file_metadata(folder / "none.csv", [folder], UTC)


@pytest.mark.parametrize("column", FILE_COLUMNS)
def test_one_table_is_good_for_every_command(column: str, tmp_path: Path):
    sound = tmp_path / "a.wav"
    sound.touch()
    table = tmp_path / "t.csv"
    table.write_text(f"{column},category\na.wav,owl\n")
    (told,) = read_file_metadata(table, [tmp_path], UTC).items()
    (clip,) = read_metadata(table, tmp_path)
    assert (told[0], told[1].label) == (clip.path, clip.label) == (sound, "owl")


def test_every_command_refuses_the_same_table(tmp_path: Path):
    table = tmp_path / "t.csv"
    (tmp_path / "a.wav").touch()
    table.write_text("file,label,note,note\na.wav,owl,x,y\n")
    for read in (
        lambda: read_file_metadata(table, [tmp_path], UTC),
        lambda: read_metadata(table, tmp_path),
    ):
        with pytest.raises(MetadataError, match="two columns 'note'"):
            read()


def test_of_several_tables_the_one_at_fault_is_named(tmp_path: Path):
    (tmp_path / "a").mkdir()
    good, bad = tmp_path / "metadata.csv", tmp_path / "a" / "metadata.csv"
    good.write_text("file_name,label\nx.wav,owl\n")
    bad.write_text("file_name,recorded_at\ny.wav,yesterday\n")
    with pytest.raises(MetadataError, match=rf"^{bad}: line 2: "):
        read_file_metadata([good, bad], [], UTC)
