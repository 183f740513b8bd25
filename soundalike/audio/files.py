"""Which files a person means: files, folders and globs to a list of sound files."""

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
    "why_left_out",
]

#: Why a file is passed over of which only its decoding tells; see `is_film_without_sound`.
NO_TRACK = "a film without sound, or a container of something else"
_NO_SOUND = "neither its name nor its beginning is that of a sound"
_PLAY_LIST = "a list of sounds, which holds none itself"
_TEXT = "a text, whose name a film or a sound may have too"


@dataclass(frozen=True, slots=True)
class FileList:
    """Files to work on.

    Attributes
    ----------
    files : list of Path
        Absolute, without duplicates, sorted within each folder.
    missing : list of str
        Arguments that name nothing.
    unreadable : dict of Path to str
        Folders whose content cannot be listed, and why.
    left_out : dict of str to str
        Paths of files in folders that are no sounds, and why not.
    named : frozenset of Path
        The files that were named themselves, or by a pattern; the others lie in folders.
    """

    files: list[Path] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    named: frozenset[Path] = frozenset()

    @property
    def skipped(self) -> int:
        """How many files in folders are no sounds."""
        return len(self.left_out)

    def may_pass_over(self, path: Path, error_code: str | None) -> bool:
        """Tell whether the failure of a file is none, as nobody named it and it holds no sound."""
        return path not in self.named and is_film_without_sound(path, error_code)


def find_files(arguments: Sequence[str]) -> FileList:
    """Expand files, folders (recursively) and glob patterns.

    Hidden files and folders inside a folder are left out; a file that is named itself is always
    taken.
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
    """Yield the sounds in a folder; note what is left out."""
    for path in _visible_files(folder, unreadable):
        reason = _why_no_file(path) or why_left_out(path)
        if reason is None:
            yield Path(path)
        else:
            left_out[path] = reason


def _visible_files(folder: Path, unreadable: dict[Path, str]) -> list[str]:
    """Return what is not hidden, sorted; note folders that cannot be listed."""

    def note(error: OSError) -> None:
        unreadable[Path(error.filename)] = error.strerror or str(error)

    found: list[str] = []
    for place, folders, names in os.walk(os.path.abspath(folder), onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(place, name) for name in names if not name.startswith(".")]
    # A folder's files stay together: "a/b" before "a.wav".
    return sorted(found, key=lambda path: path.split("/"))


def _why_no_file(path: str) -> str | None:
    """Return why there is nothing to be read: a pipe would never answer, a link may lead to nothing."""
    try:
        return None if stat.S_ISREG(os.stat(path).st_mode) else "not a regular file"
    except OSError as exc:
        return f"it cannot be read: {exc.strerror}"


def is_gone(path: Path) -> bool:
    """Tell whether the file system says that there is no such file.

    It does not where it cannot tell, as of a folder that may not be entered, nor where a link leads to
    nothing: what it leads to may lie on a disk that is not mounted.
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
    """Tell whether a file has a name or a beginning of audio or film; nothing is decoded."""
    return why_left_out(path) is None


def why_left_out(path: Path | str) -> str | None:
    """Return why a file that lies in a folder is not taken for a sound; None where it is.

    It is by its name, so that a broken recording is reported instead of passed over, or by what it
    begins with. It is opened only where its name does not tell.
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
    """Tell whether a file that lies in a folder failed for nothing but that it is a film without sound.

    Nobody has asked for it, so it is passed over. A file that is called a sound and holds none is not.

    Parameters
    ----------
    path : Path
    error_code : str or None
        Why it failed.
    """
    suffix = path.suffix.lower()
    is_called_sound = suffix in AUDIO_SUFFIXES and suffix not in FILM_SUFFIXES
    return error_code == NoAudioTrack.code and not is_called_sound
