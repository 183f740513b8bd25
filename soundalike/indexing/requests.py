"""Requests of what changes an index: their defaults and descriptions, the same for every door.

Little is imported, so that the command line can describe its options without NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.parameters import about
from soundalike.types import EXTERNAL

#: Processes of Dask on one machine.
MAX_WORKERS = 1024


@dataclass(frozen=True)
class TableChoice:
    """Which tables describe the files.

    Attributes
    ----------
    named : tuple of Path
        These; empty: see `finds`.
    finds : bool
        Use the tables that lie beside the files.

    Raises
    ------
    ParameterError
        Tables are named and refused at once.
    """

    named: tuple[Path, ...] = ()
    finds: bool = field(
        default=True,
        metadata=about("read labels and tags from metadata.csv and metadata.jsonl found there"),
    )

    def __post_init__(self) -> None:
        if self.named and not self.finds:
            raise ParameterError("--metadata and --no-metadata exclude each other; leave one out")


@dataclass(frozen=True, kw_only=True)
class IndexRequest:
    """Files and folders to index, and what is known of them; each field has its description."""

    paths: tuple[str, ...] = field(
        metadata=about("file, folder, glob pattern or URL of a remote folder")
    )
    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))
    label: str | None = field(
        default=None,
        metadata=about("label of all files; default: the name of the folder that holds each"),
    )
    tags: Mapping[str, Any] = field(default_factory=dict, metadata=about("tags of all files"))
    recorded_at: str | None = field(
        default=None, metadata=about("when all these files began, in ISO 8601")
    )
    time_patterns: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "how the time stands in file names, as for strptime, like %y%m%d%H%M%S; tried before the "
            "usual ones"
        ),
    )
    tables: TableChoice = TableChoice()
    checksum: bool = field(
        default=False,
        metadata=about(
            "read every file; otherwise a file with unchanged size and modification time is skipped"
        ),
    )
    prune: bool = field(
        default=False, metadata=about("delete recordings whose files are no longer there")
    )
    dry_run: bool = field(
        default=False,
        metadata=about("report what would happen to each file, and change nothing; nothing is decoded"),
    )

    workers: int | None = field(
        default=None,
        metadata=about("index in so many processes of Dask on this machine; needs soundalike[cluster]"),
    )
    dask: str | None = field(
        default=None,
        metadata=about(
            "index on the Dask cluster whose scheduler is there, like tcp://host:8786; its workers read "
            "the same paths and need SOUNDALIKE_DATABASE_URL or --database-url"
        ),
    )

    def __post_init__(self) -> None:
        if not self.paths:
            raise ParameterError("there is nothing to index; give PATH, or --vectors FILE")
        if self.workers is not None and self.dask is not None:
            raise ParameterError("--workers and --dask exclude each other; leave one out")
        if self.workers is not None and not 1 <= self.workers <= MAX_WORKERS:
            raise ParameterError(f"--workers is {self.workers}; give 1 to {MAX_WORKERS}")
        if self.is_distributed and self.dry_run:
            raise ParameterError("--dry-run decodes nothing; leave out --workers and --dask")

    @property
    def is_distributed(self) -> bool:
        """Whether Dask does the work."""
        return self.workers is not None or self.dask is not None


@dataclass(frozen=True, kw_only=True)
class VectorsRequest:
    """Vectors that another program computed, to be stored as a collection."""

    vectors: Path = field(metadata=about("a .npy, .parquet or .jsonl file"))
    rows: Path | None = field(
        default=None, metadata=about("CSV or JSON lines with a row for each vector")
    )
    encoder: str = field(default=EXTERNAL, metadata=about("what computed the vectors"))
    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))


@dataclass(frozen=True)
class ReindexRequest:
    """A collection to be made again from the stored paths, with other windows or another encoder."""

    collection: str = field(default=DEFAULT_COLLECTION, metadata=about("name of the collection"))
    without_failed: bool = field(
        default=False,
        metadata=about("replace the old index even where files cannot be read; they are gone then"),
    )
