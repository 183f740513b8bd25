"""``soundalike index --workers N`` and ``--dask ADDRESS``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.errors import ParameterError

if TYPE_CHECKING:
    from soundalike.config import Settings
    from soundalike.indexing.items import IndexItem, IndexResult
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.indexing.requests import IndexRequest


def results(
    request: IndexRequest, pipeline: Pipeline, items: list[IndexItem], settings: Settings
) -> Iterator[IndexResult]:
    """Index on a Dask cluster, and yield the results as they come.

    Raises
    ------
    ParameterError
        The workers of another machine cannot reach the embedded database.
    """
    from soundalike.cluster.open import described, opened_cluster
    from soundalike.cluster.run import index_on
    from soundalike.cluster.work import BulkJob

    if request.dask is not None and settings.database_url is None:
        raise ParameterError(
            "--dask needs a database that the workers reach; name a PostgreSQL server with "
            "--database-url, or use --workers N on this machine"
        )
    job = BulkJob(
        job_id=uuid.uuid4().hex,
        settings=settings,
        is_local=request.dask is None,
        collection=pipeline.collection,
        spec=pipeline.spec,
        start_rules=pipeline.start_rules,
        checksum=request.checksum,
    )
    with opened_cluster(request.dask, request.workers) as client:
        output.note(f"Dask: {described(client)}")
        yield from index_on(client, pipeline, job, items)
