"""URLs among the paths of ``soundalike index``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.audio.files import FileList
    from soundalike.indexing.requests import IndexRequest
    from soundalike.remote.objects import RemoteObject


def remote_files(
    urls: Sequence[str], files: FileList, request: IndexRequest
) -> tuple[list[RemoteObject], FileList]:
    """Return the remote recordings, and the list of files with what belongs to them.

    Raises
    ------
    ParameterError
        A table is named, whose names are those of paths.
    SoundalikeError
        A URL cannot be used; see `soundalike.remote.objects.list_remote`.
    """
    if not urls:
        return [], files
    from soundalike.remote.objects import with_remote

    if request.tables.named:
        raise ParameterError(
            "--metadata does not go with URLs; leave it out, or copy the recordings to this machine"
        )
    found, listed = with_remote(files, urls)
    if not found:
        output.note(f"warning: {output.visible(', '.join(urls))}: no sounds are listed there")
    return found, listed
