"""Which exceptions are written into a document, and which fail the request."""

from __future__ import annotations

from typing import Any

import pytest

from executors.messages.documents import Clip, Indexed
from executors.messages.failures import document_at_fault, request_at_fault
from soundalike.errors import AudioError, EmptyAudio, ParameterError, ServiceError, StoreUnavailable


def _code_after(block: Any, error: Exception, *of_document: Any) -> str | None:
    doc = Indexed(uri="a.wav")
    with block(doc, of_document):
        raise error
    code: str | None = doc.error_code
    return code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EmptyAudio("empty"), "audio.empty"),
        (ParameterError("odd"), "parameter.invalid"),
        (KeyError("x"), "audio.unexpected"),
    ],
)
def test_a_document_is_to_blame_for_its_content(error: Exception, code: str):
    assert _code_after(document_at_fault, error) == code


def test_no_document_is_to_blame_for_a_service_that_is_down():
    with pytest.raises(StoreUnavailable):
        _code_after(document_at_fault, StoreUnavailable("down"))
    assert _code_after(document_at_fault, ServiceError("down"), ServiceError) == "service.unavailable"


@pytest.mark.parametrize("error", [EmptyAudio("empty"), ParameterError("odd")])
def test_a_request_is_to_blame_for_its_parameters(error: Exception):
    with pytest.raises(type(error)):
        _code_after(request_at_fault, error)


def test_some_errors_are_of_the_document_all_the_same():
    assert _code_after(request_at_fault, EmptyAudio("empty"), AudioError) == "audio.empty"
    assert _code_after(request_at_fault, KeyError("x"), AudioError) == "audio.unexpected"
    with pytest.raises(ParameterError):
        _code_after(request_at_fault, ParameterError("odd"), AudioError)


def test_a_block_that_succeeds_marks_nothing():
    doc = Clip(uri="a.wav")
    with document_at_fault(doc), request_at_fault(doc):
        pass
    assert doc == Clip(id=doc.id, uri="a.wav")
