"""Sounds for the Flow."""

from __future__ import annotations

# Before Jina: it keeps DocArray from importing TensorFlow, which takes every worker seconds.
import executors  # noqa: F401

# isort: split
import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import numpy as np
import pytest
import requests

# Not among the plugins of all tests: it takes seconds to import Jina.
from tests.fixtures.asking import (
    ask,
    on_the_command_line,
    plain_http,
    service_pipeline,
    service_store,
)
from tests.fixtures.collector import collector
from tests.fixtures.service import uploaded_files

if TYPE_CHECKING:
    from tests.fixtures.service import Service

__all__ = ["ask", "collector", "on_the_command_line", "plain_http", "service_pipeline", "service_store"]


@pytest.fixture
def small_files(
    tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator
) -> Callable[[int], list[Path]]:
    """Write as many different sounds of half a second as are asked for."""

    def write(count: int) -> list[Path]:
        return [
            write_wav(
                tmp_path / "small" / f"{n:03}.wav", 0.1 * rng.standard_normal(8_000), subtype="PCM_16"
            )
            for n in range(count)
        ]

    return write


@pytest.fixture
def uploads(service: Service, service_environ: dict[str, str]) -> Path:
    """Name the service's folder of uploads, which is empty."""
    folder = Path(service_environ["SOUNDALIKE_DATA_DIR"]) / "uploads"
    for path in uploaded_files(folder):
        path.unlink()
    return folder


@pytest.fixture
def finish(wait_until: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Wait until the job that an answer names is finished; return it."""

    def wait(answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 202, answer.text
        address = urljoin(answer.url, answer.headers["location"])
        assert address.endswith(f"/api/jobs/{answer.json()['id']}")

        def finished() -> dict[str, Any] | None:
            job: dict[str, Any] = requests.get(address, timeout=60).json()
            return job if job["finished_at"] else None

        found: dict[str, Any] = wait_until(finished, "the job is finished")
        return found

    return wait


@pytest.fixture(scope="session")
def encoded() -> Callable[[Path], str]:
    """Return a file's bytes as base64."""
    return lambda path: base64.b64encode(path.read_bytes()).decode()


@pytest.fixture
def page(service: Service, browser_page: Any) -> Iterator[Any]:
    """Give the page; no script has failed on it, no rule was broken, and nobody else was asked."""
    said: list[str] = []
    browser_page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    browser_page.on("pageerror", lambda error: said.append(str(error)))
    browser_page.set_default_timeout(20_000)
    browser_page.address = f"{service.url}/"
    yield browser_page
    assert [line for line in said if "Failed to load resource" not in line] == []
    assert browser_page.foreign == []
