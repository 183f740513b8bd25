"""Which files a person means."""

import os
from pathlib import Path

import pytest

from soundalike.audio import files
from soundalike.audio.files import (
    AUDIO_SUFFIXES,
    find_files,
    is_film_without_sound,
    looks_like_audio,
    media_type_of,
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of sounds and other things, and work in it."""
    for name in (
        "b.wav",
        "a.MP3",
        "deep/er/c.flac",
        "deep/d.opus",
        "notes.txt",
        "deep/cover.jpg",
        ".hidden.wav",
        ".git/e.wav",
        "deep/.cache/f.wav",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(files: list[Path], tree: Path) -> list[str]:
    return [str(path.relative_to(tree)) for path in files]


def test_folder(tree: Path):
    found = find_files([str(tree)])
    assert names(found.files, tree) == ["a.MP3", "b.wav", "deep/d.opus", "deep/er/c.flac"]
    assert (found.skipped, found.missing) == (2, [])


def test_relative_arguments_give_absolute_paths(tree: Path):
    for argument in (".", "./", "deep/..", str(tree)):
        assert all(path.is_absolute() for path in find_files([argument]).files)
        assert len(find_files([argument]).files) == 4


def test_named_files_are_taken_whatever_they_are(tree: Path):
    found = find_files(["notes.txt", ".hidden.wav", "deep/.cache/f.wav"])
    assert names(found.files, tree) == ["notes.txt", ".hidden.wav", "deep/.cache/f.wav"]
    assert found.skipped == 0


def test_hidden_folder_that_is_named_itself(tree: Path):
    assert names(find_files([".git"]).files, tree) == [".git/e.wav"]


def test_order_of_the_arguments_is_kept(tree: Path):
    assert names(find_files(["b.wav", "a.MP3"]).files, tree) == ["b.wav", "a.MP3"]
    assert names(find_files(["deep/er", "b.wav"]).files, tree) == ["deep/er/c.flac", "b.wav"]


def test_nothing_is_listed_twice(tree: Path):
    found = find_files(["b.wav", ".", "./b.wav", str(tree / "b.wav"), "*.wav"])
    assert names(found.files, tree).count("b.wav") == 1
    assert len(found.files) == 4


def test_a_detour_gives_the_same_file(tree: Path):
    assert names(find_files(["b.wav", "deep/../b.wav"]).files, tree) == ["b.wav"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.wav", ["b.wav"]),
        ("?.*", ["a.MP3", "b.wav"]),
        ("[ab].*", ["a.MP3", "b.wav"]),
        ("**/*.flac", ["deep/er/c.flac"]),
        ("deep/**/*.opus", ["deep/d.opus"]),
        ("n*", ["notes.txt"]),
    ],
)
def test_patterns(pattern: str, expected: list[str], tree: Path):
    found = find_files([pattern])
    assert names(found.files, tree) == expected
    assert found.missing == []


def test_names_with_characters_of_patterns(tree: Path):
    (tree / "take [1].wav").write_bytes(b"content")
    (tree / "set [2]").mkdir()
    (tree / "set [2]" / "a.wav").write_bytes(b"content")
    assert names(find_files(["take [1].wav"]).files, tree) == ["take [1].wav"]
    assert names(find_files(["set [2]"]).files, tree) == ["set [2]/a.wav"]


@pytest.mark.parametrize("argument", ["nothing.wav", "*.aiff", "no/such/folder", "~nobody-here/a.wav"])
def test_what_names_nothing_is_reported_as_given(argument: str, tree: Path):
    found = find_files(["b.wav", argument])
    assert found.missing == [argument]
    assert names(found.files, tree) == ["b.wav"]


def test_empty_folder(tmp_path: Path):
    assert find_files([str(tmp_path)]) == find_files([])


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_suffix_of_a_sound_is_enough_in_any_case(suffix: str, tmp_path: Path):
    # A broken file is to be reported, not passed over.
    for name in (f"a{suffix}", f"b{suffix.upper()}"):
        (tmp_path / name).write_bytes(b"")
    assert len(find_files([str(tmp_path)]).files) == 2


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"RIFX\x24\0\0\0WAVEfmt ",
        b"RF64\xff\xff\xff\xffWAVE",
        b"fLaC\0\0\0\x22",
        b"OggS\0\x02",
        b"ID3\x04\0\0",
        b"FORM\0\0\0\0AIFF",
        b"caff\0\x01",
        b".snd\0\0\0\x18",
        b"\0\0\0\x20ftypM4A ",
        b"\xff\xfb\x90\x64",
        b"RIFF\x24\0\0\0AVI LIST",
        b"\x1aE\xdf\xa3",
        b"\0\0\1\xba\x44",
        b"FLV\1\5",
        b"tBaK\0",
    ],
)
def test_content_tells_a_sound_without_a_suffix(head: bytes, tmp_path: Path):
    for name in ("plain", "data.bin"):
        (tmp_path / name).write_bytes(head + bytes(100))
    assert len(find_files([str(tmp_path)]).files) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"R", b"RIFF\x24\0\0\0RMIDdata", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", b"{}", b"\0" * 12],
)
def test_content_of_other_things(content: bytes, tmp_path: Path):
    (tmp_path / "plain").write_bytes(content)
    found = find_files([str(tmp_path)])
    assert (found.files, found.skipped) == ([], 1)


def test_what_is_left_out_is_named_with_the_reason(tree: Path):
    (tree / "code.ts").write_text("export const answer: number = 42;\n")
    (tree / "list.m3u").write_text("a.wav\nb.wav\n")
    (tree / "deep" / "list").write_text("#EXTM3U\nd.opus\n")
    (tree / "gone.flac").symlink_to(tree / "nowhere")
    os.mkfifo(tree / "pipe.wav")
    found = find_files([str(tree)])
    reasons = {str(Path(path).relative_to(tree)): reason for path, reason in found.left_out.items()}
    assert reasons == {
        "code.ts": "a text file with a suffix that films or sounds also use",
        "deep/cover.jpg": "neither its name nor its content looks like sound",
        "deep/list": "a playlist, which contains no sound itself",
        "gone.flac": "it cannot be read: No such file or directory",
        "list.m3u": "a playlist, which contains no sound itself",
        "notes.txt": "neither its name nor its content looks like sound",
        "pipe.wav": "not a regular file",
    }
    assert found.skipped == len(reasons)


def test_what_is_named_as_well_is_not_left_out(tree: Path):
    found = find_files([str(tree), "notes.txt"])
    assert tree / "notes.txt" in found.files
    assert list(found.left_out) == [str(tree / "deep" / "cover.jpg")]


@pytest.mark.parametrize("name", ["a.ts", "a.mts", "a.dts", "a.nut", "a.voc"])
def test_texts_with_the_names_of_sounds(name: str, tmp_path: Path):
    path = tmp_path / name
    path.write_text('/ { compatible = "a,board"; };\n')
    assert not looks_like_audio(path)
    path.write_bytes(bytes(100))
    assert looks_like_audio(path)  # broken, and to be reported
    path.unlink()
    assert looks_like_audio(path)  # by its name


def test_files_whose_name_tells_are_not_opened(tree: Path, monkeypatch: pytest.MonkeyPatch):
    opened = []

    def read(path: str) -> object:
        opened.append(Path(path).name)
        return real(path)

    real = files.read_beginning
    monkeypatch.setattr(files, "read_beginning", read)
    find_files([str(tree)])
    assert sorted(opened) == ["cover.jpg", "notes.txt"]


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("a.mp4", "audio.no_track", True),
        ("a.MKV", "audio.no_track", True),
        ("without", "audio.no_track", True),
        ("a.wav", "audio.no_track", False),
        ("a.m4a", "audio.no_track", False),
        ("a.mp4", "audio.unreadable", False),
        ("a.mp4", None, False),
    ],
)
def test_films_without_sound(name: str, code: str | None, expected: bool):
    assert is_film_without_sound(Path(name), code) is expected


def test_a_film_that_is_named_is_not_passed_over(tree: Path):
    for name in ("a.mp4", "b.mp4"):
        (tree / name).write_bytes(b"film")
    found = find_files([".", "a.mp4"])
    assert not found.may_skip(tree / "a.mp4", "audio.no_track")
    assert found.may_skip(tree / "b.mp4", "audio.no_track")


@pytest.mark.timeout(20)  # reading from a pipe would wait for ever
def test_pipes_and_broken_links_in_a_folder_are_passed_over(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "folder.wav").mkdir()
    assert find_files([str(tmp_path)]).files == []


def test_folders_that_link_to_each_other(tree: Path):
    (tree / "deep" / "loop").symlink_to(tree)
    assert len(find_files([str(tree)]).files) == 4


def test_links_to_sounds_are_taken(tree: Path):
    (tree / "link.wav").symlink_to(tree / "b.wav")
    assert "link.wav" in names(find_files([str(tree)]).files, tree)


def test_a_folder_that_cannot_be_listed_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch):
    def scandir(path: str) -> object:
        if str(path).endswith("er"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    real = os.scandir  # as root, every folder can be listed
    monkeypatch.setattr(os, "scandir", scandir)
    found = find_files([str(tree)])
    assert found.unreadable == {tree / "deep" / "er": "Permission denied"}
    assert names(found.files, tree) == ["a.MP3", "b.wav", "deep/d.opus"]


def test_toy_data(toy_data: Path):
    found = find_files([str(toy_data)])
    assert len(found.files) == 36 + 1 + 19
    assert found.skipped >= 5  # scripts and texts


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"RIFF\0\0\0\0WAVE", "a.mp3", "audio/wav"),
        (b"ID3\x04", "a", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "a", "audio/mpeg"),
        (b"fLaC", "a.html", "audio/flac"),
        (b"OggS", "a", "audio/ogg"),
        (b"\0\0\0\x20ftypM4A ", "a", "audio/mp4"),
        (b"\x1aE\xdf\xa3", "a", "audio/webm"),
        (b"FORM", "a", "audio/aiff"),
        (b"?", "a.mp3", "audio/mpeg"),
        (b"<html><script>", "a.html", "application/octet-stream"),
        (b"<svg", "a.svg", "application/octet-stream"),
        (b"", "none", "application/octet-stream"),
    ],
)
def test_media_type_is_that_of_the_content(tmp_path: Path, head: bytes, name: str, kind: str):
    path = tmp_path / name
    path.write_bytes(head)
    assert media_type_of(path) == kind
