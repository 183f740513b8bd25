"""Which files a person means: files, folders and globs to a list of sound files."""

from __future__ import annotations

import glob
import mimetypes
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: In a folder, files of these names are taken for sounds, so that a broken one is reported instead
#: of passed over. Whatever its name, a file that begins like audio is taken as well.
AUDIO_SUFFIXES = frozenset(
    (
        *(".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".aif", ".aiff"),
        *(".aifc", ".caf", ".w64", ".rf64", ".au", ".snd", ".wma", ".webm", ".mka", ".amr", ".wv"),
        *(".ape", ".tta"),
    )
)
_MAGIC = (b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b".snd", b"RF64", b"riff", b"wvpk", b"MAC ")
_MEDIA_TYPES = {
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    b"FORM": "audio/aiff",
    b"\x1aE\xdf\xa3": "audio/webm",
}


@dataclass(frozen=True, slots=True)
class FileList:
    """Files to work on.

    Attributes
    ----------
    files : list of Path
        Absolute, without duplicates, sorted within each folder.
    skipped : int
        Files in folders that are no sounds.
    missing : list of str
        Arguments that name nothing.
    unreadable : dict of Path to str
        Folders whose content cannot be listed, and why.
    """

    files: list[Path]
    skipped: int
    missing: list[str]
    unreadable: dict[Path, str] = field(default_factory=dict)


def find_files(arguments: Sequence[str]) -> FileList:
    """Expand files, folders (recursively) and glob patterns.

    Hidden files and folders inside a folder are left out; a file that is named itself is always
    taken.
    """
    found: dict[Path, None] = {}
    missing: list[str] = []
    unreadable: dict[Path, str] = {}
    skipped = 0
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            sounds, others = _split(_visible_files(path, unreadable))
            found.update(dict.fromkeys(sounds))
            skipped += others
        elif path.exists():
            found[Path(os.path.abspath(path))] = None
        else:
            matches = sorted(glob.glob(str(path), recursive=True))
            files = [Path(os.path.abspath(match)) for match in matches if Path(match).is_file()]
            found.update(dict.fromkeys(files))
            if not files:
                missing.append(argument)
    return FileList(list(found), skipped, missing, unreadable)


def _visible_files(folder: Path, unreadable: dict[Path, str]) -> Iterable[Path]:
    """Return what is not hidden, sorted; note folders that cannot be listed."""

    def note(error: OSError) -> None:
        unreadable[Path(error.filename)] = error.strerror or str(error)

    found: list[str] = []
    for place, folders, names in os.walk(os.path.abspath(folder), onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(place, name) for name in names if not name.startswith(".")]
    # A folder's files stay together: "a/b" before "a.wav".
    return [Path(path) for path in sorted(found, key=lambda path: path.split("/")) if _is_file(path)]


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _split(paths: Iterable[Path]) -> tuple[list[Path], int]:
    paths = list(paths)
    sounds = [path for path in paths if looks_like_audio(path)]
    return sounds, len(paths) - len(sounds)


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
    """Tell whether a file has a name or a beginning of audio; nothing is decoded."""
    if path.suffix.lower() in AUDIO_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    is_wave = head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE"
    is_mp4 = head[4:8] == b"ftyp"
    return is_wave or is_mp4 or _is_mp3(head) or head.startswith(_MAGIC)


def _is_mp3(head: bytes) -> bool:
    """Tell whether a frame of MPEG audio, layer III, begins: eleven bits of sync, version and layer."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] >> 1 & 3 == 1


def media_type_of(path: Path) -> str:
    """Return the media type of a sound file, by its beginning and then by its name.

    Anything that is not known to be sound is ``application/octet-stream``, so that no browser takes a
    file of another kind for a page.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        head = b""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    if _is_mp3(head):
        return "audio/mpeg"
    for magic, kind in _MEDIA_TYPES.items():
        if head.startswith(magic):
            return kind
    guessed = mimetypes.guess_type(path.name)[0] or ""
    return guessed if guessed.startswith("audio/") else "application/octet-stream"
