"""Open a Dask cluster: one that runs already, or worker processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from soundalike.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_TIMEOUT_S = 10
_WORKER_TIMEOUT_S = 120
_INSTALL = "pip install 'soundalike[cluster]'"


@contextmanager
def opened_cluster(address: str | None, n_workers: int | None) -> Iterator[Client]:
    """Yield a client of the cluster at an address, or of worker processes that end with the block.

    Raises
    ------
    ConfigError
        Dask is not installed.
    ServiceError
        Nothing answers at the address.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as exc:
        raise ConfigError(f"Dask is not installed; run: {_INSTALL}") from exc
    if address is not None:
        with _connected(address) as client:
            yield client
        return
    with _started(n_workers or 1) as client:
        yield client


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, ValueError) as exc:
        raise ServiceError(
            f"no Dask scheduler answers at {address!r} ({exc}); start one with dask scheduler, and give "
            "an address like tcp://host:8786"
        ) from exc
    with client:
        yield client


@contextmanager
def _started(n_workers: int) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    settings = {
        # Workers start processes of their own for decoding.
        "distributed.worker.daemon": False,
        # It interrupts the work a hundred times a second, and fills a page of the dashboard alone.
        "distributed.worker.profile.enabled": False,
        # Memory of the encoder and of decoded sound is not Dask's to spill.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            # Any free port: several runs may go on at once.
            dashboard_address="127.0.0.1:0",
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(n_workers, timeout=_WORKER_TIMEOUT_S)
        yield client


def described(client: Client) -> str:
    """Return the size of a cluster, and the address of its dashboard if there is one."""
    threads = client.nthreads()
    found = f"{len(threads)} workers with {sum(threads.values())} threads"
    # Without Bokeh the dashboard is an empty page.
    return f"{found}, {client.dashboard_link}" if find_spec("bokeh") else found
