"""Stages of the work, as their observers see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from soundalike.runtime import stages
from soundalike.runtime.parallel import map_ahead


class Notes:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.values: dict[str, float] = {}

    def stage(self, name: str, seconds: float) -> None:
        """Note a stage."""
        self.stages[name] = seconds

    def value(self, name: str, value: float) -> None:
        """Note a value."""
        self.values[name] = value


@pytest.fixture
def notes() -> Iterator[Notes]:
    found = Notes()
    stages.observe(found)
    yield found
    stages.forget(found)


def test_observers_are_told_of_stages_and_values(notes: Notes):
    with stages.stage("rank"):
        pass
    stages.note("queued_patches", 3)
    assert 0 <= notes.stages["rank"] < 60
    assert notes.values == {"queued_patches": 3}


def test_a_stage_that_fails_is_counted_and_the_error_goes_on(notes: Notes):
    with pytest.raises(KeyError), stages.stage("decode"):
        raise KeyError
    assert notes.stages.keys() == {"decode"}


def test_a_forgotten_observer_is_told_nothing(notes: Notes):
    stages.forget(notes)
    with stages.stage("rank"):
        stages.note("batch_fill", 1)
    assert notes.stages == notes.values == {}


def test_threads_work_in_the_context_of_the_caller():
    name: ContextVar[str] = ContextVar("name", default="none")
    name.set("a request")
    assert list(map_ahead(lambda _: name.get(), range(3))) == ["a request"] * 3
