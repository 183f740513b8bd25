"""Report nothing to third parties; flow.yml names this file, so every way of starting a Flow loads it.

Jina reports start and stop of each process to its makers unless a variable is set, and asks three
web services for the machine's public address to print it. Here `lifetimes` is applied too, because
this is the file that the process which starts the Flow loads first.

It can go when Jina asks before it reports, and looks up no public address.
"""

from __future__ import annotations

import os
import warnings

os.environ.setdefault("JINA_OPTOUT_TELEMETRY", "1")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
# Jina's and DocArray's pydantic 1 style configurations warn some fifty times in each process.
warnings.filterwarnings("ignore", message="Valid config keys have changed in V2", category=UserWarning)
# Jina's own client library uses it; the pinned setuptools still has it.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)


def silence_public_ip_lookup() -> None:
    """Make Jina's orchestrator print no public address instead of asking for one."""
    import jina.orchestrate.orchestrator as orchestrator

    orchestrator.get_public_ip = lambda *_, **__: None


def end_pods_with_this_process() -> None:
    """Let the Flow's processes end when this one is gone."""
    from executors.jina_fixes import lifetimes

    lifetimes.install()


silence_public_ip_lookup()
end_pods_with_this_process()
