"""Label files of Audacity and Raven, and tables, are read; bad rows and hostile files are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soundalike.annotations.reading import format_of, read_annotations
from soundalike.annotations.types import Annotation, BadRow
from soundalike.errors import MetadataError

Write = Callable[[str, str | bytes], Path]
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin Path\t"
    "File Offset (s)\tSpecies\n"
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path: Path, **given: Any):
    bad: list[BadRow] = []
    found = read_annotations(path, on_bad=bad.append, **given)
    return found, {row.line: row.reason for row in bad}


def test_audacity_labels_have_frequencies_on_a_second_line(write: Write):
    path = write("a.txt", "1.0\t2.5\tgreat tit\n\\\t100.0\t8000.0\n3\t3\tpoint\n\\\t-1.0\t500.0\n")
    assert read_annotations(path) == [
        Annotation(1.0, 2.5, "great tit", 100.0, 8000.0, line=1),
        Annotation(3.0, 3.0, "point", None, 500.0, line=3),
    ]


def test_labels_of_audacity_1_2_are_points(write: Write):
    assert read_annotations(write("a.txt", "1.5\towl\n")) == [Annotation(1.5, 1.5, "owl", line=1)]


def test_bad_rows_are_named_with_their_line_and_the_rest_goes_on(write: Write):
    path = write(
        "a.txt",
        "x\t1\towl\n4\t2\tback\n5\t6\t\nnan\t2\towl\n1\tinf\towl\n-1\t2\towl\n1\t2\t" + "o" * 501 + "\n"
        "alone\n\\\t1\t2\n\n7\t8\towl\n\\\t900\t100\n",
    )
    found, bad = read(path)
    assert found == [Annotation(7.0, 8.0, "owl", line=11)]
    assert list(bad) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
    assert "'x' is not a number" in bad[1]
    assert "an end that is not before it" in bad[2]
    assert "the label is empty" in bad[3]
    assert "501 characters" in bad[7]
    assert "lower one first" in bad[12]


def test_without_a_listener_the_first_bad_row_is_an_error(write: Write):
    with pytest.raises(MetadataError, match=r"line 2 of '.*a.txt': 'x' is not a number"):
        read_annotations(write("a.txt", "1\t2\towl\nx\t2\towl\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_of_windows_are_read(write: Write, encoding: str):
    path = write("a.txt", "1,5\t2,5\tKohlmeise ♂ ü\r\n".encode(encoding))
    assert read_annotations(path) == [Annotation(1.5, 2.5, "Kohlmeise ♂ ü", line=1)]


def test_raven_tables_give_times_within_each_file(write: Write):
    path = write(
        "r.txt",
        RAVEN + "1\tSpectrogram 1\t1\t11.0\t12.5\t100\t800\t/x/b.wav\t1.0\towl\n"
        "2\tSpectrogram 1\t1\t3\t4\t0\t8000\t/x/a.wav\t3\tfox\n",
    )
    assert format_of(path) == "raven"
    assert read_annotations(path) == [
        Annotation(1.0, 2.5, "owl", 100.0, 800.0, "/x/b.wav", 2),
        Annotation(3.0, 4.0, "fox", 0.0, 8000.0, "/x/a.wav", 3),
    ]


def test_a_selection_of_raven_counts_once_although_each_view_has_a_row(write: Write):
    drawn = "1\tSpectrogram 1\t1\t1\t2\t100\t800\ta.wav\t1\towl\n"
    other = "1\tWaveform 1\t1\t1\t2\t0\t24000\ta.wav\t1\towl\n"
    for line, rows in ((3, other + drawn), (2, drawn + other)):
        assert read_annotations(write("r.txt", RAVEN + rows)) == [
            Annotation(1.0, 2.0, "owl", 100.0, 800.0, "a.wav", line)
        ]


def test_cumulative_times_of_several_files_need_the_offset(write: Write):
    head = "Selection\tBegin Time (s)\tEnd Time (s)\tBegin File\tAnnotation\n"
    one = write("one.txt", head + "1\t1\t2\ta.wav\towl\n")
    assert read_annotations(one) == [Annotation(1.0, 2.0, "owl", file="a.wav", line=2)]
    two = write("two.txt", head + "1\t1\t2\ta.wav\towl\n2\t1\t2\tb.wav\towl\n")
    with pytest.raises(MetadataError, match=r"names 2 files but has no column 'File Offset \(s\)'"):
        read_annotations(two)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_may_be_divided_by_commas_semicolons_and_tabs(write: Write, delimiter: str):
    rows = ["file_name,start,end,species", 'b.wav,1,2,"owl, ""tawny"""']
    text = "\n".join(rows) if delimiter == "," else "\n".join(rows).replace(",", delimiter)
    label = f'owl{delimiter} "tawny"'
    assert read_annotations(write("t.csv", text)) == [Annotation(1.0, 2.0, label, file="b.wav", line=2)]


def test_an_end_may_be_given_as_a_length_and_the_label_by_another_column(write: Write):
    path = write("t.csv", "onset,duration,call\n1.5,0.5,alarm\n")
    assert read_annotations(path, label_column="call") == [Annotation(1.5, 2.0, "alarm", line=2)]


def test_json_lines_are_read(write: Write):
    path = write("t.jsonl", '{"uri": "/a.wav", "start_s": 1, "end_s": 2, "label": "owl"}\n[]\n{"a"\n')
    found, bad = read(path)
    assert found == [Annotation(1.0, 2.0, "owl", file="/a.wav", line=1)]
    assert bad == dict.fromkeys((2, 3), "it is not a JSON object")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\x00\x01\x02", "is not text: line 1 contains NUL"),
        ("a.txt", b"RIFF\xff\xfe\xfa", "is not in UTF-8"),
        ("a.txt", b"\xff\xfe\x00", "is not in UTF-8"),
        ("a.txt", b"1\t2\t" + b"x" * 70_000, "line 1 of .* has more than 65536 characters"),
        ("t.csv", b"", "has no column start_s; its columns are: none"),
        ("t.csv", b"a,b\n1,2\n", "has no column start_s; its columns are: 'a', 'b'"),
        ("t.csv", b'start,end,label\n1,2,"' + b"x\n" * 70_000, "cannot be read as a table"),
    ],
)
def test_other_files_are_refused_with_the_reason(write: Write, name: str, content: bytes, message: str):
    with pytest.raises(MetadataError, match=message):
        read_annotations(write(name, content))


def test_a_long_line_is_not_read_as_a_whole(tmp_path: Path):
    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        # Sparse: a gigabyte of NUL after the first characters.
        file.write(b"1\t2\towl")
        file.truncate(1 << 30)
    with pytest.raises(MetadataError, match="more than 65536 characters"):
        read_annotations(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MetadataError, match=r"none.txt' cannot be read \(No such file"):
        read_annotations(tmp_path / "none.txt")
