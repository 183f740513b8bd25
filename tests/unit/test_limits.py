"""The service's limits, as the environment says them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from soundalike.errors import ConfigError
from soundalike.limits import Limits


def test_each_has_a_variable_of_its_own():
    for number, one in enumerate(fields(Limits), start=1):
        changed = Limits.from_env({one.metadata["variable"]: str(number)})
        assert getattr(changed, one.name) == number
        others = [other.name for other in fields(Limits) if other is not one]
        assert all(getattr(changed, name) == getattr(Limits(), name) for name in others)


def test_an_empty_variable_counts_as_unset():
    assert Limits.from_env({"SOUNDALIKE_MAX_BODY_MB": ""}) == Limits()


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "nan"])
def test_what_is_no_limit_is_refused(text: str):
    with pytest.raises(ConfigError, match=r"SOUNDALIKE_MAX_BODY_MB is .*whole number above 0"):
        Limits.from_env({"SOUNDALIKE_MAX_BODY_MB": text})


def test_the_documentation_states_variables_and_defaults(project: Path):
    text = (project / "docs" / "security.md").read_text(encoding="utf-8")
    for one in fields(Limits):
        variable, meaning = one.metadata["variable"], one.metadata["meaning"]
        assert f"| `{variable}` | {one.default} | {meaning} |" in text
