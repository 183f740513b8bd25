"""Conditions on tags: how they are written, and what meets them."""

from typing import Any

import pytest

from soundalike.errors import ParameterError
from soundalike.filters import Condition, parse_condition

TAGS: dict[str, Any] = {
    "n": 5,
    "half": 1.5,
    "text": "pond",
    "digits": "5",
    "yes": True,
    "none": None,
    "list": [1, "pond"],
    "gps": {"lat": -1.5, "deep": {"x": "y"}},
    "gps.lat": 99,
    "water temp": 4,
    "in": 1,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n=5", Condition(("n",), "=", (5,))),
        ("n==5", Condition(("n",), "=", (5,))),
        (" n != 5 ", Condition(("n",), "!=", (5,))),
        ("depth_m>=1.5", Condition(("depth_m",), ">=", (1.5,))),
        ("a<b", Condition(("a",), "<", ("b",))),
        ("a<=-2e3", Condition(("a",), "<=", (-2000.0,))),
        ("site in pond,lake", Condition(("site",), "in", ("pond", "lake"))),
        ("site IN pond , 5, true", Condition(("site",), "in", ("pond", 5, True))),
        ('site in "a, b","c"', Condition(("site",), "in", ("a, b", "c"))),
        ("site in pond,", Condition(("site",), "in", ("pond",))),
        ("gps.lat>0", Condition(("gps", "lat"), ">", (0,))),
        ('"gps.lat"=99', Condition(("gps.lat",), "=", (99,))),
        ('"water temp".x="5"', Condition(("water temp", "x"), "=", ("5",))),
        ("site=", Condition(("site",), "=", ("",))),
        ('site=""', Condition(("site",), "=", ("",))),
        ("a=null", Condition(("a",), "=", (None,))),
        ("a=False", Condition(("a",), "=", ("False",))),
        ("a=b=c", Condition(("a",), "=", ("b=c",))),
        ("a=two words", Condition(("a",), "=", ("two words",))),
        ("a=NaN", Condition(("a",), "=", ("NaN",))),
        ("in=1", Condition(("in",), "=", (1,))),
        ("ü=🦤", Condition(("ü",), "=", ("🦤",))),
        ("a=x'); DROP TABLE y; --", Condition(("a",), "=", ("x'); DROP TABLE y; --",))),
    ],
)
def test_parse(text: str, expected: Condition):
    assert parse_condition(text) == expected
    assert parse_condition(str(expected)) == expected
    assert [type(value) for value in parse_condition(text).values] == [type(v) for v in expected.values]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cannot be parsed"),
        ("n", "cannot be parsed"),
        ("=5", "cannot be parsed"),
        ("n ~ 5", "cannot be parsed"),
        ("water temp=5", "cannot be parsed"),
        ("a..b=5", "cannot be parsed"),
        ("a.=5", "cannot be parsed"),
        ('"a=5', "cannot be parsed"),
        ('""=5', "empty name"),
        ("site in ", "empty value|cannot be parsed"),
        ("site in a,,b", "empty value"),
        ("n<true", "true has no order"),
        ("n>=null", "null has no order"),
        ("n=[1]", "list or an object"),
        ('n={"a": 1}', "list or an object"),
        ("n=1e999", "too large"),
        ('n="a', "not valid quoted text"),
        ('n="a" b', "not valid quoted text"),
    ],
)
def test_what_is_no_condition(text: str, complaint: str):
    with pytest.raises(ParameterError, match=complaint):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        *(("n=5", True), ("n=5.0", True), ('n="5"', False), ("digits=5", False), ('digits="5"', True)),
        *(("n<10", True), ("n<5", False), ("n<=5", True), ("digits<10", False), ("text>lake", True)),
        *(("text<5", False), ("half>=1.5", True), ("n in 1,5", True), ("text in lake", False)),
        *(
            ("yes=true", True),
            ("yes=1", False),
            ("n=true", False),
            ("none=null", True),
            ("n=null", False),
        ),
        *(("n!=4", True), ("n!=5", False), ("digits!=5", True), ("none!=5", True), ("list!=5", True)),
        *(("missing!=5", False), ("missing=null", False), ("missing<5", False), ("text.x!=5", False)),
        *(("list=1", False), ("list in 1,pond", False), ("list<5", False), ("yes<5", False)),
        *(("gps.lat<0", True), ('"gps.lat"=99', True), ("gps.deep.x=y", True), ("gps.lat.x!=1", False)),
        *(("gps!=1", True), ("gps=1", False), ('"water temp"=4', True), ("in=1", True)),
    ],
)
def test_matches(text: str, is_met: bool):
    assert parse_condition(text).matches(TAGS) is is_met
