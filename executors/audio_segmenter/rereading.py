"""Decode parts of recordings and a query again, for the segmenter."""

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Optional, Tuple
from uuid import uuid4

from docarray import DocList

from executors.messages import given
from executors.messages.events import BY_CONTENT, HeardClip, file_text
from executors.messages.failures import document_at_fault
from executors.messages.parameters import ListenParameters
from soundalike.audio.allowed_roots import AllowedRoots
from soundalike.audio.loading import load_audio
from soundalike.audio.parts import Part
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sources import recording_id_of, resolve_path, snapshot
from soundalike.errors import AudioNotFound
from soundalike.types import FileStat, FloatArray


class PartReader:
    """Decodes parts of recordings.

    Parameters
    ----------
    decoding : IsolatedDecoding
        Processes that decode.
    roots : AllowedRoots
        Folders that may be read.
    folder : Path
        For samples that are too long for the memory.
    sample_rate_hz : int
    """

    def __init__(
        self, decoding: IsolatedDecoding, roots: AllowedRoots, folder: Path, sample_rate_hz: int
    ) -> None:
        self._decoding, self._roots, self._folder = decoding, roots, folder
        self._rate_hz = sample_rate_hz

    def read(
        self, docs: DocList[given.ListenClip], parameters: ListenParameters
    ) -> Iterator[Tuple[HeardClip, Optional[FloatArray]]]:
        """Yield a document for each part, and its samples; None for a part that cannot be read.

        The first document gets the samples of the query, if there is one.

        Raises
        ------
        AudioError, ParameterError
            The query cannot be read.
        """
        end_s = math.inf if parameters.query_end_s is None else parameters.query_end_s
        query = None
        if parameters.query_uri is not None and parameters.model_of is None:
            query = self._samples(parameters.query_uri, parameters.query_start_s, end_s)
        for number, doc in enumerate(docs):
            result = HeardClip(id=doc.id or uuid4().hex, uri=doc.uri, sample_rate_hz=self._rate_hz)
            result.unrelated = doc.unrelated
            if number == 0:
                result.query = query
            samples = None
            with document_at_fault(result):
                uri = str(doc.uri)
                self._roots.check(uri)
                if doc.file and doc.file != _file_now(uri, by_content=doc.file.startswith(BY_CONTENT)):
                    raise AudioNotFound(f"{uri!r} is another file than the one that was indexed")
                samples = self._samples(uri, doc.start_s, doc.end_s)
            yield result, samples

    def _samples(self, uri: str, start_s: float, end_s: float) -> FloatArray:
        self._roots.check(uri)
        waveform = self._decoding.run(
            load_audio,
            resolve_path(uri),
            Part(start_s, end_s),
            sample_rate_hz=self._rate_hz,
            folder=self._folder,
        )
        samples: FloatArray = waveform.samples
        return samples


def _file_now(uri: str, *, by_content: bool) -> str:
    """Return the text of a file as it is now, to compare with ``ListenClip.file``."""
    found = snapshot(uri)
    return f"{BY_CONTENT}{_id_of(found.path, found.stat)}" if by_content else file_text(found.stat)


@lru_cache(maxsize=256)
def _id_of(path: Path, stat: FileStat) -> str:
    """Return the id of a file's content; a file that stays as it is, is read once."""
    return recording_id_of(path)
