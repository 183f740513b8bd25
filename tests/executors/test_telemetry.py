"""Loading flow.yml's module keeps Jina from reporting, and from looking its public address up."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CODE = """
import os, socket, sys
def forbid(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        sys.exit(f"{event} {arguments}")
sys.addaudithook(forbid)
import executors.jina_fixes.telemetry
import jina.helper
import jina.orchestrate.orchestrator as orchestrator
from jina.orchestrate.pods import run
assert orchestrator.get_public_ip is not jina.helper.get_public_ip
address = orchestrator.get_public_ip("https://example.org")
print(os.environ["JINA_OPTOUT_TELEMETRY"], address, run.__name__)
"""


def test_nothing_is_reported_or_looked_up():
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1 None run_watched\n"), done.stderr
