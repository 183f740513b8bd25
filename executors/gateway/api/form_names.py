"""Names of files in forms that browsers send."""

from __future__ import annotations

from starlette.datastructures import UploadFile
from starlette.requests import Request

#: Escapes of browsers for characters that would end the name or its line; nothing else is escaped
#: (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data).
_ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n"}


def unescape_name(file: UploadFile, request: Request) -> None:
    """Give an upload the name that it has on its owner's disk, where a browser has sent it.

    Browsers send `Origin` with every form, and other programs do not. A ``%22`` in the
    names of those may be one. In a browser's form a name with a real ``%22``
    looks like one with a quotation mark; that is taken for the likelier.

    Parameters
    ----------
    file : UploadFile
        Changed in place.
    request : Request
        That it came with.
    """
    if file.filename and "origin" in request.headers:
        for escaped, character in _ESCAPED.items():
            file.filename = file.filename.replace(escaped, character)
