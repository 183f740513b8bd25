"""Limits of the service: sizes, times and concurrency. The command line uses only those of decoding."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from soundalike.errors import ConfigError


def _limit(default: int, variable: str, meaning: str) -> int:
    metadata = {"variable": f"SOUNDALIKE_{variable}", "meaning": meaning}
    value: int = field(default=default, metadata=metadata)
    return value


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the service. Each is a positive whole number, set by an environment variable.

    Examples
    --------
    >>> Limits.from_env({"SOUNDALIKE_MAX_DOCUMENTS": "5"}).max_documents
    5
    """

    max_body_mb: int = _limit(64, "MAX_BODY_MB", "megabytes of a request that is kept in memory")
    max_upload_mb: int = _limit(1024, "MAX_UPLOAD_MB", "megabytes of a multipart upload")
    max_documents: int = _limit(10_000, "MAX_DOCUMENTS", "documents in a request")
    max_upload_s: int = _limit(3600, "MAX_UPLOAD_S", "seconds of sound in an uploaded file")
    max_file_s: int = _limit(7 * 86_400, "MAX_FILE_S", "seconds of sound in a file of an allowed folder")
    decode_s: int = _limit(30, "DECODE_S", "seconds for decoding a file, and one more for each megabyte")
    decoder_memory_mb: int = _limit(
        1024, "DECODER_MEMORY_MB", "megabytes that a decoding process may hold"
    )
    max_running: int = _limit(16, "MAX_RUNNING", "requests that are worked on at once")
    max_waiting: int = _limit(64, "MAX_WAITING", "requests that wait for their turn")
    body_stall_s: int = _limit(30, "BODY_STALL_S", "seconds to wait for more of a request's body")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Limits:
        """Read the limits from environment variables; ``os.environ`` by default.

        Raises
        ------
        ConfigError
            A value is not a positive whole number.
        """
        env = os.environ if environ is None else environ
        names = {one.name: one.metadata["variable"] for one in fields(cls)}
        return cls(
            **{
                name: _number(variable, env[variable])
                for name, variable in names.items()
                if env.get(variable)
            }
        )


def _number(variable: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ConfigError(f"{variable} is {text!r}; give a whole number above 0")
    return number
