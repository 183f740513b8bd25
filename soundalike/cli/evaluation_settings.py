"""What an evaluation compares: encoders, windows and the distance of patches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from soundalike.audio.windows import WindowPlan
from soundalike.cli import opening
from soundalike.config import PRECISIONS, Settings, check_model
from soundalike.errors import ConfigError, ParameterError

if TYPE_CHECKING:
    from soundalike.encoders.base import Encoder

#: What ``--compare`` may change.
COMPARE_KEYS = ("model", "checkpoint", "precision", "window_size", "stride", "example_hop")
_TEXT_KEYS = COMPARE_KEYS[:3]
#: Settings that a table and a plot can still show apart.
MAX_SETTINGS = 6
_MIN_HOP_S, _MAX_HOP_S = 0.01, 3600.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What is compared: an encoder that is not loaded yet, windows, and the distance of patches.

    Raises
    ------
    ParameterError
        The distance is out of its range.
    """

    settings: Settings
    plan: WindowPlan
    example_hop_s: float | None = None

    def __post_init__(self) -> None:
        if self.example_hop_s is not None and not _MIN_HOP_S <= self.example_hop_s <= _MAX_HOP_S:
            raise ParameterError(
                f"example_hop is {self.example_hop_s!r} s; give a distance from {_MIN_HOP_S:g} s to "
                f"{_MAX_HOP_S:g} s"
            )

    def changed(self, change: Mapping[str, str | float]) -> Setting:
        """Return the setting that ``--compare`` asks for."""
        precision = change.get("precision", "auto")
        if precision not in PRECISIONS:
            raise ParameterError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
        try:
            check_model(str(change.get("model", "auto")), self.settings.weights_dir, "model")
        except ConfigError as exc:
            raise ParameterError(exc.message) from exc
        settings = replace(
            self.settings,
            model=str(change.get("model", self.settings.model)),
            precision=str(change.get("precision", self.settings.precision)),
        )
        if "checkpoint" in change:
            settings = replace(settings, checkpoint=Path(str(change["checkpoint"])).expanduser())
        plan = WindowPlan(
            float(change.get("window_size", self.plan.window_s)),
            float(change.get("stride", self.plan.stride_s)),
        )
        hop = change.get("example_hop", self.example_hop_s)
        return Setting(settings, plan, None if hop is None else float(hop))


def parse_setting(text: str) -> dict[str, str | float]:
    """Turn ``KEY=VALUE,KEY=VALUE`` into the settings that differ.

    Raises
    ------
    ParameterError
        A key is unknown or given twice, or a value is missing or no number.

    Examples
    --------
    >>> parse_setting("model=logmel-modulation,stride=1")
    {'model': 'logmel-modulation', 'stride': 1.0}
    """
    found: dict[str, str | float] = {}
    # A comma may be part of a path; what begins a new setting is a comma before a word and "=".
    for part in re.split(r",\s*(?=\w+=)", text.strip()):
        key, _, value = part.partition("=")
        if key not in COMPARE_KEYS or not value:
            raise ParameterError(
                f"--compare {text!r}: {part!r} is not a setting; write KEY=VALUE with one of "
                f"{', '.join(COMPARE_KEYS)}, and commas between them"
            )
        if key in found:
            raise ParameterError(f"--compare {text!r} gives {key} twice; repeat --compare instead")
        found[key] = value if key in _TEXT_KEYS else _number(key, value, text)
    return found


def _number(key: str, value: str, text: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ParameterError(f"--compare {text!r}: {key} is {value!r}, which is not a number") from None


def encoders_of(wanted: Sequence[Setting]) -> list[Encoder]:
    """Load each encoder once, and all before the first clip is read."""
    loaded: dict[tuple[object, ...], Encoder] = {}
    keys = [(each.settings.model, each.settings.checkpoint, each.settings.precision) for each in wanted]
    for key, each in zip(keys, wanted, strict=True):
        if key not in loaded:
            loaded[key] = opening.encoder_of(each.settings)
    return [loaded[key] for key in keys]
