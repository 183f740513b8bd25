"""The false alarms of the events of a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from soundalike.events.parts import Found
from soundalike.scores.event_model import EventModel, FalseAlarms, Scale, Step, models_from_json


@dataclass(frozen=True, slots=True)
class EventRates:
    """The meaning of the scores of one query.

    Attributes
    ----------
    models : mapping of str to EventModel
        By step; empty if they are not known.
    scale : Scale or None
        Of the query's scores by stored vectors.
    """

    models: Mapping[Step, EventModel] = field(default_factory=dict)
    scale: Scale | None = None

    def of(self, part: Found, duration_s: float) -> FalseAlarms | None:
        """Return the false alarms of a part of a recording of this length; None if unknown."""
        model = self.models.get("reread" if part.is_reread else "stored")
        if model is None:
            return None
        scale = model.usual if part.is_reread else self.scale
        return None if scale is None else model.false_alarms(part.score, scale, duration_s)

    def to_json(self) -> dict[str, Any]:
        """Return the rates as a JSON object."""
        models = {step: model.to_json() for step, model in self.models.items()}
        return {"models": models, "scale": self.scale and asdict(self.scale)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EventRates:
        """Return the rates of a JSON object; unknown ones of an empty one."""
        scale = values.get("scale")
        return cls(models_from_json(values.get("models")), Scale(**scale) if scale else None)
