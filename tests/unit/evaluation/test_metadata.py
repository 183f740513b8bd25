"""Tables of clips: ESC-50's, others, and wrong ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from soundalike.errors import MetadataError
from soundalike.evaluation.clips import LabelledClip
from soundalike.evaluation.metadata import read_metadata

ESC50 = """\
filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
2-100038-A-14.wav,2,14,chirping_birds,False,100038,A
"""
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with two files where ESC-50 keeps them, and two where anybody would."""
    for name in ("audio/1-100032-A-0.wav", "audio/2-100038-A-14.wav", "a.wav", "sub/b.wav"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "clips"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_esc50(folder: Path, write: Write):
    assert read_metadata(write("esc50.csv", ESC50), folder) == [
        LabelledClip(folder / "audio" / "1-100032-A-0.wav", "dog", "1"),
        LabelledClip(folder / "audio" / "2-100038-A-14.wav", "chirping_birds", "2"),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "file_name,label\nsub/b.wav,owl\na.wav,rain\n"),
        ("t.csv", "\ufefflabel,file_name\r\nowl,sub/b.wav\r\nrain,a.wav\r\n\r\n"),
        ("t.txt", "label;file_name\nowl;sub/b.wav\nrain;a.wav"),
        ("t.tsv", "label\tfilename\nowl\t./sub/b.wav\nrain\ta.wav\n"),
        ("t.csv", 'category, filename ,note\nowl,sub/b.wav,"x, y"\n rain ,a.wav,"two\nlines"\n'),
        ("t.csv", "file_name,filename,label,category\na.wav,no.wav,rain,no\nsub/b.wav,,owl,\n"),
        (
            "t.jsonl",
            '{"file_name": "sub/b.wav", "label": "owl"}\n\n{"filename": "a.wav", "category": "rain"}',
        ),
        (
            "T.JSONL",
            '\ufeff{"file_name": "sub/../sub/b.wav", "label": "owl", "x": [1]}\n'
            '{"file_name": "a.wav", "label": "rain", "fold": null}\n',
        ),
    ],
    ids=[
        "csv",
        "byte order mark and CRLF",
        "semicolons",
        "tabs",
        "quoted",
        "both names",
        "json",
        "JSON",
    ],
)
def test_spellings_of_one_table(name: str, content: str, folder: Path, write: Write):
    assert read_metadata(write(name, content), folder) == [
        LabelledClip(folder / "a.wav", "rain"),
        LabelledClip(folder / "sub" / "b.wav", "owl"),
    ]


def test_numbers_of_json_are_taken_as_text(folder: Path, write: Write):
    table = write("t.jsonl", '{"file_name": "a.wav", "label": 7, "fold": 2}')
    assert read_metadata(table, folder) == [LabelledClip(folder / "a.wav", "7", "2")]


def test_absolute_paths_stay(folder: Path, write: Write):
    table = write("t.csv", f"file_name,label\n{folder}/a.wav,rain\n")
    assert read_metadata(table, folder / "sub") == [LabelledClip(folder / "a.wav", "rain")]


def test_file_that_is_not_there_stays_in_the_list(folder: Path, write: Write):
    table = write("t.csv", "file_name,label\ngone.wav,rain\na.wav,rain\n")
    assert [clip.path.name for clip in read_metadata(table, folder)] == ["a.wav", "gone.wav"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no column file_name or filename or file or path; its columns are: none"),
        (
            "a.wav,rain\n",
            "no column file_name or filename or file or path; its columns are: 'a.wav', 'rain'",
        ),
        (
            "file_name,class\na.wav,rain\n",
            "no column label or category; its columns are: 'file_name', 'class'",
        ),
        ("file_name,label,label\na.wav,rain,x\n", "two columns 'label'"),
        ("file_name,label\n", "names no file"),
        (
            "file_name,label\na.wav,rain\nsub/b.wav,owl\n./a.wav,rain\n",
            r"lines 2 and 4 name the same file",
        ),
        (
            "file_name,label\na.wav,rain\naudio/1-100032-A-0.wav,x\n1-100032-A-0.wav,x\n",
            "lines 3 and 4 name",
        ),
        ("file_name,label\na.wav\n", "line 2 has 1 cells, the header has 2"),
        ("file_name,label\na.wav,rain,heavy\n", "line 2 has 3 cells, the header has 2"),
        ("file_name,label\na.wav,\n", "line 2 has no label or category"),
        ("file_name,label\n  ,rain\n", "line 2 has no file_name or filename or file or path"),
        (
            "file_name,label,fold\na.wav,rain,1\nsub/b.wav,rain,\n",
            "line 3: a fold is needed for every clip",
        ),
        (
            "file_name,label,fold\na.wav,rain,\nsub/b.wav,rain,1\n",
            "line 3: a fold is needed for every clip",
        ),
        ("file_name,label\n1.wav,rain\n2.wav,rain\n", "none of the 2 files that 't.csv' names"),
        ('file_name,label\n"a.wav,rain\n', "cannot be read as CSV in UTF-8"),
        (
            "file_name,label\na.wav," + 200_000 * "x" + "\n",
            "cannot be read as CSV in UTF-8: field larger",
        ),
        (b"file_name,label\na.wav,caf\xe9\n", "cannot be read as CSV in UTF-8: 'utf-8' codec"),
        (b"\x00\x00\x00\x00", "no column file_name"),
    ],
)
def test_wrong_csv(content: str | bytes, complaint: str, folder: Path, write: Write):
    with pytest.raises(MetadataError, match=complaint):
        read_metadata(write("t.csv", content), folder)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"file_name": "a.wav", "label": "rain"}\n["a.wav"]', "line 2 is not a JSON object"),
        ('{"file_name": "a.wav"}', "line 1 has no label or category"),
        ('{"label": "rain"}', "line 1 has no file_name or filename or file or path"),
        ('{"file_name": "a.wav", "label": null}', "line 1 has no label"),
        ('{"file_name": "a.wav", "label": true}', "label is True; give a text or a number"),
        ('{"file_name": "a.wav", "label": ["rain"]}', r"label is \['rain'\]"),
        ('{"file_name": "a.wav", "label": NaN}', "label is nan"),
        ("file_name,label", "line 1 is not JSON"),
        ("[" * 100_000, "line 1 is not JSON"),
        (b'{"file_name": "\xff"}', "not in UTF-8"),
        ('{"file_name": "a\\u0000.wav", "label": "x"}', "none of the 1 files"),
        ('{"file_name": "\\ud800.wav", "label": "x"}', "none of the 1 files"),
    ],
)
def test_wrong_json(content: str | bytes, complaint: str, folder: Path, write: Write):
    with pytest.raises(MetadataError, match=complaint):
        read_metadata(write("t.jsonl", content), folder)


@pytest.mark.parametrize("name", ["gone.csv", "clips"])
def test_table_that_is_no_file(name: str, tmp_path: Path, folder: Path):
    with pytest.raises(MetadataError, match="there is no file at"):
        read_metadata(tmp_path / name, folder)
