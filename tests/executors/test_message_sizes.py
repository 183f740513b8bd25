"""Jina's serializers leave the environment alone, of which the C library never frees anything."""

import os
from typing import Any
from unittest.mock import patch

import pytest
from docarray import DocList
from jina.proto import serializer
from jina.types.request.data import DataRequest, SingleDocumentRequest

from executors.messages.documents import Clip


def many() -> DataRequest:
    request = DataRequest()
    request.document_array_cls = DocList[Clip]
    request.data.docs = DocList[Clip]([Clip(uri="/ü.wav")])
    return request


def one() -> SingleDocumentRequest:
    request = SingleDocumentRequest()
    request.document_cls = Clip
    request.data.doc = Clip(uri="/ü.wav")
    return request


@pytest.mark.parametrize(
    ("kind", "request_"),
    [(serializer.DataRequestProto, many()), (serializer.SingleDocumentRequestProto, one())],
    ids=["documents", "one document"],
)
def test_messages_are_written_and_read_without_setting_a_variable(kind: Any, request_: Any):
    with patch.object(os, "putenv", side_effect=AssertionError("a variable was set")):
        read = kind.FromString(kind.SerializeToString(request_))
    assert type(read) is type(request_)
    assert read.proto == request_.proto


def test_an_empty_message_is_an_empty_request():
    read = serializer.SingleDocumentRequestProto.FromString(b"")
    assert type(read) is SingleDocumentRequest
    assert read.header.request_id
