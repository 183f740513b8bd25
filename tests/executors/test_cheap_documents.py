"""Documents are read without building validators for each."""

from unittest.mock import patch

import pytest
from docarray import BaseDoc, DocList
from docarray.typing import ID
from pydantic import TypeAdapter

from executors.messages.documents import Found, MatchDoc


def answer(n_matches: int) -> DocList[Found]:
    matches = [MatchDoc(id=f"m{n}", rank=n, tags={"n": [n, None]}) for n in range(n_matches)]
    return DocList[Found]([Found(id="query", uri="/ü.wav", matches=DocList[MatchDoc](matches))])


def test_what_is_read_is_what_was_written():
    sent = answer(3)
    (read,) = DocList[Found].from_protobuf(sent.to_protobuf())
    assert read == sent[0]
    assert (read.id, [match.id for match in read.matches]) == ("query", ["m0", "m1", "m2"])
    assert isinstance(read.id, ID)
    assert {type(match) for match in read.matches} == {MatchDoc}


def test_reading_builds_no_validators():
    message = answer(3).to_protobuf()
    with patch.object(TypeAdapter, "__init__", side_effect=AssertionError("a validator was built")):
        DocList[Found].from_protobuf(message)


@pytest.mark.parametrize("field", ["id", "matches", "duration_s", "encoder"])
def test_types_of_fields_are_those_of_their_own_class(field: str):
    class Other(BaseDoc):
        matches: int = 0
        duration_s: str = ""
        encoder: bytes = b""

    found = {"id": ID, "matches": DocList[MatchDoc], "duration_s": float, "encoder": str}
    other = {"id": ID, "matches": int, "duration_s": str, "encoder": bytes}
    assert Found._get_field_annotation(field) == found[field]
    assert Other._get_field_annotation(field) == other[field]
