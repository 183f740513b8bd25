"""Memory settings of the embedded server; PostgreSQL's defaults suit very small machines."""

from __future__ import annotations

from pathlib import Path

import psutil

_FILE = "soundalike.conf"
_INCLUDE = f"include_if_exists '{_FILE}'\n"
#: Enough for the vector index and the rows of about two million windows; allocated on demand.
_LARGEST_MB = 4096
_SMALLEST_MB = 128
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def configure(folder: Path) -> None:
    """Write memory settings before the server starts.

    An index that does not fit into memory is read repeatedly: a search of 200 000 windows with
    PostgreSQL's default of 128 MB takes several times as long.

    Parameters
    ----------
    folder : Path
        Data folder of the server. Settings after the line added to ``postgresql.conf`` take precedence.
    """
    buffers_mb = shared_buffers_mb(_machine_mb())
    (folder / _FILE).write_text(
        "# Written by Soundalike at every start; put your own settings into postgresql.conf.\n"
        f"shared_buffers = '{buffers_mb}MB'\n"
        f"effective_cache_size = '{2 * buffers_mb}MB'\n"
        # Bulk loads write much at once.
        "max_wal_size = '4GB'\n"
        # Cancels long statements of killed clients.
        "client_connection_check_interval = '1s'\n"
    )
    main = folder / "postgresql.conf"
    text = main.read_text()
    if _INCLUDE not in text:
        main.write_text(text + _INCLUDE)


def shared_buffers_mb(machine_mb: int) -> int:
    """Return the buffer size for a machine's memory, in MB: a quarter, within bounds.

    Examples
    --------
    >>> shared_buffers_mb(256), shared_buffers_mb(8192), shared_buffers_mb(65536)
    (128, 2048, 4096)
    """
    return min(max(machine_mb // 4, _SMALLEST_MB), _LARGEST_MB)


def _machine_mb() -> int:
    """Return the memory of the machine, or of the container, in MiB."""
    sizes = [psutil.virtual_memory().total]
    for path in _CGROUP_LIMITS:
        try:
            sizes.append(int(path.read_text()))
        except (OSError, ValueError):  # missing, or "max"
            continue
    return min(sizes) >> 20
