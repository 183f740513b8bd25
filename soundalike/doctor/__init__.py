"""Check an installation, and suggest fixes."""

from soundalike.doctor.checks import Check, exit_status
from soundalike.doctor.examination import examine

__all__ = ["Check", "examine", "exit_status"]
