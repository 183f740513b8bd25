"""The requests for duplicates and motifs: defaults, limits and descriptions, the same for every door."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from soundalike.audio.sniffing.names import AUDIO_SUFFIXES
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.parameters import about

MAX_CANDIDATES = 1000
#: Parts of all recordings that are kept: the ones with the highest contrast.
MAX_OUTLIERS = 50_000
_MAX_S = 86_400.0


def prefix_of_path(under: str) -> str:
    """Return what the paths under a folder, or of a sound file, begin with.

    Examples
    --------
    >>> prefix_of_path("/nights"), prefix_of_path("/nights/003.flac"), prefix_of_path("")
    ('/nights/', '/nights/003.flac', '')
    """
    if os.path.splitext(under)[1].lower() in AUDIO_SUFFIXES or not under:
        return under
    return under.rstrip("/") + "/"


@dataclass(frozen=True)
class DuplicatesRequest:
    """A request for copies of recordings.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    under: str = field(default="", metadata=about("only recordings under this path"))
    min_score: float = field(
        default=0.8, metadata=about("lowest coherence of the sound of two copies", ge=0.3, le=1)
    )
    min_overlap_s: float = field(
        default=1.0, metadata=about("least seconds that two copies share", ge=1.0, le=_MAX_S)
    )
    candidates: int = field(
        default=10,
        metadata=about(
            "recordings that each recording is compared with, the most alike", ge=1, le=MAX_CANDIDATES
        ),
    )
    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))

    def __post_init__(self) -> None:
        if not 0.3 <= self.min_score <= 1:
            raise ParameterError(f"min_score is {self.min_score}; choose a coherence from 0.3 to 1")
        if not 1 <= self.min_overlap_s <= _MAX_S:
            raise ParameterError(
                f"min_overlap_s is {self.min_overlap_s}; give seconds from 1 to {_MAX_S:g}"
            )
        if not 1 <= self.candidates <= MAX_CANDIDATES:
            raise ParameterError(
                f"candidates is {self.candidates}; choose a number from 1 to {MAX_CANDIDATES}"
            )


@dataclass(frozen=True)
class MotifsRequest:
    """A request for sounds that occur again and again.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    under: str = field(default="", metadata=about("only recordings under this path"))
    min_count: int = field(
        default=3, metadata=about("least occurrences of a motif", ge=2, le=MAX_OUTLIERS)
    )
    limit: int = field(default=20, metadata=about("at most this many motifs", ge=1, le=MAX_CANDIDATES))
    reread_s: float = field(
        default=72_000.0,
        metadata=about(
            "seconds of sound that may be read again to find exact begins and ends; 0: use the stored "
            "vectors alone",
            ge=0,
            le=_MAX_S,
        ),
    )
    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))

    def __post_init__(self) -> None:
        if not 2 <= self.min_count <= MAX_OUTLIERS:
            raise ParameterError(
                f"min_count is {self.min_count}; choose a number from 2 to {MAX_OUTLIERS}"
            )
        if not 1 <= self.limit <= MAX_CANDIDATES:
            raise ParameterError(f"limit is {self.limit}; choose a number from 1 to {MAX_CANDIDATES}")
        if not 0 <= self.reread_s <= _MAX_S:
            raise ParameterError(f"reread_s is {self.reread_s}; give seconds from 0 to {_MAX_S:g}")
