"""The work of a Dask worker: index some files into the database.

Dask sends `index_files` to its workers by name, so Soundalike must be installed on each.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from soundalike.audio.windows import WindowPlan
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.errors import ModelMismatch
from soundalike.indexing.items import IndexItem, IndexResult
from soundalike.indexing.pipeline import Pipeline
from soundalike.remote.spool import SpoolPlace
from soundalike.runtime.freed_memory import keep_freed_memory
from soundalike.store import open_store
from soundalike.types import IndexSpec


@dataclass(frozen=True, kw_only=True)
class BulkJob:
    """What is the same for all files of a run.

    Attributes
    ----------
    job_id : str
        Another one for each run. A worker keeps its encoder and its connection for one run.
    settings : Settings
        Database, encoder and time zone; see `settings_here`.
    is_local : bool
        The workers are on this machine, and read the same folders.
    collection : str
    spec : IndexSpec
        Encoder and windows of the collection. All workers must have this encoder.
    start_rules : StartTimeRules
    checksum : bool
        As for `soundalike.indexing.pipeline.Pipeline.index`.
    """

    job_id: str
    settings: Settings
    is_local: bool
    collection: str
    spec: IndexSpec
    start_rules: StartTimeRules
    checksum: bool = False

    def settings_here(self) -> Settings:
        """Return the settings of a worker: folders are its own, unless it is on the same machine."""
        if self.is_local:
            return self.settings
        own, given = Settings.from_env(), self.settings
        return replace(
            own,
            database_url=given.database_url,
            model=given.model,
            precision=given.precision,
            time_zone=given.time_zone,
        )


_lock = threading.Lock()
_opened: dict[str, Pipeline] = {}


def index_files(job: BulkJob, items: Sequence[IndexItem]) -> list[IndexResult]:
    """Index files as `Pipeline.index` does, without building the vector index.

    Files that are stored already are ``unchanged``, so that a batch may be done again after the end of
    a worker.

    Raises
    ------
    StoreError, ModelError, ServiceError
        The database, the encoder or the decoding processes of this worker cannot be used.
    """
    return list(_pipeline(job).add(items, checksum=job.checksum))


def _pipeline(job: BulkJob) -> Pipeline:
    """Return the pipeline of this process, and close that of an earlier run."""
    with _lock:
        if job.job_id not in _opened:
            for pipeline in _opened.values():
                pipeline.store.close()
            _opened.clear()
            _opened[job.job_id] = _made(job)
        return _opened[job.job_id]


def _made(job: BulkJob) -> Pipeline:
    # Dask sets MALLOC_TRIM_THRESHOLD_, after which glibc gets each array's pages from the system.
    keep_freed_memory()
    settings = job.settings_here()
    encoder = load_encoder(
        settings.model, settings.weights_dir, settings.checkpoint, precision=settings.precision
    )
    plan = WindowPlan(job.spec.window_s, job.spec.stride_s)
    pipeline = Pipeline(
        open_store(settings),
        encoder,
        plan,
        job.collection,
        job.start_rules,
        spool=SpoolPlace.of(settings),
    )
    if pipeline.spec != job.spec:
        pipeline.store.close()
        raise ModelMismatch(
            f"a worker has the encoder {pipeline.spec.describe()}, and the collection "
            f"{job.collection!r} needs {job.spec.describe()}; install the same models and versions on "
            "all workers"
        )
    return pipeline
