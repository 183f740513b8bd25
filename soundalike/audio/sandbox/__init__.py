"""Work on untrusted sounds in processes that may crash, hang or grow without harm to anybody else."""

from soundalike.audio.sandbox.decoding import IsolatedDecoding
from soundalike.audio.sandbox.pool import ProcessPool
from soundalike.audio.sandbox.process import (
    ProcessCrashed,
    ProcessFailure,
    ProcessTooLarge,
    ProcessTooSlow,
)
from soundalike.audio.sandbox.shared import close_shared, shared

__all__ = [
    "IsolatedDecoding",
    "ProcessCrashed",
    "ProcessFailure",
    "ProcessPool",
    "ProcessTooLarge",
    "ProcessTooSlow",
    "close_shared",
    "shared",
]
