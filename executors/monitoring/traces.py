"""OpenTelemetry traces: where they are sent, and spans of the stages."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any, Dict

from soundalike.errors import ConfigError
from soundalike.runtime.stages import observe

VARIABLE = "SOUNDALIKE_TRACES"
#: Of OTLP over gRPC.
_PORT = 4317
_tracer: Any = None
_ADDRESS = re.compile(
    r"(?P<host>https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]))(?::(?P<port>\d{1,5}))?/?"
)


def tracing_options(environ: Mapping[str, str] = os.environ) -> Dict[str, Any]:
    """Return Jina's options for sending traces; empty where they are off.

    Raises
    ------
    ConfigError
        ``SOUNDALIKE_TRACES`` is no address like ``http://collector:4317``.
    """
    given = environ.get(VARIABLE, "")
    if not given:
        return {}
    found = _ADDRESS.fullmatch(given)
    if found is None:
        # The address is not repeated: somebody may have put a password into it.
        raise ConfigError(
            f"{VARIABLE} cannot be used; give the address of a collector that takes OTLP over gRPC, "
            "like http://localhost:4317"
        )
    # Jina puts both together again; by the scheme the exporter knows whether to use TLS.
    return {
        "tracing": True,
        "traces_exporter_host": found["host"],
        "traces_exporter_port": int(found["port"] or _PORT),
    }


def trace_with(tracer: Any) -> None:
    """Trace the stages of this process; without a tracer, or a second time, do nothing.

    Parameters
    ----------
    tracer : opentelemetry.trace.Tracer or None
        Jina's own: None where tracing is off. OpenTelemetry is not even imported then.
    """
    global _tracer
    if tracer is not None and _tracer is None:
        _tracer = tracer
        observe(StageSpans(tracer))


def mark_span(request_id: str) -> None:
    """Write the id of a request into the current span."""
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attribute("soundalike.request_id", request_id)


class StageSpans:
    """Makes a span of each stage, below the span of the request: an observer of the stages.

    Parameters
    ----------
    tracer : opentelemetry.trace.Tracer
    """

    def __init__(self, tracer: Any) -> None:
        from opentelemetry import trace

        self._tracer = tracer
        self._current = trace.get_current_span

    def stage(self, name: str, seconds: float) -> None:
        """Add a span that ends now."""
        # A batch of the network belongs to several requests, and has no span of theirs around it.
        if self._current().is_recording():
            end = time.time_ns()
            self._tracer.start_span(name, start_time=end - round(seconds * 1e9)).end(end)

    def value(self, name: str, value: float) -> None:
        """Do nothing: values are metrics."""
