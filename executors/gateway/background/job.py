"""A job as clients see it: its state, its counts, and the results of its files."""

from __future__ import annotations

from datetime import datetime
from typing import List, Literal, Optional
from uuid import uuid4

from pydantic import BaseModel, Field

_MOST_ERRORS = 100
MOST_LEFT_OUT = 20


class JobError(BaseModel):
    """An error of a file, or of the whole job where `uri` is null."""

    uri: Optional[str]
    code: str
    detail: str


class JobWarning(BaseModel):
    """A fault of a file that is stored all the same."""

    uri: str
    detail: str


class FileResult(BaseModel):
    """The result of a file or recording that was to be indexed."""

    uri: str
    recording_id: Optional[str]
    outcome: str = Field(description="added, unchanged, updated, linked, replaced or failed")
    n_windows: int
    n_searchable: int = Field(description="windows that a search can find")
    duration_s: float
    warnings: List[str]
    error_code: Optional[str]
    error: Optional[str]


class JobFile(FileResult):
    """The result of an uploaded file; `uri` is its client's name of it."""


class LeftOut(BaseModel):
    """A file of a folder that is not a sound file, and the reason."""

    uri: str
    reason: str


#: Jobs with a result.
REPEATS = ("duplicates", "motifs")


class Job(BaseModel):
    """A job that indexes files, or compares recordings. `total` is null until they have been counted."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    kind: Literal["folder", "upload", "duplicates", "motifs"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    folder: Optional[str] = None
    collection: str
    total: Optional[int] = None
    done: int = 0
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    failed: int = 0
    pruned: int = Field(default=0, description="paths removed because their files were deleted")
    skipped: int = Field(default=0, description="films without sound; they count as done")
    left_out: int = Field(
        default=0, description="files of the folder that are not sound files, beside `total`"
    )
    left_out_files: List[LeftOut] = Field(default=[], description="the first 20 of these two kinds")
    metadata: List[str] = Field(default=[], description="tables in the folder that were read")
    unsearchable: int = Field(default=0, description="files that no search can find")
    interrupted: int = Field(
        default=0, description="how often the service was killed while the job was running"
    )
    errors: List[JobError] = Field(default=[], description="the first 100")
    warnings: List[JobWarning] = Field(default=[], description="the first 100")
    started_at: Optional[datetime] = None
    finished_at: Optional[datetime] = None

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended."""
        return self.state in ("done", "failed", "cancelled")

    def note_left_out(self, uri: str, reason: str) -> None:
        """Keep the name of a file that is not a sound file, up to a limit."""
        if len(self.left_out_files) < MOST_LEFT_OUT:
            self.left_out_files.append(LeftOut(uri=uri, reason=reason))

    def note_error(self, uri: Optional[str], code: str, detail: str) -> None:
        """Keep an error, up to a limit."""
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(JobError(uri=uri, code=code, detail=detail))

    def note_warning(self, uri: str, detail: str) -> None:
        """Keep a warning, up to a limit."""
        if len(self.warnings) < _MOST_ERRORS:
            self.warnings.append(JobWarning(uri=uri, detail=detail))
