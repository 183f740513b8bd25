"""Check an installation: one finding for each layer, and the command that fixes it."""

from soundalike.doctor.checks import Check, exit_status
from soundalike.doctor.examination import examine

__all__ = ["Check", "examine", "exit_status"]
