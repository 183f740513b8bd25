"""The Flow without the launcher: by ``jina flow``, and inside somebody's Python program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

STOP_TIMEOUT_S = 60


def _post(url: str) -> Any:
    """POST no documents; return the answer, or None while nobody listens."""
    request = urllib.request.Request(url, b'{"data": []}', {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError:
        raise
    except OSError:
        return None


def test_jina_flow_starts_the_same_and_sigterm_stops_it_in_order(
    copy_flow: Callable[..., tuple[Path, list[int]]],
    start_program: Callable[..., Any],
    service_environ: dict[str, str],
    without_tensorflow: dict[str, str],
    wait_until: Callable[..., Any],
    tmp_path: Path,
):
    flow, (http_port, grpc_port) = copy_flow()
    jina = Path(sys.executable).with_name("jina")
    environ = {**service_environ, **without_tensorflow}
    program = start_program(jina, "flow", "--uses", flow, environ=environ, cwd=tmp_path)
    url = f"http://127.0.0.1:{http_port}/status"
    wait_until(lambda: program.process.poll() is not None or _post(url), f"{url} answers", 120)
    assert program.process.poll() is None, program.said
    answer = _post(url)
    everybody = program.everybody()
    listening = {
        (one.laddr.port, one.laddr.ip)
        for process in everybody
        for one in process.net_connections("inet")
        if one.status == "LISTEN"
    }

    assert answer["data"][0]["configured_encoder"] == "logmel-modulation"
    assert {http_port, grpc_port} <= {port for port, _ in listening}
    assert {address for _, address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert len(everybody) >= 6

    wait_until(lambda: "Flow is ready" in program.said, "it waits for the end")
    # The last lines of its start come after that.
    time.sleep(1)
    os.kill(program.process.pid, signal.SIGTERM)
    assert program.process.wait(STOP_TIMEOUT_S) == 0, program.said
    assert "Traceback" not in program.said
    wait_until(
        lambda: not [p for p in everybody if p.is_running() and p.status() != psutil.STATUS_ZOMBIE],
        "everybody is gone",
        10,
    )


#: What the README shows: the Flow as a Python object.
PROGRAM = """
import json, sys
from docarray import DocList
from jina import Flow
from executors.messages.documents import Clip, Deletion, Found, Indexed, Status

flow_file, *paths = sys.argv[1:]
clips = DocList[Clip](Clip(uri=path) for path in paths)
with Flow.load_config(flow_file) as f:
    stored = f.post("/index", inputs=clips, return_type=DocList[Indexed], show_progress=True,
                    results_in_order=True, request_size=2)
    found = f.post("/search", inputs=clips[:1], parameters={"top_k": 2, "exclude_self": True},
                   return_type=DocList[Found])
    status = f.post("/status", return_type=DocList[Status])
    gone = f.post("/delete", inputs=DocList[Deletion]([Deletion(uri=paths[0])]),
                  return_type=DocList[Deletion])
print("ANSWER", json.dumps({
    "outcomes": [doc.outcome for doc in stored],
    "uris": [doc.uri for doc in stored],
    "matches": [(match.rank, match.uri, match.label) for match in found[0].matches],
    "recordings": status[0].recordings,
    "deleted": gone[0].deleted,
}))
"""


def test_a_program_can_hold_the_flow(
    copy_flow: Callable[..., tuple[Path, list[int]]],
    service_environ: dict[str, str],
    without_tensorflow: dict[str, str],
    database_url: str,
    toy_data: Path,
    tmp_path: Path,
):
    paths = [str(path) for path in sorted((toy_data / "siren").iterdir())]
    flow, _ = copy_flow()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, flow, *paths],
        env={**service_environ, **without_tensorflow, "SOUNDALIKE_DATABASE_URL": database_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    answer = json.loads(line.removeprefix("ANSWER "))
    assert answer["outcomes"] == ["added"] * 4
    assert answer["uris"] == paths
    assert [rank for rank, _, _ in answer["matches"]] == [1, 2]
    assert paths[0] not in {uri for _, uri, _ in answer["matches"]}
    assert {label for _, _, label in answer["matches"]} == {"siren"}
    assert (answer["recordings"], answer["deleted"]) == (4, 1)
