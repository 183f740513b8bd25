"""Which files requests to the service may name."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from soundalike.audio.allowed_roots import AllowedRoots, forget_indexed, note_indexed
from soundalike.config import Settings
from soundalike.errors import AudioNotAllowed, AudioNotFound


@pytest.fixture
def settings(clean_environ: Path) -> Settings:
    return Settings.from_env()


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Make a folder with a sound."""
    (tmp_path / "sounds" / "deep").mkdir(parents=True)
    (tmp_path / "sounds" / "deep" / "one.wav").write_bytes(b"x")
    return tmp_path / "sounds"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Make a file elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "secret.wav"
    path.write_bytes(b"x")
    return path


@pytest.fixture
def roots(settings: Settings, sounds: Path, tmp_path: Path) -> AllowedRoots:
    """Allow `sounds` only."""
    return AllowedRoots(replace(settings, roots=(sounds,)), tmp_path)


def refused(roots: AllowedRoots, uri: str) -> str:
    """Return the refusal."""
    with pytest.raises(AudioNotAllowed) as caught:
        roots.check(uri)
    return caught.value.message


@pytest.mark.parametrize("name", ["deep/one.wav", "not there.wav", "deep/../deep/one.wav", ""])
def test_what_lies_inside_may_be_named(roots: AllowedRoots, sounds: Path, name: str):
    roots.check(str(sounds / name))
    roots.check((sounds / name).as_uri())


@pytest.mark.parametrize(
    "name", ["../elsewhere/secret.wav", "../sounds.wav", "../sounds2/a.wav", "..", "deep/../../x.wav"]
)
def test_what_lies_outside_may_not(roots: AllowedRoots, sounds: Path, name: str):
    uri = f"{sounds}/{name}"
    message = refused(roots, uri)
    assert repr(uri) in message
    assert "SOUNDALIKE_ROOTS" in message
    refused(roots, f"file://{uri}")


def test_the_answer_does_not_tell_what_is_there(roots: AllowedRoots, secret: Path):
    missing = secret.with_name("absent.wav")
    assert refused(roots, str(secret)).replace("secret", "absent") == refused(roots, str(missing))


def test_links_are_followed_on_both_sides(
    settings: Settings, roots: AllowedRoots, sounds: Path, secret: Path, tmp_path: Path
):
    (sounds / "way out").symlink_to(secret.parent)
    (sounds / "out.wav").symlink_to(secret)
    refused(roots, str(sounds / "way out" / "secret.wav"))
    refused(roots, str(sounds / "out.wav"))

    (tmp_path / "link").symlink_to(sounds)
    roots.check(str(tmp_path / "link" / "deep" / "one.wav"))
    through_link = AllowedRoots(replace(settings, roots=(tmp_path / "link",)), tmp_path)
    through_link.check(str(sounds / "deep" / "one.wav"))
    refused(through_link, str(secret))


def test_links_in_a_circle_lead_nowhere(roots: AllowedRoots, sounds: Path, tmp_path: Path):
    (sounds / "round").symlink_to(sounds / "round")
    roots.check(str(sounds / "round"))
    refused(roots, str(tmp_path / "round"))


def test_relative_paths_begin_at_the_working_folder(
    roots: AllowedRoots, sounds: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(sounds)
    roots.check("deep/one.wav")
    monkeypatch.chdir("/")
    refused(roots, "deep/one.wav")


@pytest.mark.parametrize("uri", ["http://127.0.0.1/a.wav", "ftp://x/y", "S3://bucket/key"])
def test_nothing_is_fetched(settings: Settings, uri: str):
    everything = AllowedRoots(replace(settings, roots=(Path("/"),)), Path("/"))
    assert "downloads nothing" in refused(everything, uri)


@pytest.mark.parametrize("uri", ["/sounds/\0.wav", "/sounds/\ud800.wav"])
def test_what_is_no_path_is_not_found(roots: AllowedRoots, uri: str):
    with pytest.raises(AudioNotFound, match="not a valid path"):
        roots.check(uri)


def test_the_file_systems_root_allows_everything_when_it_is_asked_for(settings: Settings, secret: Path):
    AllowedRoots(replace(settings, roots=(Path("/"),)), Path("/")).check(str(secret))
    refused(AllowedRoots(settings, Path("/")), str(secret))


def test_the_start_folder_and_uploads_by_default(settings: Settings, sounds: Path, secret: Path):
    roots = AllowedRoots(settings, sounds)
    roots.check(str(sounds / "deep" / "one.wav"))
    roots.check(str(settings.uploads_dir / "any.wav"))
    refused(roots, str(settings.data_dir / "postgres"))
    refused(roots, str(secret))
    assert roots.paths == sorted([str(sounds), str(settings.uploads_dir)])


def test_settings_replace_the_default_but_not_the_uploads(
    roots: AllowedRoots, settings: Settings, secret: Path
):
    note_indexed(settings.data_dir, [secret.parent])
    refused(roots, str(secret))
    roots.check(str(settings.uploads_dir / "any.wav"))


def test_what_was_indexed_is_allowed_at_once_until_a_reset(
    settings: Settings, sounds: Path, secret: Path
):
    roots = AllowedRoots(settings, sounds)
    refused(roots, str(secret))
    note_indexed(settings.data_dir, [secret.parent])
    roots.check(str(secret))
    assert str(secret.parent) in roots.paths
    forget_indexed(settings.data_dir)
    refused(roots, str(secret))
    forget_indexed(settings.data_dir)


def test_a_file_that_was_indexed_allows_no_other(settings: Settings, sounds: Path, secret: Path):
    note_indexed(settings.data_dir, [secret])
    roots = AllowedRoots(settings, sounds)
    roots.check(str(secret))
    refused(roots, str(secret.with_name("other.wav")))


def test_a_link_that_is_changed_later_allows_nothing_new(
    settings: Settings, sounds: Path, secret: Path, tmp_path: Path
):
    link = tmp_path / "link"
    link.symlink_to(sounds)
    note_indexed(settings.data_dir, [link])
    link.unlink()
    link.symlink_to(secret.parent)
    refused(AllowedRoots(settings, tmp_path / "elsewhere2"), str(secret))


def test_only_what_is_needed_is_noted(settings: Settings, sounds: Path):
    note_indexed(settings.data_dir, [sounds / "deep" / "one.wav", sounds / "deep"])
    note_indexed(settings.data_dir, [sounds])
    assert json.loads((settings.data_dir / "roots.json").read_text()) == {"paths": [str(sounds)]}


def test_many_commands_at_once_lose_nothing(settings: Settings, tmp_path: Path):
    folders = [tmp_path / f"{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda folder: note_indexed(settings.data_dir, [folder]), folders))
    assert set(map(str, folders)) <= set(AllowedRoots(settings, tmp_path / "0").paths)
    assert not [name for name in os.listdir(settings.data_dir) if name.startswith(".roots")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"paths": 3}', '{"paths": [1, "relative"]}'])
def test_a_damaged_file_allows_nothing(settings: Settings, sounds: Path, secret: Path, text: str):
    settings.data_dir.mkdir(parents=True)
    (settings.data_dir / "roots.json").write_text(text)
    roots = AllowedRoots(settings, sounds)
    refused(roots, str(secret))
    note_indexed(settings.data_dir, [secret])
    roots.check(str(secret))
