"""What is stored: collections, recordings, labels, folders."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, List
from uuid import UUID

from fastapi import APIRouter, Query

from executors.gateway import models
from executors.gateway.context import GivenContext, problems
from soundalike import display
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import RecordingNotFound
from soundalike.limits import Limits

router = APIRouter(tags=["library"])
_MOST_RECORDINGS = 1_000


@router.get("/api/status", responses=problems(), summary="What is indexed, with what, and where")
async def status(context: GivenContext, collection: str = DEFAULT_COLLECTION) -> models.ServiceStatus:
    """Return counts, the encoder, and what requests may ask for."""
    found = await context.library.status(collection)
    return models.ServiceStatus(
        **found.model_dump(exclude={"id"}),
        api_key=bool(os.environ.get("SOUNDALIKE_API_KEY")),
        roots=context.roots.paths,
        limits={
            **asdict(Limits.from_env()),
            "points": display.MAX_POINTS,
            "width": display.MAX_WIDTH,
            "height": display.MAX_HEIGHT,
            "cut_out_s": display.MAX_CUT_OUT_S,
            "recordings": _MOST_RECORDINGS,
        },
        version=version("soundalike"),
    )


@router.get("/api/collections", responses=problems(), summary="The indexes side by side")
async def collections(context: GivenContext) -> models.Collections:
    """Return every collection, and what it is made with."""
    found = await context.library.collections()
    return models.Collections(collections=[_plain(doc) for doc in found])


@router.delete(
    "/api/collections/{name}",
    responses=problems(404),
    summary="Delete a collection with all that is in it",
)
async def delete_collection(context: GivenContext, name: str) -> models.Dropped:
    """Delete its index. The files stay, but for uploads that no other collection has."""
    uploads = await context.uploads_under(str(context.uploads.folder), name)
    await context.library.drop(name)
    for stored in uploads:
        await context.forget_upload(Path(str(stored.uri)))
    return models.Dropped(dropped=name)


@router.get("/api/recordings", responses=problems(), summary="Stored recordings, page by page")
async def recordings(
    context: GivenContext,
    collection: str = DEFAULT_COLLECTION,
    label: Annotated[List[str], Query(description="one of these")] = [],  # noqa: B006 - FastAPI copies it
    where: Annotated[List[str], Query(description="conditions on tags, like depth_m>=1.5")] = [],  # noqa: B006
    uri_prefix: Annotated[str, Query(description="only paths that begin like this")] = "",
    under: Annotated[str, Query(description="only what lies below this folder")] = "",
    limit: Annotated[int, Query(ge=1, le=_MOST_RECORDINGS)] = 100,
    after: Annotated[str, Query(description="`next` of the page before")] = "",
) -> models.RecordingPage:
    """Return paths in their order; `next` is null where no more follow."""
    found = await context.library.page(
        collection,
        labels=label,
        where=where,
        uri_prefix=uri_prefix,
        under=under,
        limit=limit,
        after=after,
    )
    is_full = len(found) == limit
    return models.RecordingPage(
        recordings=[_plain(doc) for doc in found], next=found[-1].uri if is_full else None
    )


@router.delete(
    "/api/recordings", responses=problems(404), summary="Take a file or a folder out of the index"
)
async def delete_path(
    context: GivenContext,
    uri: Annotated[str, Query(min_length=1, description="path of a file, or of all below a folder")],
    collection: str = DEFAULT_COLLECTION,
) -> models.Deleted:
    """Delete what is stored under a path. The files stay, unless they were uploaded."""
    uploads = await context.uploads_under(uri, collection)
    deleted = await context.library.delete(collection, uri=uri)
    for stored in uploads:
        await context.forget_upload(Path(str(stored.uri)))
    if not deleted:
        raise RecordingNotFound(
            f"nothing in {collection!r} is stored under {uri!r}; see /api/recordings"
        )
    return models.Deleted(deleted=deleted)


@router.get("/api/recordings/{recording_id}", responses=problems(404), summary="A stored recording")
async def recording(
    context: GivenContext, recording_id: UUID, collection: str = DEFAULT_COLLECTION
) -> models.Recording:
    """Return what is known of it."""
    found = await context.library.recording(str(recording_id), collection)
    return models.Recording(**_plain(found))


@router.delete(
    "/api/recordings/{recording_id}",
    responses=problems(404),
    summary="Take a recording out of the index",
)
async def delete_recording(
    context: GivenContext, recording_id: UUID, collection: str = DEFAULT_COLLECTION
) -> models.Deleted:
    """Delete it under all its paths. The files stay, unless they were uploaded."""
    await context.library.recording(str(recording_id), collection)
    deleted = await context.library.delete(collection, recording_id=str(recording_id))
    await context.forget_recording(str(recording_id))
    return models.Deleted(deleted=deleted)


@router.get("/api/labels", responses=problems(), summary="The labels of a collection")
async def labels(context: GivenContext, collection: str = DEFAULT_COLLECTION) -> models.Labels:
    """Return each label with the number of its files, the most frequent first."""
    found = await context.library.labels(collection)
    return models.Labels(labels=[_plain(doc) for doc in found])


@router.delete(
    "/api/labels/{label:path}", responses=problems(404), summary="Delete everything that has a label"
)
async def delete_label(
    context: GivenContext, label: str, collection: str = DEFAULT_COLLECTION
) -> models.Deleted:
    """Take all recordings of a label, such as a speaker, out of the index."""
    deleted = 0
    while page := await context.library.with_label(collection, label):
        gone = await context.library.delete_paths(collection, [str(doc.uri) for doc in page])
        for recording_id in {str(stored.recording_id) for stored in page}:
            await context.forget_recording(recording_id)
        deleted += gone
        if not gone:
            break
    if not deleted:
        raise RecordingNotFound(f"nothing in {collection!r} has the label {label!r}; see /api/labels")
    return models.Deleted(deleted=deleted)


@router.get("/api/folders", responses=problems(), summary="The folders of a collection")
async def folders(context: GivenContext, collection: str = DEFAULT_COLLECTION) -> models.Folders:
    """Return each folder with the number of files that lie in it."""
    found = await context.library.folders(collection)
    return models.Folders(folders=[_plain(doc) for doc in found])


def _plain(doc: Any) -> Any:
    """Return a document as a dictionary, without what only travels."""
    return doc.model_dump(exclude={"id", "error_code", "error"})
