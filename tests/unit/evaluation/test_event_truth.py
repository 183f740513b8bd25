"""Tables of known events: CSV, Audacity's labels, Raven's selections."""

from pathlib import Path

import pytest

from soundalike.errors import MetadataError
from soundalike.evaluation.event_truth import TruthEvent, read_truth


def table(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_names_its_recordings(tmp_path: Path):
    path = table(
        tmp_path,
        "truth.csv",
        "label,file_name,start_s,end_s\nrooster,night.wav,1.5,2.25\n\n,sub/b.flac,3,4\n",
    )
    assert read_truth(path) == [
        TruthEvent(tmp_path / "night.wav", 1.5, 2.25, "rooster"),
        TruthEvent(tmp_path / "sub/b.flac", 3.0, 4.0, None),
    ]


@pytest.mark.parametrize("name", ["night.txt", "night.labels.txt"])
def test_labels_of_audacity_belong_to_the_recording_beside_them(tmp_path: Path, name: str):
    (tmp_path / (Path(name).stem + ".wav")).touch()
    text = "1.500000\t2.250000\trooster\n\\\t100.0\t200.0\n3,0\t4,0\t\n"
    first, second = read_truth(table(tmp_path, name, text))
    assert first == TruthEvent(tmp_path / (Path(name).stem + ".wav"), 1.5, 2.25, "rooster")
    assert (second.start_s, second.end_s, second.label) == (3.0, 4.0, None)


def test_a_selection_table_of_raven_belongs_to_the_recording_of_its_name(tmp_path: Path):
    (tmp_path / "night.flac").touch()
    text = (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tAnnotation\n"
        "1\tSpectrogram 1\t1\t0.5\t0.75\t100\towl\n"
    )
    path = table(tmp_path, "night.Table.1.selections.txt", text)
    assert read_truth(path) == [TruthEvent(tmp_path / "night.flac", 0.5, 0.75, "owl")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file_name,start_s,end_s\n", "names no event"),
        ("file_name,label\na.wav,owl\n", "no column start_s"),
        ("file_name,start_s,end_s\na.wav,1,x\n", "line 2.*not a number"),
        ("file_name,start_s,end_s\na.wav,2,1\n", "line 2.*the end|line 2.*an end"),
        ("file_name,start_s,end_s\na.wav,1,1\n", "line 2.*no length"),
        ("start_s,end_s\n1,2\n", "no sound beside it"),
    ],
)
def test_a_wrong_table_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str):
    with pytest.raises(MetadataError, match=reason):
        read_truth(table(tmp_path, "truth.csv", text))


def test_a_missing_table_is_refused(tmp_path: Path):
    with pytest.raises(MetadataError, match="cannot be read"):
        read_truth(tmp_path / "none.csv")
