"""Copies of recordings and motifs of a running service."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from soundalike.client.connection import Connection
from soundalike.errors import ServiceError, class_of
from soundalike.repeats.requests import DuplicatesRequest, MotifsRequest

if TYPE_CHECKING:
    from soundalike.repeats.duplicates import Member
    from soundalike.repeats.motifs import Motif

#: Between two looks at a job.
_POLL_S = 0.5

OnProgress = Callable[[int, int | None], None]


def _ignore(done: int, total: int | None) -> None:
    """Show nothing."""


class RemoteRepeats:
    """Copies of recordings and motifs of a running service.

    Methods raise `ServiceError` if the service cannot be reached, or the error that it reports.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def duplicates(
        self, request: DuplicatesRequest, on_progress: OnProgress = _ignore
    ) -> list[dict[str, Any]]:
        """Return the JSON objects of groups of copies.

        Parameters
        ----------
        request : DuplicatesRequest
        on_progress : callable, optional
            Called with the number of recordings that are done, and of all; None until it is known.
        """
        return self._result("/api/duplicates", asdict(request), "groups", on_progress)

    def motifs(self, request: MotifsRequest, on_progress: OnProgress = _ignore) -> list[dict[str, Any]]:
        """Return the JSON objects of motifs; parameters as in `duplicates`."""
        return self._result("/api/motifs", asdict(request), "motifs", on_progress)

    def groups(self, request: DuplicatesRequest) -> list[list[Member]]:
        """Return groups of copies."""
        from soundalike.repeats.duplicates import group_from_json

        rows = self.duplicates(request)
        with self._connection.expected_form():
            return [group_from_json(row) for row in rows]

    def found_motifs(self, request: MotifsRequest) -> list[Motif]:
        """Return motifs."""
        from soundalike.repeats.motifs import motif_from_json

        rows = self.motifs(request)
        with self._connection.expected_form():
            return [motif_from_json(row) for row in rows]

    def _result(
        self, path: str, wanted: dict[str, Any], name: str, on_progress: OnProgress
    ) -> list[dict[str, Any]]:
        """Start a job and wait for it; it is cancelled if this is interrupted."""
        job = self._connection.post(path, wanted)
        with self._connection.expected_form():
            address = f"/api/jobs/{job['id']}"
            try:
                while job["finished_at"] is None:
                    on_progress(job["done"], job["total"])
                    time.sleep(_POLL_S)
                    job = self._connection.get(address)
            except KeyboardInterrupt:
                self._connection.delete(address)
                raise
            for error in job["errors"]:
                raise (class_of(error["code"]) or ServiceError)(error["detail"])
            return list(self._connection.get(f"{address}/result")[name])
