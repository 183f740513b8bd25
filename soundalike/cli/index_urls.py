"""URLs among the paths of ``soundalike index``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.audio.urls import is_remote
from soundalike.cli import output
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.audio.files import FileList
    from soundalike.indexing.requests import IndexRequest
    from soundalike.remote.objects import RemoteObject


def without_file_urls(paths: Sequence[str]) -> tuple[str, ...]:
    """Return paths in place of ``file:`` URLs."""
    from soundalike.audio.sources import path_of

    is_url = [path.lower().startswith("file://") for path in paths]
    return tuple(
        str(path_of("file" + path[4:])) if found else path
        for path, found in zip(paths, is_url, strict=True)
    )


def separated(paths: Sequence[str], request: IndexRequest) -> tuple[list[str], list[str]]:
    """Return the URLs of remote folders and files, and the paths.

    Raises
    ------
    ParameterError
        A table is named, whose names are those of paths.
    """
    urls = [path for path in paths if is_remote(path)]
    if urls and request.tables.named:
        raise ParameterError(
            "--metadata does not go with URLs; leave it out, or copy the recordings to this machine"
        )
    return urls, [path for path in paths if not is_remote(path)]


def remote_files(urls: Sequence[str], files: FileList) -> tuple[list[RemoteObject], FileList]:
    """Return the remote recordings, and the list of files with what belongs to them.

    Raises
    ------
    SoundalikeError
        A URL cannot be used; see `soundalike.remote.objects.list_remote`.
    """
    from soundalike.remote.objects import list_remote

    found: dict[str, RemoteObject] = {}
    left_out, named = dict(files.left_out), set(files.named)
    for url in urls:
        listed = list_remote(url)
        found.update((one.uri, one) for one in listed.objects)
        left_out.update(listed.left_out)
        if not listed.is_folder:
            named.update(Path(one.uri) for one in listed.objects)
        elif not listed.objects:
            output.note(f"warning: {output.visible(url)} lists no sounds")
    for url in found:
        left_out.pop(url, None)
    return list(found.values()), replace(files, left_out=left_out, named=frozenset(named))
