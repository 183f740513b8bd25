"""The words of the domain."""

import dataclasses

import pytest

from soundalike.filters import Filters
from soundalike.types import Hit, IndexSpec, Match, Recording, Window


def test_spec_describes_itself_in_a_sentence():
    spec = IndexSpec("vggish", "0123456789abcdef" * 4, 512, 4.0, 2.5)
    assert spec.describe() == ("encoder vggish (0123456789ab), 512 dimensions, 4 s windows every 2.5 s")


@pytest.mark.parametrize("change", ["encoder", "fingerprint", "dimension", "window_s", "stride_s"])
def test_every_part_of_a_spec_counts(change: str):
    spec = IndexSpec("vggish", "0123", 512, 4.0, 2.0)
    other = dataclasses.replace(spec, **{change: "x" if isinstance(getattr(spec, change), str) else 1})
    assert spec != other


@pytest.mark.parametrize("cls", [Filters, Hit, IndexSpec, Match, Recording, Window])
def test_values_cannot_be_changed(cls: type):
    values = dict.fromkeys(cls.__match_args__)
    assert values
    value = cls(**values)
    for name in values:
        # Of named tuples; what data classes raise is a kind of it.
        with pytest.raises(AttributeError):
            setattr(value, name, 1)


def test_recordings_do_not_share_their_tags():
    first, second = Recording("a", "/a", 1.0), Recording("b", "/b", 1.0)
    assert first.tags is not second.tags
