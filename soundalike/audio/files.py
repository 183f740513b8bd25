"""Expand files, folders and globs to a list of sound files."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from soundalike.audio.sniffing import (
    AUDIO_SUFFIXES,
    FILM_SUFFIXES,
    PLAY_LIST_SUFFIXES,
    TEXT_SUFFIXES,
    is_play_list,
    is_text,
    media_type_of,
    read_beginning,
)
from soundalike.errors import NoAudioTrack

__all__ = [
    "AUDIO_SUFFIXES",
    "NO_TRACK",
    "FileList",
    "find_files",
    "is_film_without_sound",
    "is_gone",
    "looks_like_audio",
    "media_type_of",
    "skip_reason",
]

#: Reason for skipping a film without sound, which only decoding can detect.
NO_TRACK = "a film without sound, or a container of something else"
_NO_SOUND = "neither its name nor its content looks like sound"
_PLAY_LIST = "a playlist, which contains no sound itself"
_TEXT = "a text file with a suffix that films or sounds also use"


@dataclass(frozen=True, slots=True)
class FileList:
    """Result of `find_files`.

    Attributes
    ----------
    files : list of Path
        Sound files: absolute, without duplicates, sorted within each folder.
    missing : list of str
        Arguments without a matching file.
    unreadable : dict of Path to str
        Folders that cannot be listed, and the reasons.
    left_out : dict of str to str
        Other files in the folders, and the reasons why they are skipped.
    named : frozenset of Path
        Files that were named directly or by a pattern; the others were found in folders.
    """

    files: list[Path] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    named: frozenset[Path] = frozenset()

    @property
    def skipped(self) -> int:
        """Number of skipped files in folders."""
        return len(self.left_out)

    def may_skip(self, path: Path, error_code: str | None) -> bool:
        """Return whether a failed file may be skipped: a film without sound that was not named."""
        return path not in self.named and is_film_without_sound(path, error_code)


def find_files(arguments: Sequence[str]) -> FileList:
    """Expand files, folders (recursively) and glob patterns.

    Hidden files and folders inside a folder are skipped; a named file is always included.
    """
    named: set[Path] = set()
    found: dict[Path, None] = {}
    missing: list[str] = []
    unreadable: dict[Path, str] = {}
    left_out: dict[str, str] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found.update(dict.fromkeys(_sounds(path, unreadable, left_out)))
            continue
        exists = path.exists()
        matches = [argument] if exists else sorted(glob.glob(str(path), recursive=True))
        files = [Path(os.path.abspath(match)) for match in matches if exists or Path(match).is_file()]
        found.update(dict.fromkeys(files))
        named.update(files)
        if not files:
            missing.append(argument)
    for path in named:
        left_out.pop(str(path), None)
    return FileList(list(found), missing, unreadable, left_out, frozenset(named))


def _sounds(folder: Path, unreadable: dict[Path, str], left_out: dict[str, str]) -> Iterator[Path]:
    """Yield the sound files of a folder; record the skipped ones."""
    for path in _visible_files(folder, unreadable):
        reason = _why_no_file(path) or skip_reason(path)
        if reason is None:
            yield Path(path)
        else:
            left_out[path] = reason


def _visible_files(folder: Path, unreadable: dict[Path, str]) -> list[str]:
    """Return the files that are not hidden, sorted; record folders that cannot be listed."""

    def note(error: OSError) -> None:
        unreadable[Path(error.filename)] = error.strerror or str(error)

    found: list[str] = []
    for place, folders, names in os.walk(os.path.abspath(folder), onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(place, name) for name in names if not name.startswith(".")]
    # Keep the files of a folder together: "a/b" before "a.wav".
    return sorted(found, key=lambda path: path.split("/"))


def _why_no_file(path: str) -> str | None:
    """Return why a path cannot be read as a file, such as a pipe or a broken link; None if it can."""
    try:
        return None if stat.S_ISREG(os.stat(path).st_mode) else "not a regular file"
    except OSError as exc:
        return f"it cannot be read: {exc.strerror}"


def is_gone(path: Path) -> bool:
    """Return whether a file certainly does not exist.

    The result is False if the file system cannot tell (no permission for the folder), and for a broken
    link, whose target may be on a disk that is not mounted.
    """
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError):
        return False
    above = next((folder for folder in path.parents if os.path.lexists(folder)), None)
    return above is not None and above.is_dir()


def looks_like_audio(path: Path) -> bool:
    """Return whether the name or the first bytes of a file are those of audio or film."""
    return skip_reason(path) is None


def skip_reason(path: Path | str) -> str | None:
    """Return why a file in a folder is skipped; None if it counts as sound.

    The name decides first, so that a broken recording is reported instead of skipped, then the first
    bytes. The file is opened only if the name does not decide.
    """
    suffix = os.path.splitext(path)[1].lower()
    by_name = suffix in AUDIO_SUFFIXES
    if by_name and suffix not in TEXT_SUFFIXES:
        return None
    try:
        found = read_beginning(path)
    except OSError as exc:
        return None if by_name else f"it cannot be read: {exc.strerror}"
    if by_name:
        return _TEXT if is_text(found.head) else None
    if found.format is not None:
        return None
    return _PLAY_LIST if suffix in PLAY_LIST_SUFFIXES or is_play_list(found.head) else _NO_SOUND


def is_film_without_sound(path: Path, error_code: str | None) -> bool:
    """Return whether a file in a folder failed only because it is a film without sound.

    Such a file is skipped. A file with the suffix of a sound is not: it should contain sound.

    Parameters
    ----------
    path : Path
    error_code : str or None
        Code of the failure.
    """
    suffix = path.suffix.lower()
    is_called_sound = suffix in AUDIO_SUFFIXES and suffix not in FILM_SUFFIXES
    return error_code == NoAudioTrack.code and not is_called_sound
