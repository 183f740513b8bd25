"""Requests made up from the OpenAPI description: whatever comes, the service has an answer to it.

``SOUNDALIKE_FUZZ_REQUESTS=300 make test PYTEST_ARGS=tests/flow/test_schema.py`` tries more of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.service import Service

_EACH = os.environ.get("SOUNDALIKE_FUZZ_REQUESTS", "8")


@pytest.mark.timeout(3600)
def test_no_request_is_answered_with_a_fault_of_the_service(
    service: Service, toy_data: Path, tmp_path: Path, clean_process_environ: dict[str, str]
):
    service.post("/index", {"uri": str(toy_data / "siren" / "siren_1.mp3")})
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "--no-color"),
            *("run", f"{service.url}/openapi.json"),
            *("--checks", "not_a_server_error", "--phases", "fuzzing", "--max-examples", _EACH),
            *("--seed", "1", "--generation-database", "none", "--suppress-health-check", "all"),
            *("--workers", "2", "--request-timeout", "30"),
            # A job would index whatever folder comes to its mind, and its events have no end; other jobs
            # wait in a line that is soon full.
            *("--exclude-path-regex", "^/api/(jobs|duplicates|motifs)"),
        ],
        cwd=tmp_path,
        env=clean_process_environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
    assert service.request("/status", b'{"data": []}').status == 200
