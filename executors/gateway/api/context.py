"""Objects that the routes share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, List

from fastapi import Depends, Request

from executors.gateway.background.jobs import Jobs
from executors.gateway.background.journal import FILE_NAME, Journal
from executors.gateway.background.uploads import Uploads
from executors.gateway.background.workers import Workers
from executors.gateway.flow.client import FlowClient
from executors.gateway.flow.library import Library
from executors.gateway.flow.reports import Reports
from executors.gateway.guard.stopping import Stopping
from executors.gateway.metrics import Metrics
from executors.messages.listings import StoredDoc
from soundalike.audio.allowed_roots import AllowedRoots
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.config import Settings
from soundalike.limits import Limits


@dataclass(frozen=True)
class Context:
    """Objects that the routes share.

    Attributes
    ----------
    flow : FlowClient
    reports : Reports
        Of the executors: metrics and readiness.
    library : Library
        Stored recordings, asked for through the Flow.
    uploads : Uploads
    decoding : Workers
        Threads for reading sound files.
    isolated : IsolatedDecoding
        Processes for decoding, which may crash.
    jobs : Jobs
    metrics : Metrics
    roots : AllowedRoots
        Folders that requests may name on this machine.
    weights_dir : Path
        Folder of the models.
    stopping : Stopping
    """

    flow: FlowClient
    reports: Reports
    library: Library
    uploads: Uploads
    decoding: Workers
    isolated: IsolatedDecoding
    jobs: Jobs
    metrics: Metrics
    roots: AllowedRoots
    weights_dir: Path
    stopping: Stopping

    @classmethod
    def of(
        cls,
        flow: FlowClient,
        reports: Reports,
        settings: Settings,
        metrics: Metrics,
        stopping: Stopping,
    ) -> Context:
        """Return the context of a gateway."""
        jobs = Jobs(Journal.open(settings.uploads_dir / FILE_NAME))
        metrics.watch(jobs)
        return cls(
            flow=flow,
            reports=reports,
            library=Library(flow),
            uploads=Uploads(settings.uploads_dir, Workers()),
            decoding=Workers(),
            isolated=IsolatedDecoding(Limits.from_env()),
            jobs=jobs,
            metrics=metrics,
            roots=AllowedRoots(settings, Path.cwd()),
            weights_dir=settings.weights_dir,
            stopping=stopping,
        )

    async def uploads_under(self, uri: str, collection: str) -> List[StoredDoc]:
        """Return the uploaded recordings that are stored under a path: a file's, or a folder's."""
        path, folder = Path(uri).absolute(), self.uploads.folder
        if self.uploads.holds(path):
            return list((await self.library.known([str(path)], collection)).values())
        if not folder.is_relative_to(path):
            return []
        return [doc async for doc in self.library.below(str(folder), collection)]

    async def forget_recording(self, recording_id: str) -> None:
        """Remove the file of an uploaded recording that is in no collection any more."""
        for path in self.uploads.of(recording_id):
            await self.forget_upload(path)

    async def forget_upload(self, path: Path) -> None:
        """Remove a kept file, unless it is in a collection, a speaker's, or waits to be indexed."""
        if not self.uploads.holds(path) or self.uploads.is_needed(path):
            return
        if await self.library.is_utterance(str(path)):
            return
        for found in await self.library.collections():
            if await self.library.is_stored(str(path), found.name):
                return
        self.uploads.remove(path)


async def _context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


#: For the parameters of routes.
GivenContext = Annotated[Context, Depends(_context_of)]
