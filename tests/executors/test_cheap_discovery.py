"""An executor's answer to what it takes and gives is worked out once."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from jina.serve.runtimes.worker.request_handling import WorkerRequestHandler


def test_the_answer_is_kept(load_executor: Any, monkeypatch: pytest.MonkeyPatch):
    ranker = load_executor("max_score_ranker")
    handler: Any = SimpleNamespace(logger=logging.getLogger("some"), _executor=ranker)

    def discover() -> Any:
        return asyncio.run(WorkerRequestHandler.endpoint_discovery(handler, None, None))

    first = discover()
    assert {"/search", "/delete"} <= set(first.endpoints)
    monkeypatch.setattr(ranker, "_get_endpoint_models_dict", None)
    assert discover() == first
