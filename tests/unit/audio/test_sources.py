"""Paths, URLs, and ids that follow from content."""

import hashlib
import os
import uuid
from pathlib import Path

import pytest

from soundalike.audio.sources import recording_id_of, resolve_path, uri_of
from soundalike.errors import AudioNotFound, EmptyAudio


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(b"content")
    return path


def test_absolute_path(sound: Path):
    assert resolve_path(sound) == sound
    assert resolve_path(str(sound)) == sound


def test_relative_path_counts_from_the_working_directory(sound: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(sound.parent)
    assert resolve_path("a.wav") == sound
    assert resolve_path("./a.wav") == sound


def test_link_to_a_file_keeps_its_own_name(sound: Path):
    link = sound.with_name("link.wav")
    link.symlink_to(sound)
    assert resolve_path(link) == link


@pytest.mark.parametrize(
    "name",
    [
        "Vögel über dem Teich.wav",
        "鳥.wav",
        "100%25.wav",
        "a#b?c&d.wav",
        "concat:a|b.wav",
        "-i",
        "[1].wav",
    ],
)
def test_names_are_taken_as_they_are(name: str, sound: Path, monkeypatch: pytest.MonkeyPatch):
    path = sound.rename(sound.with_name(name))
    monkeypatch.chdir(path.parent)
    assert resolve_path(name) == path


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a.wav", "a.wav"),
        ("mit leer.wav", "mit%20leer.wav"),
        ("Vögel.wav", "V%C3%B6gel.wav"),
        ("Vögel.wav", "Vögel.wav"),
        ("a#b?c.wav", "a%23b%3Fc.wav"),
        ("100%25.wav", "100%2525.wav"),
    ],
)
@pytest.mark.parametrize("prefix", ["file://", "FILE://", "file://localhost"])
def test_file_url(prefix: str, name: str, quoted: str, sound: Path):
    path = sound.rename(sound.with_name(name))
    assert resolve_path(f"{prefix}{path.parent}/{quoted}") == path


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("http://localhost/a.wav", "http"),
        ("https://example.org/a.wav", "https"),
        ("HTTPS://example.org/a.wav", "https"),
        ("s3://bucket/a.wav", "s3"),
        ("rtsp://camera/1", "rtsp"),
    ],
)
def test_other_urls_are_refused_with_the_next_step(url: str, scheme: str):
    with pytest.raises(AudioNotFound, match=f"is a {scheme} URL; download it first"):
        resolve_path(url)


@pytest.mark.parametrize(
    "uri",
    ["nothing.wav", "nothing/at/all.wav", "a\0b.wav", "x" * 5_000, "\ud800.wav", "file:///nothing.wav"],
    ids=["missing", "no folder", "NUL", "too long", "lone surrogate", "URL"],
)
def test_nothing_there(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioNotFound, match="check the path"):
        resolve_path(uri)


def test_file_used_as_a_folder(sound: Path):
    with pytest.raises(AudioNotFound, match="Not a directory"):
        resolve_path(sound / "b.wav")


def test_broken_link(tmp_path: Path):
    link = tmp_path / "link.wav"
    link.symlink_to(tmp_path / "gone.wav")
    with pytest.raises(AudioNotFound, match="No such file"):
        resolve_path(link)


@pytest.mark.parametrize("uri", ["~/a.wav", "~nobody-of-this-name/a.wav", "~draft.wav"])
def test_tilde_is_the_shells_affair(uri: str):
    with pytest.raises(AudioNotFound, match="No such file"):
        resolve_path(uri)


def test_file_whose_name_begins_with_a_tilde(sound: Path, monkeypatch: pytest.MonkeyPatch):
    path = sound.rename(sound.with_name("~draft.wav"))
    monkeypatch.chdir(path.parent)
    assert resolve_path("~draft.wav") == path


def test_malformed_url():
    with pytest.raises(AudioNotFound):
        resolve_path("http://[example/a.wav")


@pytest.mark.parametrize("uri", ["", ".", "file://", "/"])
def test_folder(uri: str):
    with pytest.raises(AudioNotFound, match="is a folder; give the path of an audio file"):
        resolve_path(uri)


@pytest.mark.timeout(20)  # opening a pipe would wait for a writer for ever
def test_pipe_is_refused_without_being_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioNotFound, match="is not a regular file"):
        resolve_path(tmp_path / "a.wav")


def test_device_is_refused():
    with pytest.raises(AudioNotFound, match="is not a regular file"):
        resolve_path("/dev/zero")


def test_file_without_bytes(tmp_path: Path):
    path = tmp_path / "a.wav"
    path.touch()
    with pytest.raises(EmptyAudio, match="has 0 bytes"):
        resolve_path(path)


@pytest.mark.parametrize("name", ["a.wav", "Vögel 鳥.wav", "100%25.wav", "a#b?c.wav"])
def test_uri_is_the_path(name: str, tmp_path: Path):
    assert uri_of(tmp_path / name) == str(tmp_path / name)


def test_uri_of_a_name_that_is_not_utf8_can_be_stored_and_resolved(sound: Path):
    path = sound.rename(sound.with_name("caf\udce9 #1.wav"))
    uri = uri_of(path)
    assert uri == f"file://{path.parent}/caf%E9%20%231.wav"
    assert uri.encode()
    assert resolve_path(uri) == path


def test_id_is_the_first_half_of_the_sha256():
    digest = hashlib.sha256(b"content").hexdigest()
    assert recording_id_of(b"content") == str(uuid.UUID(digest[:32]))


def test_id_does_not_depend_on_name_or_door(sound: Path):
    copy = sound.with_name("other name.mp3")
    copy.write_bytes(sound.read_bytes())
    assert recording_id_of(sound) == recording_id_of(copy) == recording_id_of(b"content")


def test_id_sees_every_byte(tmp_path: Path):
    content = bytearray(os.urandom(3 << 20))
    path = tmp_path / "long.wav"
    path.write_bytes(content)
    before = recording_id_of(path)
    assert before == recording_id_of(bytes(content))
    content[-1] ^= 1
    path.write_bytes(content)
    assert recording_id_of(path) != before


def test_id_of_a_file_that_has_gone(sound: Path):
    sound.unlink()
    with pytest.raises(AudioNotFound, match="No such file"):
        recording_id_of(sound)


def test_id_of_what_cannot_be_read(tmp_path: Path):
    with pytest.raises(AudioNotFound, match="Is a directory"):
        recording_id_of(tmp_path)


def test_a_path_may_hold_what_looks_like_the_middle_of_a_url(tmp_path: Path):
    path = tmp_path / "AC:" / "DC" / "x.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert resolve_path(f"{tmp_path}/AC://DC/x.wav") == path
