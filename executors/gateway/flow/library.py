"""Read and delete stored recordings through the Flow: the gateway cannot reach the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Dict, List

from starlette.exceptions import HTTPException

from executors.gateway.flow.client import FlowClient
from executors.gateway.problems import document_failed
from executors.messages.documents import Deletion, Status
from executors.messages.listings import CollectionDoc, FolderDoc, LabelDoc, StoredDoc, missing_in
from executors.messages.speakers import UtteranceDoc
from soundalike.audio.allowed_roots import AllowedRoots
from soundalike.audio.sources import resolve_path
from soundalike.audio.urls import is_remote
from soundalike.errors import AudioNotFound, IndexEmpty, RecordingNotFound, StoreUnavailable

_PAGE = 1_000


class Library:
    """Reads and deletes stored recordings.

    Parameters
    ----------
    flow : FlowClient
    """

    def __init__(self, flow: FlowClient) -> None:
        self._flow = flow

    async def status(self, collection: str) -> Status:
        """Return the status of the index."""
        (status,) = await self._flow.ask("/status", [], Status, {"collection": collection})
        return status

    async def page(self, collection: str, **parameters: Any) -> List[StoredDoc]:
        """Return stored paths in their order; takes the parameters of ``/recordings``.

        Raises
        ------
        StoreUnavailable
            Some are missing, because a database of the index cannot be reached.
        """
        found = await self.partial_page(collection, **parameters)
        if missing := missing_in(found):
            raise StoreUnavailable(
                f"the database {missing[0]} cannot be reached, and its recordings are missing; check "
                "that it runs, and try again"
            )
        return found

    async def partial_page(self, collection: str, **parameters: Any) -> List[StoredDoc]:
        """Return stored paths in their order, without those of databases that cannot be reached."""
        given = {name: value for name, value in parameters.items() if value not in (None, "", [])}
        return await self._flow.ask("/recordings", [], StoredDoc, {"collection": collection, **given})

    async def page_if_any(
        self, collection: str, *, is_partial: bool = False, **parameters: Any
    ) -> List[StoredDoc]:
        """Return the same as `page` or `partial_page`; nothing if the collection does not exist yet."""
        ask = self.partial_page if is_partial else self.page
        try:
            return await ask(collection, **parameters)
        except HTTPException as exc:
            if str(exc.detail).startswith(f"{IndexEmpty.code}:"):
                return []
            raise

    async def below(self, folder: str, collection: str) -> AsyncIterator[StoredDoc]:
        """Yield the stored recordings below a folder, in the order of the paths."""
        after = ""
        while page := await self.page_if_any(collection, under=folder, after=after, limit=_PAGE):
            for doc in page:
                yield doc
            after = str(page[-1].uri)

    async def check_names(self, collection: str, label: str | None) -> None:
        """Raise the index's error for an invalid name of a collection or label.

        A job is refused before it begins, not when its first files have been read.
        """
        labels = [label] if label else []
        await self.page_if_any(collection, is_partial=True, labels=labels, limit=1)

    async def known(self, uris: List[str], collection: str) -> Dict[str, StoredDoc]:
        """Return the stored recordings of paths, by path."""
        if not uris:
            return {}
        docs = [StoredDoc(id=str(number), uri=uri) for number, uri in enumerate(uris)]
        found = await self._flow.ask("/recordings", docs, StoredDoc, {"collection": collection})
        return {str(doc.uri): doc for doc in found if not doc.error_code}

    async def is_stored(self, uri: str, collection: str) -> bool:
        """Return whether a path is stored, or may be: a database of the index cannot be reached."""
        doc = StoredDoc(id="0", uri=uri)
        found = await self._flow.one("/recordings", doc, StoredDoc, {"collection": collection})
        return not found.error_code or found.error_code == StoreUnavailable.code

    async def recording(self, recording_id: str, collection: str) -> StoredDoc:
        """Return a stored recording.

        Raises
        ------
        HTTPException
            There is none.
        """
        doc = StoredDoc(id="0", recording_id=recording_id)
        found = await self._flow.one("/recordings", doc, StoredDoc, {"collection": collection})
        if found.error_code:
            raise document_failed(found)
        return found

    async def recordings(self, recording_ids: Sequence[str], collection: str) -> Dict[str, StoredDoc]:
        """Return stored recordings by id; one that is not stored has an error."""
        if not recording_ids:
            return {}
        docs = [StoredDoc(id=key, recording_id=key) for key in recording_ids]
        found = await self._flow.ask("/recordings", docs, StoredDoc, {"collection": collection})
        return dict(zip(recording_ids, found, strict=True))

    async def paths_of(self, recording_id: str, collection: str) -> List[StoredDoc]:
        """Return a stored recording once for each of its paths."""
        doc = StoredDoc(id="0", recording_id=recording_id)
        parameters = {"collection": collection, "all_paths": True}
        return await self._flow.ask("/recordings", [doc], StoredDoc, parameters)

    async def labels(self, collection: str) -> List[LabelDoc]:
        """Return the labels, the most frequent first."""
        return await self._flow.ask("/labels", [], LabelDoc, {"collection": collection})

    async def folders(self, collection: str) -> List[FolderDoc]:
        """Return the folders of the stored paths."""
        return await self._flow.ask("/folders", [], FolderDoc, {"collection": collection})

    async def collections(self) -> List[CollectionDoc]:
        """Return the collections."""
        return await self._flow.ask("/collections", [], CollectionDoc)

    async def is_utterance(self, uri: str) -> bool:
        """Tell whether a path is that of a speaker's recording."""
        return bool(await self._flow.ask("/utterances", [], UtteranceDoc, {"uri": uri}))

    async def drop(self, collection: str) -> None:
        """Delete a collection with all that is in it.

        Raises
        ------
        RecordingNotFound
            There is none of this name.
        """
        if not await self._flow.ask("/drop", [CollectionDoc(id="0", name=collection)], CollectionDoc):
            raise RecordingNotFound(f"there is no collection {collection!r}; see /api/collections")

    async def with_label(self, collection: str, label: str) -> List[StoredDoc]:
        """Return a page of the stored paths that have a label."""
        return await self.page_if_any(collection, labels=[label], limit=_PAGE)

    async def delete_paths(self, collection: str, uris: Sequence[str]) -> int:
        """Delete paths; return how many are gone."""
        docs = [Deletion(id=str(number), uri=uri) for number, uri in enumerate(uris)]
        gone = await self._flow.ask("/delete", docs, Deletion, {"collection": collection})
        return sum(doc.deleted for doc in gone)

    async def delete(self, collection: str, **what: str) -> int:
        """Delete a recording or a path; return how many paths are gone."""
        doc = Deletion(id="0", **what)
        gone = await self._flow.one("/delete", doc, Deletion, {"collection": collection})
        if gone.error_code:
            raise document_failed(gone)
        return gone.deleted


def file_of(recording: StoredDoc, roots: AllowedRoots) -> Path:
    """Return where a stored recording can be read under the path that it comes with.

    Raises
    ------
    AudioNotAllowed
        Its file lies outside of the allowed folders.
    AudioNotFound
        It came without a file, or its file is gone.
    """
    uri = recording.uri or ""
    if uri.startswith("upload:"):
        raise AudioNotFound(f"{uri!r} was sent along with a request and not kept; upload it as a file")
    if is_remote(uri):
        raise AudioNotFound(
            f"{uri!r} is a remote recording, which the service does not fetch; download it to hear it"
        )
    if not uri.startswith("/"):
        raise AudioNotFound(f"{uri!r} was stored by its vectors, without a file to play")
    roots.check(uri)
    return resolve_path(uri)
