"""Which part of a recording is meant."""

import math
from typing import Any

import pytest

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.errors import ParameterError
from soundalike.types import Window

APART = [Window(0, 0.0, 1.0), Window(1, 10.0, 11.0), Window(2, 20.0, 20.5)]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"start_s": -1}, "start_s is -1"),
        ({"at_s": math.nan}, "at_s is nan"),
        ({"end_s": math.inf}, "end_s is inf"),
        ({"start_s": 1.04e308}, "start_s is 1.04e"),
        ({"start_s": 4, "end_s": 4}, "end_s is 4 and start_s is 4"),
        ({"end_s": 0}, "end_s is 0"),
        ({"at_s": 1, "end_s": 2}, "at_s is 1"),
    ],
)
def test_what_no_part_can_be_is_refused(given: dict[str, Any], named: str):
    with pytest.raises(ParameterError, match=named):
        Excerpt(**given)


def test_the_whole_is_every_window():
    assert WHOLE.windows_of(APART) == APART
    assert WHOLE.is_whole


def test_windows_with_gaps_between_them():
    assert Excerpt(at_s=5).windows_of(APART) == APART[:1]
    assert Excerpt(at_s=20.4).windows_of(APART) == APART[2:]
    assert Excerpt(start_s=10.9, end_s=15).windows_of(APART) == APART[1:2]
    with pytest.raises(ParameterError, match="no window from 2 s to 9 s"):
        Excerpt(start_s=2, end_s=9).windows_of(APART)


def test_a_part_without_an_end_goes_to_the_end():
    assert Excerpt(start_s=10).windows_of(APART) == APART[1:]
