"""Decode untrusted files in processes that may crash, hang or run out of memory."""

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
