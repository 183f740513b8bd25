"""The state of an executor, as it tells the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List


@dataclass(frozen=True)
class Report:
    """The state of a replica of an executor.

    Attributes
    ----------
    executor : str
    replica : int
        Number of the gateway's connection.
    is_up : bool
        It has answered.
    metrics : list of dict
        As from `executors.monitoring.stage_metrics.StageMetrics.families`.
    faults : list of str
        Codes of the errors that keep it from working.
    is_partial : bool
        It works without some databases of the index, which it cannot reach.
    host : str
        Name of its machine; several pods of Kubernetes may share a connection.
    """

    executor: str
    replica: int
    is_up: bool
    metrics: List[Dict[str, Any]] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)
    is_partial: bool = False
    host: str = ""
