"""Routes of the library: collections, recordings, labels, folders."""

from __future__ import annotations

import os
import pathlib
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any, List

from fastapi import APIRouter, Path, Query

from executors.gateway.api import models
from executors.gateway.api.context import GivenContext
from executors.gateway.api.described import (
    RAIN,
    SCRATCH,
    CollectionName,
    RecordingId,
    named_after_function,
    problems,
)
from executors.messages.listings import missing_in
from soundalike.audio import pictures
from soundalike.config import DEFAULT_COLLECTION
from soundalike.encoders.catalogue import known_models
from soundalike.errors import RecordingNotFound
from soundalike.limits import Limits
from soundalike.parameters import resolve_aliases

router = APIRouter(tags=["library"], generate_unique_id_function=named_after_function)
_MOST_RECORDINGS = 1_000
_DELETION_FAILURES = problems(404, 409, 507)


@router.get("/api/status", responses=problems(409), summary="Get the status of the index")
async def get_status(
    context: GivenContext, collection: CollectionName = DEFAULT_COLLECTION
) -> models.ServiceStatus:
    """Return counts, the encoder, and the limits of requests."""
    found = await context.library.status(collection)
    return models.ServiceStatus(
        **found.model_dump(exclude={"id"}),
        api_key=bool(os.environ.get("SOUNDALIKE_API_KEY")),
        roots=context.roots.paths,
        limits={
            **asdict(Limits.from_env()),
            "points": pictures.MAX_POINTS,
            "width": pictures.MAX_WIDTH,
            "height": pictures.MAX_HEIGHT,
            "cut_out_s": pictures.MAX_CUT_OUT_S,
            "recordings": _MOST_RECORDINGS,
        },
        version=version("soundalike"),
    )


@router.get("/api/models", responses=problems(409), summary="List models and the encoder in use")
async def list_models(context: GivenContext) -> models.Models:
    """Return the encoder with its licence, and which models are installed or can be had."""
    found = await context.library.status(DEFAULT_COLLECTION)
    encoder = models.EncoderInUse(
        name=found.configured_encoder,
        description=found.encoder_description,
        licence=found.encoder_licence,
        attribution=found.encoder_attribution,
        takes_text=found.takes_text,
    )
    # Reads the manifests of all models.
    known = await context.decoding.run(known_models, context.weights_dir)
    return models.Models(encoder=encoder, models=[models.ModelSummary(**asdict(one)) for one in known])


@router.get("/api/collections", responses=problems(), summary="List collections")
async def list_collections(context: GivenContext) -> models.Collections:
    """Return every collection, its counts, and the encoder that it was made with."""
    found = await context.library.collections()
    return models.Collections(
        collections=[_plain(doc) for doc in found], missing_shards=missing_in(found)
    )


@router.delete(
    "/api/collections/{name}",
    responses=_DELETION_FAILURES,
    summary="Delete a collection",
)
async def delete_collection(
    context: GivenContext,
    name: Annotated[
        str, Path(description="name of the collection", openapi_examples={"scratch": {"value": SCRATCH}})
    ],
) -> models.Dropped:
    """Delete all that is in it. Files stay, except uploads that are in no other collection."""
    uploads = await context.uploads_under(str(context.uploads.folder), name)
    await context.library.drop(name)
    for stored in uploads:
        await context.forget_upload(pathlib.Path(str(stored.uri)))
    return models.Dropped(dropped=name)


