"""Work on untrusted sounds in processes that may crash, hang or grow without harm to anybody else."""

from soundalike.isolation.decoding import IsolatedDecoding
from soundalike.isolation.pool import ProcessPool
from soundalike.isolation.process import (
    ProcessCrashed,
    ProcessFailure,
    ProcessTooLarge,
    ProcessTooSlow,
)
from soundalike.isolation.shared import close_shared, shared

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
