"""Watch the executors of this process: metrics, readiness, and request ids in logs."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from functools import lru_cache
from typing import Any, Dict, List

from jina.proto.jina_pb2 import StatusProto
from jina.types.request.data import DataRequest

from executors.jina_fixes.cheap_discovery import discover_endpoints_once
from executors.jina_fixes.executor_reports import answer_status_with
from executors.jina_fixes.executor_requests import Work, call_around_requests
from executors.jina_fixes.json_logs import format_jinas_logs_with
from executors.jina_fixes.orderly_stop import stop_in_order
from executors.monitoring.logs import JsonLines, log_as_configured, log_request
from executors.monitoring.request_ids import REQUEST_ID
from executors.monitoring.stage_metrics import stage_metrics
from executors.monitoring.traces import mark_span, trace_with
from soundalike.errors import ServiceError, SoundalikeError

#: For the check of an executor; the gateway waits a little longer.
CHECK_S = 2.0
_checks: Dict[int, asyncio.Future[List[str]]] = {}


@lru_cache(maxsize=1)
def watch_executors() -> None:
    """Watch the executors of this process until they stop in order; further calls do nothing."""
    stop_in_order()
    discover_endpoints_once()
    format_jinas_logs_with(JsonLines())
    log_as_configured()
    stage_metrics()
    answer_status_with(report_of)
    call_around_requests(watched)


async def watched(executor: Any, request: DataRequest, work: Work) -> Any:
    """Do the work of a request under its id; count and log it."""
    REQUEST_ID.set(request.header.request_id)
    trace_with(executor.tracer)
    mark_span(request.header.request_id)
    endpoint, begun, is_ok = request.header.exec_endpoint, time.perf_counter(), False
    try:
        answer = await work()
        is_ok = answer.header.status.code != StatusProto.ERROR
        return answer
    finally:
        # The gateway has refused endpoints that no executor has.
        stage_metrics().count_request(endpoint, is_ok=is_ok)
        seconds = round(time.perf_counter() - begun, 6)
        log_request("executed", endpoint=endpoint, seconds=seconds, ok=is_ok)


async def report_of(executor: Any) -> str:
    """Return the state of an executor as JSON: ``metrics``, ``faults``, ``is_partial`` and ``host``."""
    faults = await _faults_of(executor)
    metrics = stage_metrics().families()
    is_partial = bool(getattr(executor, "missing_shards", ()))
    state = {"metrics": metrics, "faults": faults, "is_partial": is_partial}
    return json.dumps({**state, "host": socket.gethostname()})


async def _faults_of(executor: Any) -> List[str]:
    """Return why an executor cannot work, as stable codes; empty where it can.

    An executor may have a method ``check_ready``, which raises the error. One check runs at a time,
    however long it hangs.
    """
    check = getattr(executor, "check_ready", None)
    if check is None:
        return []
    running = _checks.get(id(executor))
    if running is None or running.done():
        running = asyncio.get_running_loop().run_in_executor(None, _fault_in, check)
        _checks[id(executor)] = running
    try:
        return await asyncio.wait_for(asyncio.shield(running), CHECK_S)
    except TimeoutError:
        return [ServiceError.code]


def _fault_in(check: Any) -> List[str]:
    try:
        check()
    except SoundalikeError as exc:
        return [exc.code]
    except Exception:
        return [SoundalikeError.code]
    return []
