"""Remote recordings: what a folder has, with size and version, without fetching any."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from soundalike.audio.files import FileList
from soundalike.audio.sniffing import AUDIO_SUFFIXES
from soundalike.audio.urls import checked_url, folder_of, is_web, label_of, suffix_of
from soundalike.errors import AudioNotFound, ParameterError, SoundalikeError
from soundalike.remote.driver import driver_of, remote_error
from soundalike.runtime.parallel import threads
from soundalike.types import FileStat

_NO_SOUND = "its name does not look like that of a sound"
_ETAGS = ("ETag", "etag", "Content-MD5", "md5Hash", "content_md5")
_TIMES = ("LastModified", "last_modified", "Last-Modified", "mtime", "updated", "modified", "created")
#: Levels of folders of a web server; some link to themselves without end.
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """A remote recording before it is fetched.

    Attributes
    ----------
    uri : str
        Its URL.
    size_bytes : int or None
        None if the other machine does not tell it.
    version : int or None
        Modification time in nanoseconds, or a negative number made of the ETag, which is preferred.
    mtime_ns : int or None
    """

    uri: str
    size_bytes: int | None = None
    version: int | None = None
    mtime_ns: int | None = None

    @property
    def label(self) -> str | None:
        """Name of the folder."""
        return label_of(self.uri)

    @property
    def stat(self) -> FileStat | None:
        """Size and version that identify the content; None if they do not."""
        if self.size_bytes is None or self.version is None:
            return None
        return FileStat(self.size_bytes, self.version)


@dataclass(frozen=True, slots=True)
class RemoteList:
    """What a URL names.

    Attributes
    ----------
    objects : list of RemoteObject
        Sorted by URL.
    left_out : dict of str to str
        Other files in the folder, and the reasons why they are skipped.
    is_folder : bool
    """

    objects: list[RemoteObject]
    left_out: dict[str, str]
    is_folder: bool


def list_remote(url: str) -> RemoteList:
    """Return the sounds below a folder, or the file that a URL names.

    Hidden files and folders in a folder are skipped, and files whose names are not those of sounds.

    Raises
    ------
    ParameterError
        The URL contains a credential, or its scheme is unknown.
    ConfigError
        The package of a driver is missing.
    AudioError
        Nothing is there, it may not be read, or the other machine cannot be reached.
    """
    url = checked_url(url)
    try:
        infos = _folder(url)
        if infos is None:
            return RemoteList([object_at(url)], {}, is_folder=False)
        below = {name: info for name, info in infos if _is_visible(name[len(folder_of(url)) :])}
        sounds = sorted(name for name in below if suffix_of(name) in AUDIO_SUFFIXES)
        left_out = dict.fromkeys(sorted(below.keys() - set(sounds)), _NO_SOUND)
        if is_web(url):
            with threads() as pool:
                found = list(pool.map(_object_in_list, sounds))
        else:
            found = [_object(name, below[name]) for name in sounds]
    except Exception as exc:
        raise remote_error(exc, url) from exc
    return RemoteList(found, left_out, is_folder=True)


def with_remote(files: FileList, urls: Sequence[str]) -> tuple[list[RemoteObject], FileList]:
    """Return the recordings that URLs name, and a list of files with what else is known of them.

    Raises
    ------
    SoundalikeError
        A URL cannot be used; see `list_remote`.
    """
    found: dict[str, RemoteObject] = {}
    left_out, named = dict(files.left_out), set(files.named)
    for url in urls:
        listed = list_remote(url)
        found.update((one.uri, one) for one in listed.objects)
        left_out.update(listed.left_out)
        if not listed.is_folder:
            named.update(Path(one.uri) for one in listed.objects)
    for url in found:
        left_out.pop(url, None)
    return list(found.values()), replace(files, left_out=left_out, named=frozenset(named))


def object_at(url: str) -> RemoteObject:
    """Return size and version of a remote file as they are now.

    Raises
    ------
    ParameterError, ConfigError, AudioError
        As for `list_remote`.
    """
    driver = driver_of(checked_url(url))
    try:
        driver.invalidate_cache()
        info = driver.info(driver._strip_protocol(url))
    except Exception as exc:
        raise remote_error(exc, url) from exc
    if info.get("type") == "directory":
        raise AudioNotFound(f"{url!r} is a folder; give the URL of a file")
    return _object(url, info)


def is_gone(url: str) -> bool:
    """Return whether the other machine says that nothing is at a URL.

    False if it cannot be asked.
    """
    try:
        object_at(url)
    except AudioNotFound:
        return True
    except SoundalikeError:
        return False
    return False


def _object_in_list(url: str) -> RemoteObject:
    """Return an object of a web server's listing; one that cannot be asked for fails when it is read."""
    try:
        return object_at(url)
    except SoundalikeError:
        return RemoteObject(url)


def _folder(url: str) -> Iterator[tuple[str, Mapping[str, Any]]] | None:
    """Return the URLs below a folder with their descriptions; None if the URL is that of a file."""
    driver = driver_of(url)
    driver.invalidate_cache()
    if is_web(url):
        if not url.endswith("/"):
            info = driver.info(url)
            if suffix_of(url) in AUDIO_SUFFIXES or info.get("mimetype") != "text/html":
                return None
        return _web_folder(driver, folder_of(url))
    base = driver._strip_protocol(url)
    if driver.info(base).get("type") != "directory":
        return None
    start = len(base.rstrip("/"))
    found = driver.find(base, detail=True)
    return ((url.rstrip("/") + name[start:], info) for name, info in found.items())


def _web_folder(driver: Any, url: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what the pages of a folder link to below it."""
    todo, seen = [url], {url}
    while todo:
        page = todo.pop()
        for entry in driver.ls(page, detail=True):
            name = _below(html.unescape(str(entry["name"])), page)
            if name is None or name in seen:
                continue
            seen.add(name)
            if not name.endswith("/"):
                yield name, entry
            elif name[len(url) :].count("/") <= _DEEPEST and _is_visible(name[len(url) : -1]):
                todo.append(name)


def _below(url: str, page: str) -> str | None:
    """Return a link as it is stored; None if it leads elsewhere, or sorts the listing."""
    try:
        found = checked_url(url.replace("/./", "/"))
    except ParameterError:
        return None
    return found if found.startswith(page) and found != page else None


def _is_visible(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/"))


def _object(url: str, info: Mapping[str, Any]) -> RemoteObject:
    size = info.get("size")
    mtime_ns = next((found for key in _TIMES if (found := _time_ns(info.get(key))) is not None), None)
    etag = next((str(info[key]) for key in _ETAGS if info.get(key)), None)
    version = mtime_ns if etag is None else _number_of(etag)
    return RemoteObject(url, None if size is None else int(size), version, mtime_ns)


def _number_of(etag: str) -> int:
    """Return a negative number, as which no modification time of a recording is stored."""
    return -1 - int.from_bytes(hashlib.sha256(etag.encode()).digest()[:7], "big")


def _time_ns(value: Any) -> int | None:
    """Return a time of a driver in nanoseconds since 1970; None for one that cannot be read."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    # A number of seconds; floats have enough digits for a version.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return round(value * 1e9) if is_number and 0 < value < 1e10 else None


def _parsed(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(text)
        except ValueError:
            continue
    return None
