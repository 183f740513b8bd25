"""Import OpenVINO without the package that reports each start to its makers."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_HIDDEN = "openvino_telemetry"


def import_openvino(module: str = "openvino") -> Any:
    """Return OpenVINO, or one of its modules."""
    if module in sys.modules:
        return sys.modules[module]
    sys.modules[_HIDDEN] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(module)
    finally:
        del sys.modules[_HIDDEN]
