"""Labels, folds and queries from the names of files and folders."""

import os
from pathlib import Path

import pytest

from soundalike.errors import ParameterError
from soundalike.evaluation.clips import LabelledClip, labelled_clips, with_folds, with_queries

FILES = [Path("/a/rain") / name for name in ("rain_1.wav", "rain_2.wav")]
QUERIES = [Path("/a/queries") / name for name in ("rain_query_1.wav", "event.wav")]


def test_labels_are_folders():
    assert [(clip.label, clip.fold) for clip in labelled_clips([*FILES, QUERIES[0]])] == [
        ("rain", None),
        ("rain", None),
        ("queries", None),
    ]


def test_label_whose_folder_is_no_utf8(tmp_path: Path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    (clip,) = labelled_clips([folder / "a.wav"])
    assert clip.label == "caf\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("pattern", "folds"),
    [
        (r"^fold(\d)-", ["1", "2", "3"]),
        (r"fold\d", ["fold1", "fold2", "fold3"]),
        (r"(fold)(\d)", ["fold", "fold", "fold"]),
    ],
)
def test_first_group_is_the_fold(pattern: str, folds: list[str]):
    files = [Path(f"/a/fold{take}-x.wav") for take in (1, 2, 3)]
    assert [clip.fold for clip in labelled_clips(files, pattern)] == folds


def test_fold_is_searched_in_the_file_name_only():
    with pytest.raises(ParameterError, match=r"does not match 'a\.wav'"):
        labelled_clips([Path("/fold1/a.wav")], r"fold(\d)")


def test_group_that_takes_no_part_is_no_fold():
    with pytest.raises(ParameterError, match=r"does not match 'b\.wav'"):
        labelled_clips([Path("/1a.wav"), Path("/b.wav")], r"(\d)?.\.wav")


def test_fold_pattern_replaces_known_folds():
    known = [LabelledClip(path, "rain", "9") for path in FILES]
    assert [clip.fold for clip in with_folds(known, r"(\d)\.")] == ["1", "2"]
    assert with_folds(known, None) == known


def test_query_pattern_parts_the_clips():
    clips = with_queries(labelled_clips([*FILES, *QUERIES]), "_query_")
    assert [(clip.is_query, clip.is_candidate) for clip in clips] == [
        (False, True),
        (False, True),
        (True, False),
        (False, True),
    ]
    assert clips[2].label == "queries"


def test_group_named_label_is_the_querys_label():
    clips = with_queries(labelled_clips([*FILES, *QUERIES]), "^(?P<label>.+)_query_")
    assert [clip.label for clip in clips] == ["rain", "rain", "rain", "queries"]


def test_other_groups_of_a_query_pattern_mean_nothing():
    clips = with_queries(labelled_clips([*FILES, *QUERIES]), "_(query|test)_")
    assert clips[2].label == "queries"


def test_without_a_pattern_everything_asks_and_answers():
    clips = labelled_clips(FILES)
    assert with_queries(clips, None) == clips
    assert all(clip.is_query and clip.is_candidate for clip in clips)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("_query_", "matches none of 2"),
        ("rain", "matches all of 2"),
        ("(?P<label>z?)_1", "gives 'rain_1.wav' no label"),
        ("(?P<label>z)?_1", "gives 'rain_1.wav' no label"),
    ],
)
def test_query_pattern_that_does_not_part(pattern: str, complaint: str):
    with pytest.raises(ParameterError, match=complaint):
        with_queries(labelled_clips(FILES), pattern)


@pytest.mark.parametrize("pattern", ["(", "*", "(?P<label>", "a{99999999999999999999}"])
def test_pattern_that_is_none(pattern: str):
    with pytest.raises(ParameterError, match="fold pattern '"):
        labelled_clips([], pattern)
    with pytest.raises(ParameterError, match="query pattern '"):
        with_queries([], pattern)
