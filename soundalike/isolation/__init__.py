"""Work on untrusted sounds in processes that may crash, hang or grow without harm to anybody else."""

from soundalike.isolation.decoding import IsolatedDecoding
from soundalike.isolation.pool import ProcessCrashed, ProcessPool, ProcessTooSlow

__all__ = ["IsolatedDecoding", "ProcessCrashed", "ProcessPool", "ProcessTooSlow"]
