"""Names of parameters: unknown ones and aliases."""

import pytest

from soundalike.errors import ParameterError, UnknownParameter
from soundalike.parameters import refuse_unknown, resolve_aliases, unknown_parameter


def test_the_error_names_what_was_given_what_is_near_and_what_is_known():
    error = unknown_parameter("colection", ["limit", "collection"])
    assert error.code == "parameter.unknown"
    assert str(error) == (
        "'colection' is not a known parameter, did you mean 'collection'? known: limit, collection"
    )


def test_nothing_near_is_not_guessed():
    assert str(unknown_parameter("x", ["limit"])) == "'x' is not a known parameter; known: limit"
    assert str(unknown_parameter("x", [])).endswith("known: none")


def test_the_place_is_part_of_the_name():
    assert "'data[3].urii'" in str(unknown_parameter("urii", ["uri"], "data[3]"))


def test_a_long_name_is_cut():
    assert len(str(unknown_parameter("x" * 5000, ["limit"]))) < 200


def test_known_names_pass():
    refuse_unknown(["limit"], ["limit", "after"])
    with pytest.raises(UnknownParameter, match="did you mean 'after'"):
        refuse_unknown(["limit", "aftr"], ["limit", "after"])


def test_an_alias_becomes_the_proper_name():
    aliases = {"label": "labels"}
    assert resolve_aliases({"label": ["a"]}, aliases) == {"labels": ["a"]}
    assert resolve_aliases({"label": ["a"], "labels": ["a"]}, aliases) == {"labels": ["a"]}
    with pytest.raises(ParameterError, match="labels and label are two names"):
        resolve_aliases({"labels": ["a"], "label": ["b"]}, aliases)
