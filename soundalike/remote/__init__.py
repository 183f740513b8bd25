"""A running service, asked over its plain HTTP interface (docs/http-api.md)."""

from soundalike.remote.connection import Connection
from soundalike.remote.service import Job, Service

__all__ = ["Connection", "Job", "Service"]
