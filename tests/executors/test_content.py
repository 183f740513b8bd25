"""Requests that no message to an executor can hold are refused, up to the exact limit."""

from __future__ import annotations

from typing import Any

import pytest
from docarray import DocList
from jina.types.request.data import DataRequest

from executors.gateway.guard.content import MAX_DEPTH, check_request
from executors.messages.documents import Clip
from soundalike.errors import AudioTooLarge, ParameterError


def _nested(depth: int, *, in_lists: bool) -> Any:
    """Return containers in each other; the outermost one is a dictionary."""
    value: Any = 1.5
    for _ in range(depth - 1):
        value = [value] if in_lists else {"a": value}
    return {"a": value}


@pytest.mark.parametrize("in_lists", [True, False])
def test_the_deepest_nesting_that_is_taken_can_travel(in_lists: bool):
    # The outermost dictionary is not counted.
    tags = _nested(MAX_DEPTH + 1, in_lists=in_lists)
    docs = DocList[Clip]([Clip(id="1", tags=tags)])
    check_request(docs, tags, 1)
    request = DataRequest()
    request.document_array_cls = DocList[Clip]
    request.data.docs = docs
    request.parameters = tags
    received = DataRequest(request.proto.SerializeToString())
    received.document_array_cls = DocList[Clip]
    assert (received.docs[0].tags, received.parameters) == (tags, tags)


@pytest.mark.parametrize("in_lists", [True, False])
def test_one_level_more_is_refused(in_lists: bool):
    tags = _nested(MAX_DEPTH + 2, in_lists=in_lists)
    with pytest.raises(ParameterError, match=rf"data\[0\].tags.*more than {MAX_DEPTH} deep"):
        check_request([Clip(tags=tags)], None, 1)
    with pytest.raises(ParameterError, match=rf"parameters.*more than {MAX_DEPTH} deep"):
        check_request([], tags, 1)


@pytest.mark.parametrize("number", [2**31 - 1, -(2**31)])
def test_integers_of_32_bits(number: int):
    check_request([], {"n": number}, 1)
    with pytest.raises(ParameterError, match="beyond 32 bits"):
        check_request([], {"n": number + (1 if number > 0 else -1)}, 1)


def test_as_many_documents_as_are_allowed():
    check_request([Clip()] * 3, None, 3)
    with pytest.raises(AudioTooLarge, match="more than 3 documents"):
        check_request([Clip()] * 4, None, 3)
