"""Client of a running service over HTTP (docs/http-api.md)."""

from soundalike.client.connection import Connection
from soundalike.client.service import Job, Service

__all__ = ["Connection", "Job", "Service"]