@router.get("/api/recordings", responses=problems(409), summary="List recordings")
async def list_recordings(
    context: GivenContext,
    collection: CollectionName = DEFAULT_COLLECTION,
    labels: Annotated[List[str], Query(description="only recordings with one of these labels")] = [],  # noqa: B006 - FastAPI copies it
    label: Annotated[List[str], Query(include_in_schema=False)] = [],  # noqa: B006
    where: Annotated[
        List[str], Query(description="only recordings whose tags meet all conditions, like depth_m>=1.5")
    ] = [],  # noqa: B006
    uri_prefix: Annotated[str, Query(description="only paths that begin like this")] = "",
    under: Annotated[str, Query(description="only recordings below this folder")] = "",
    limit: Annotated[
        int, Query(ge=1, le=_MOST_RECORDINGS, description="at most this many in a page")
    ] = 100,
    after: Annotated[str, Query(description="`next` of the page before")] = "",
) -> models.RecordingPage:
    """Return a page of recordings, ordered by path; `next` is null on the last page."""
    given = {name: value for name, value in (("labels", labels), ("label", label)) if value}
    found = await context.library.partial_page(
        collection,
        labels=resolve_aliases(given, models.ALIASES).get("labels", []),
        where=where,
        uri_prefix=uri_prefix,
        under=under,
        limit=limit,
        after=after,
    )
    is_full = len(found) == limit
    return models.RecordingPage(
        recordings=[_plain(doc) for doc in found],
        next=found[-1].uri if is_full else None,
        missing_shards=missing_in(found),
    )


@router.delete("/api/recordings", responses=_DELETION_FAILURES, summary="Delete a file or a folder")
async def delete_path(
    context: GivenContext,
    uri: Annotated[
        str,
        Query(
            min_length=1,
            description="path of a file or of a folder",
            openapi_examples={"rain": {"value": RAIN}},
        ),
    ],
    collection: CollectionName = DEFAULT_COLLECTION,
) -> models.Deleted:
    """Delete all recordings at or below a path. The files stay, unless they were uploaded."""
    uploads = await context.uploads_under(uri, collection)
    deleted = await context.library.delete(collection, uri=uri)
    for stored in uploads:
        await context.forget_upload(pathlib.Path(str(stored.uri)))
    if not deleted:
        raise RecordingNotFound(
            f"nothing in {collection!r} is stored under {uri!r}; see /api/recordings"
        )
    return models.Deleted(deleted=deleted)


@router.get("/api/recordings/{recording_id}", responses=problems(404, 409), summary="Get a recording")
async def get_recording(
    context: GivenContext, recording_id: RecordingId, collection: CollectionName = DEFAULT_COLLECTION
) -> models.Recording:
    """Return the path, label, tags and times of a recording."""
    found = await context.library.recording(str(recording_id), collection)
    return models.Recording(**_plain(found))


@router.delete(
    "/api/recordings/{recording_id}", responses=_DELETION_FAILURES, summary="Delete a recording"
)
async def delete_recording(
    context: GivenContext, recording_id: RecordingId, collection: CollectionName = DEFAULT_COLLECTION
) -> models.Deleted:
    """Delete a recording under all its paths. The files stay, unless they were uploaded."""
    await context.library.recording(str(recording_id), collection)
    deleted = await context.library.delete(collection, recording_id=str(recording_id))
    await context.forget_recording(str(recording_id))
    return models.Deleted(deleted=deleted)


@router.get("/api/labels", responses=problems(409), summary="List labels")
async def list_labels(
    context: GivenContext, collection: CollectionName = DEFAULT_COLLECTION
) -> models.Labels:
    """Return each label with the number of its files, the most frequent first."""
    found = await context.library.labels(collection)
    return models.Labels(labels=[_plain(doc) for doc in found], missing_shards=missing_in(found))


@router.delete("/api/labels/{label:path}", responses=_DELETION_FAILURES, summary="Delete a label")
async def delete_label(
    context: GivenContext,
    label: Annotated[
        str, Path(description="the label", openapi_examples={"scratch": {"value": SCRATCH}})
    ],
    collection: CollectionName = DEFAULT_COLLECTION,
) -> models.Deleted:
    """Delete all recordings with a label, such as a speaker's. Files stay, unless they were uploaded."""
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


@router.get("/api/folders", responses=problems(409), summary="List folders")
async def list_folders(
    context: GivenContext, collection: CollectionName = DEFAULT_COLLECTION
) -> models.Folders:
    """Return each folder with the number of files in it."""
    found = await context.library.folders(collection)
    return models.Folders(folders=[_plain(doc) for doc in found], missing_shards=missing_in(found))


def _plain(doc: Any) -> Any:
    """Return a document as a dictionary, without the fields that only the executors need."""
    return doc.model_dump(exclude={"id", "error_code", "error"})
