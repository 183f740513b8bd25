"""What is heard replaces what vectors tell, except in short recordings without a background."""

from __future__ import annotations

import pytest

from soundalike.events.assembling import SHORT_S, merged
from soundalike.events.parts import Found, Screened
from soundalike.types import Recording

SCREENED = Found(3.0, 8.0, 0.0, 5.0, 0.65)
HEARD = Found(3.4, 7.9, 0.1, 4.6, 0.9)


def _screened(duration_s: float) -> Screened:
    recording = Recording("0" * 32, "/a.wav", duration_s)
    return Screened(recording, [SCREENED], [(0.0, duration_s)])


@pytest.mark.parametrize(
    ("duration_s", "kept"), [(SHORT_S - 0.1, [SCREENED]), (SHORT_S, []), (10 * SHORT_S, [])]
)
def test_a_sound_that_fills_a_short_recording_stays(duration_s: float, kept: list[Found]):
    assert merged(_screened(duration_s), [[]]) == kept


def test_what_is_heard_replaces_it():
    (found,) = merged(_screened(10.0), [[HEARD]])
    assert (found.start_s, found.score, found.is_reread) == (3.4, 0.9, True)


def test_what_cannot_be_read_stays():
    assert merged(_screened(100.0), [None]) == [SCREENED]
