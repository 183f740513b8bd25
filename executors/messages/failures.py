"""Errors of single documents: they are written into the document, and the others are answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Tuple, Type

from soundalike.errors import SoundalikeError
from soundalike.faults import recording_error


def mark_failed(doc: Any, exc: SoundalikeError) -> None:
    """Write an error into a document; the executors that follow leave it alone."""
    doc.error_code = exc.code
    doc.error = exc.message


def mark_at_fault(doc: Any, exc: Exception) -> None:
    """Write an exception that a document has caused into it.

    Raises
    ------
    SoundalikeError
        `exc` itself, where no document is to blame; see `soundalike.faults.recording_error`.
    """
    mark_failed(doc, recording_error(exc, doc.uri or doc.id or "a document"))


@contextmanager
def document_at_fault(doc: Any, of_document: Tuple[Type[SoundalikeError], ...] = ()) -> Iterator[None]:
    """Write what the block raises into a document, as `mark_at_fault` does.

    Parameters
    ----------
    doc : BaseDoc
    of_document : tuple of type
        Errors that are written into the document although no document is to blame.

    Raises
    ------
    SoundalikeError
        Raised by the block where no document is to blame, and not `of_document`.
    """
    try:
        yield
    except of_document as exc:
        mark_failed(doc, exc)
    except Exception as exc:
        mark_at_fault(doc, exc)


@contextmanager
def request_at_fault(doc: Any, of_document: Tuple[Type[SoundalikeError], ...] = ()) -> Iterator[None]:
    """Write unexpected exceptions of the block into a document; Soundalike's own fail the request.

    For blocks in which these mean the request as a whole, as a wrong parameter does.

    Parameters
    ----------
    doc : BaseDoc
    of_document : tuple of type
        Own errors that are written into the document all the same.

    Raises
    ------
    SoundalikeError
        Raised by the block, and not `of_document`.
    """
    try:
        yield
    except of_document as exc:
        mark_failed(doc, exc)
    except SoundalikeError:
        raise
    except Exception as exc:
        mark_at_fault(doc, exc)
