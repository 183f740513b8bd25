"""Choose the ports of executors where the system gives none to clients.

Jina chooses from 49152 on, and the executor opens its port some seconds later. Linux gives the same
numbers to outgoing connections, so that on a busy machine the port may be taken by then, and the Flow
does not start.
It can go when Jina chooses below the range of the system, or tries another port.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

#: Where Linux keeps the lowest and the highest port of outgoing connections.
CLIENT_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: Lower ports belong to well-known services; higher ones are left to gateways.
LOWEST_PORT, HIGHEST_PORT = 10_000, 19_999
#: With fewer, two Flows that start together would often choose the same.
_FEWEST_PORTS = 1_000


def choose_ports_below_clients(environ: MutableMapping[str, str] = os.environ) -> None:
    """Tell Jina, through its settings in the environment, from which ports to choose.

    Parameters
    ----------
    environ : MutableMapping
        The environment; default: that of this process, which its executors inherit.
    """
    if "JINA_RANDOM_PORT_MIN" in environ or "JINA_RANDOM_PORT_MAX" in environ:
        return
    try:
        first_for_clients = int(CLIENT_PORTS.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    highest = min(HIGHEST_PORT, first_for_clients - 1)
    if highest - LOWEST_PORT >= _FEWEST_PORTS:
        environ["JINA_RANDOM_PORT_MIN"] = str(LOWEST_PORT)
        environ["JINA_RANDOM_PORT_MAX"] = str(highest)
