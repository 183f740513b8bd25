"""What is gone from the disk, and what only seems to be."""

import glob
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.errors import AudioNotFound
from soundalike.indexing.dry_run import preview
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.indexing.pruning import find_places, glob_matches, is_gone, prune
from soundalike.store import MemoryStore
from soundalike.types import FloatArray

FILES = ("a/one.wav", "a/two.wav", "a/deep/three.wav", "ab/four.wav", "b/five.wav")


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(MemoryStore(), Modulation(), WindowPlan(1.0, 1.0))


@pytest.fixture
def sounds(
    pipeline: Pipeline,
    tmp_path: Path,
    tone: Callable[..., FloatArray],
    write_wav: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Index five tones, and work in their folder."""
    paths = [write_wav(tmp_path / name, tone(300 + 50 * n, 0.3)) for n, name in enumerate(FILES)]
    assert {result.outcome for result in pipeline.index(IndexItem(str(path)) for path in paths)} == {
        "added"
    }
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pruned(pipeline: Pipeline, *arguments: str) -> list[str]:
    """Prune, and return the names below the working folder."""
    places = find_places(pipeline.store, arguments, pipeline.spec, collection=pipeline.collection)
    results = list(prune(pipeline.store, list(places.values()), collection=pipeline.collection))
    assert {result.outcome for result in results} <= {"pruned"}
    return [os.path.relpath(result.uri) for result in results]


def stored(pipeline: Pipeline) -> list[str]:
    return [os.path.relpath(file.uri) for file in pipeline.store.files()]


def remove(*names: str) -> None:
    for name in names:
        Path(name).unlink()


@pytest.mark.parametrize("argument", ["a", "a/", "./a/../a", "ABSOLUTE"])
def test_what_is_gone_from_a_folder_goes_and_nothing_else(
    argument: str, pipeline: Pipeline, sounds: Path
):
    remove("a/two.wav", "a/deep/three.wav", "ab/four.wav", "b/five.wav")

    assert pruned(pipeline, str(sounds / "a") if argument == "ABSOLUTE" else argument) == [
        "a/deep/three.wav",
        "a/two.wav",
    ]
    assert stored(pipeline) == ["a/one.wav", "ab/four.wav", "b/five.wav"]
    assert pipeline.store.status().recordings == 3


def test_a_path_in_two_places_goes_once(pipeline: Pipeline, sounds: Path):
    remove("a/two.wav")
    assert pruned(pipeline, "a", ".", "a/*.wav") == ["a/two.wav"]


def test_a_single_file_that_is_gone_goes(pipeline: Pipeline, sounds: Path):
    remove("a/one.wav", "a/two.wav")
    assert pruned(pipeline, "a/two.wav") == ["a/two.wav"]
    assert "a/one.wav" in stored(pipeline)


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("a/*.wav", ["a/two.wav"]),
        ("*/t*.wav", ["a/two.wav"]),
        ("a/**/t*", ["a/deep/three.wav", "a/two.wav"]),
        ("**/*.wav", ["a/deep/three.wav", "a/two.wav", "ab/four.wav"]),
        ("a/*.mp3", []),
    ],
)
def test_of_a_pattern_goes_what_would_match(
    pattern: str, gone: list[str], pipeline: Pipeline, sounds: Path
):
    for name in ("a/t.wav", "a/deep/t.wav"):
        Path(name).touch()  # or nothing would be left of the place
    remove("a/two.wav", "a/deep/three.wav", "ab/four.wav")
    assert pruned(pipeline, pattern) == gone


@pytest.mark.parametrize("argument", ["a", "a/*.wav", "a/one.wav", "a/**/*.wav"])
@pytest.mark.parametrize("state", ["missing", "empty", "unreadable"])
def test_a_place_that_may_only_be_out_of_reach_is_refused(
    argument: str,
    state: str,
    pipeline: Pipeline,
    sounds: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    remove("a/one.wav", "a/two.wav", "a/deep/three.wav")
    Path("a/deep").rmdir()
    if state == "missing":
        Path("a").rmdir()
    if state == "unreadable":
        scandir = os.scandir  # as root, every folder can be listed

        def refuse(path: str) -> object:
            if Path(path) == sounds / "a":
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
    before = stored(pipeline)

    with pytest.raises(AudioNotFound, match=r"mounted\? .*soundalike delete a"):
        pruned(pipeline, "b", argument)
    assert stored(pipeline) == before


def test_an_empty_folder_of_which_nothing_is_stored_is_none_of_our_business(
    pipeline: Pipeline, sounds: Path
):
    Path("new").mkdir()
    assert pruned(pipeline, "new", "b", "nothing.wav", "no*.wav") == []


def test_a_folder_of_nothing_but_new_files_is_pruned(
    pipeline: Pipeline, sounds: Path, write_wav: Callable[..., Path]
):
    remove("b/five.wav")
    write_wav(Path("b/six.wav"), np.zeros(8000))
    assert pruned(pipeline, "b") == ["b/five.wav"]


def test_a_name_that_is_no_utf8_is_pruned(pipeline: Pipeline, sounds: Path):
    strange = Path("a/two.wav").rename("a/caf\udce9.wav")
    list(pipeline.index([IndexItem(os.fspath(strange))]))
    remove(os.fspath(strange))

    assert len(pruned(pipeline, "a")) == 2
    assert pipeline.store.status().files == 4


def test_what_is_there_but_is_not_found_stays(pipeline: Pipeline, sounds: Path):
    """A hidden file, which was named itself."""
    Path("a/two.wav").rename("a/.hidden.wav")
    list(pipeline.index([IndexItem("a/.hidden.wav")]))
    assert pruned(pipeline, "a") == ["a/two.wav"]
    remove("a/.hidden.wav")
    assert pruned(pipeline, "a") == ["a/.hidden.wav"]


@pytest.mark.parametrize("path", ["link.wav", "folder/file.wav", "folder/deep/file.wav"])
def test_a_link_to_where_nothing_is_may_lead_to_another_disk(path: str, tmp_path: Path):
    (tmp_path / path.split("/")[0]).symlink_to(tmp_path / "mnt")
    assert not is_gone(tmp_path / path)


def test_is_gone(tmp_path: Path):
    (tmp_path / "there.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    assert not is_gone(tmp_path / "there.wav")
    assert is_gone(tmp_path / "folder.wav")
    assert is_gone(tmp_path / "gone.wav")
    assert is_gone(tmp_path / "no" / "such" / "folder" / "gone.wav")
    assert not is_gone(tmp_path / "there.wav" / "now_a_file.wav")
    assert not is_gone(tmp_path / ("x" * 300))


def test_a_file_that_comes_back_meanwhile_stays(
    pipeline: Pipeline, sounds: Path, monkeypatch: pytest.MonkeyPatch
):
    answers = iter([True, False])
    monkeypatch.setattr("soundalike.indexing.pruning.is_gone", lambda path: next(answers))
    assert pruned(pipeline, "b") == []
    assert "b/five.wav" in stored(pipeline)


@pytest.mark.parametrize(
    "pattern",
    [
        *("a/*.wav", "*/*.wav", "**/*.wav", "**", "a/**", "a/**/*.wav", "?/[ot]*.wav", "[!a]/*"),
        *("**/deep/*", "*", "a/.*", ".*/*", "**/.x.wav", "a*/**/t*e.wav", "a/deep", "a/**/**/*.wav"),
    ],
)
def test_patterns_match_what_glob_finds(pattern: str, tmp_path: Path):
    for name in (*FILES, "a/.x.wav", ".h/y.wav", "a/.deep/z.wav", "top.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = [str(path) for path in tmp_path.rglob("*") if path.is_file()]
    found = glob.glob(f"{tmp_path}/{pattern}", recursive=True)

    assert {path for path in files if glob_matches(path, f"{tmp_path}/{pattern}")} == {
        path for path in found if Path(path).is_file()
    }


def test_a_preview_says_what_indexing_then_does(
    pipeline: Pipeline, sounds: Path, tone: Callable[..., FloatArray], write_wav: Callable[..., Path]
):
    write_wav(Path("a/one.wav"), tone(1000, 0.3))
    write_wav(Path("a/new.wav"), tone(1100, 0.3))
    for name in ("a/new_copy.wav", "a/new_other.wav"):
        Path(name).write_bytes(Path("a/new.wav").read_bytes())
    Path("a/empty.wav").touch()
    os.utime("a/two.wav", (1e9, 1e9))
    items = [IndexItem(str(path)) for path in sorted(sounds.rglob("*.wav"))]
    items += [IndexItem("b/five.wav", label="other"), IndexItem("gone.wav"), IndexItem("a/new.wav")]
    before = list(pipeline.store.files())

    foreseen = list(preview(pipeline, items))
    assert list(pipeline.store.files()) == before
    done = list(pipeline.index(items))
    key = [(result.uri, result.outcome, result.recording_id, result.error_code) for result in foreseen]
    assert key == [
        (result.uri, result.outcome, result.recording_id, result.error_code) for result in done
    ]
    assert {outcome for _, outcome, _, _ in key} == {
        *("added", "linked", "replaced", "updated", "unchanged", "failed")
    }
