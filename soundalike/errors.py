"""Every error that Soundalike raises on purpose.

::

    SoundalikeError
    ├── AudioError            one recording is at fault; the rest of a batch goes on
    │   ├── AudioNotFound
    │   ├── AudioNotAllowed
    │   ├── AudioTooLarge
    │   ├── AudioTooSlow
    │   ├── UnreadableAudio
    │   │   └── NoAudioTrack
    │   ├── EmptyAudio
    │   ├── AudioTooShort
    │   ├── InvalidSamples
    │   ├── SilentQuery
    │   └── UnexpectedFault
    ├── ParameterError        a value from the caller is out of range (also a ValueError)
    │   ├── UnknownParameter
    │   └── MetadataError
    ├── ConfigError           an environment variable or a configuration file is wrong
    ├── ModelError
    │   ├── WeightsMissing
    │   ├── WeightsCorrupt
    │   └── DownloadFailed
    ├── StoreError
    │   ├── StoreUnavailable
    │   ├── StoreFull
    │   ├── ExtensionMissing
    │   ├── SchemaMismatch
    │   ├── ModelMismatch
    │   ├── DimensionMismatch
    │   ├── IndexEmpty
    │   └── RecordingNotFound
    ├── ArchiveError          an exported collection cannot be written or read
    │   ├── ArchiveInvalid
    │   └── ArchiveTooNew
    └── ServiceError          the Flow could not be started or reached
        ├── Unauthorized
        ├── Forbidden
        ├── TooManyRequests
        ├── ServiceBusy
        ├── DiskFull
        ├── JobNotFound
        └── JobInterrupted

A message holds the value received and the next step, on one line. The `code` is stable: programs may
compare it, over HTTP and gRPC too. ``docs/errors.md`` is generated from the classes below.
"""

from __future__ import annotations

from typing import ClassVar


class SoundalikeError(Exception):
    """Root of every error raised on purpose."""

    code: ClassVar[str] = "soundalike.error"
    #: Status that the command line exits with.
    exit_status: ClassVar[int] = 1
    #: Status that the HTTP gateway answers with when the whole request fails.
    http_status: ClassVar[int] = 500

    @property
    def message(self) -> str:
        """The sentence for the user, without the code."""
        return str(self.args[0]) if self.args else (type(self).__doc__ or "").splitlines()[0]

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        # Jina carries only an exception's repr from an executor to the gateway; with the code in
        # front, the gateway can turn it back into a status and a sentence.
        return f"{self.code}: {self.message}"


class AudioError(SoundalikeError):
    """A recording cannot be used."""

    code = "audio.error"
    exit_status = 3
    http_status = 422


class AudioNotFound(AudioError):
    """No file is at this path, or it may not be read."""

    code = "audio.not_found"
    http_status = 404


class AudioNotAllowed(AudioError):
    """The path lies outside of the folders that requests may name."""

    code = "audio.not_allowed"
    http_status = 403


class AudioTooLarge(AudioError):
    """The recording or the upload exceeds a limit of the service."""

    code = "audio.too_large"
    http_status = 413


class AudioTooSlow(AudioError):
    """Decoding took longer than the service allows."""

    code = "audio.too_slow"


class UnreadableAudio(AudioError):
    """None of the decoders could read the content as audio."""

    code = "audio.unreadable"
    http_status = 415


class NoAudioTrack(UnreadableAudio):
    """The file is a film without sound, or a container of something else."""

    code = "audio.no_track"


class EmptyAudio(AudioError):
    """The file or upload holds no audio samples."""

    code = "audio.empty"


class AudioTooShort(AudioError):
    """The recording is shorter than one analysis frame (25 ms)."""

    code = "audio.too_short"


class InvalidSamples(AudioError):
    """The recording holds NaN or infinite samples."""

    code = "audio.invalid_samples"


class SilentQuery(AudioError):
    """The query holds no sound to look for."""

    code = "audio.silent_query"


class UnexpectedFault(AudioError):
    """The recording has brought up an error that Soundalike does not foresee."""

    code = "audio.unexpected"
    http_status = 500


class ParameterError(SoundalikeError, ValueError):
    """A parameter is out of its range."""

    code = "parameter.invalid"
    exit_status = 2
    http_status = 422


class UnknownParameter(ParameterError):
    """A parameter, option or field has a name that is not known."""

    code = "parameter.unknown"


class MetadataError(ParameterError):
    """A table of clips and their labels cannot be used."""

    code = "parameter.metadata"


class ConfigError(SoundalikeError):
    """An environment variable or configuration file is wrong."""

    code = "config.invalid"
    exit_status = 2


class ModelError(SoundalikeError):
    """The encoder cannot be used."""

    code = "model.error"
    exit_status = 4
    http_status = 503


class WeightsMissing(ModelError):
    """The weights that the chosen encoder needs are not on this machine."""

    code = "model.weights_missing"


class WeightsCorrupt(ModelError):
    """A weights file is not the published one, or not a checkpoint of this network."""

    code = "model.weights_corrupt"


class DownloadFailed(ModelError):
    """A weights file could not be fetched."""

    code = "model.download_failed"


class StoreError(SoundalikeError):
    """The database answered with an error."""

    code = "store.error"
    exit_status = 5


class StoreUnavailable(StoreError):
    """The database cannot be reached."""

    code = "store.unavailable"
    http_status = 503


class StoreFull(StoreError):
    """The database has no disk space left."""

    code = "store.disk_full"
    http_status = 507


class ExtensionMissing(StoreError):
    """The server lacks a PostgreSQL extension that Soundalike needs."""

    code = "store.extension_missing"
    http_status = 503


class SchemaMismatch(StoreError):
    """The database was made by another version of Soundalike."""

    code = "store.schema_mismatch"
    http_status = 409


class ModelMismatch(StoreError):
    """The index was made with another encoder, weights, window or stride."""

    code = "store.model_mismatch"
    http_status = 409


class DimensionMismatch(StoreError):
    """A vector's length differs from the index's."""

    code = "store.dimension_mismatch"
    http_status = 422


class IndexEmpty(StoreError):
    """Nothing has been indexed yet."""

    code = "store.index_empty"
    http_status = 409


class RecordingNotFound(StoreError):
    """No such recording or collection is stored."""

    code = "store.not_found"
    http_status = 404


class ArchiveError(SoundalikeError):
    """An exported collection cannot be written or read."""

    code = "archive.error"
    exit_status = 7
    http_status = 422


class ArchiveInvalid(ArchiveError):
    """The file is damaged, or not an exported collection."""

    code = "archive.invalid"


class ArchiveTooNew(ArchiveError):
    """A later version of Soundalike exported the file."""

    code = "archive.too_new"


class ServiceError(SoundalikeError):
    """The Flow could not be started or reached."""

    code = "service.unavailable"
    exit_status = 6
    http_status = 503


class Unauthorized(ServiceError):
    """The request carries no API key, or a wrong one."""

    code = "service.unauthorized"
    http_status = 401


class Forbidden(ServiceError):
    """The request comes from another web page, or under a name that is not the service's."""

    code = "service.forbidden"
    http_status = 403


class TooManyRequests(ServiceError):
    """The client sends more requests than the service allows it."""

    code = "service.too_many_requests"
    http_status = 429


class ServiceBusy(ServiceError):
    """The service has as much to do as it takes at once."""

    code = "service.busy"


class DiskFull(ServiceError):
    """The disk of the service has no space left."""

    code = "service.disk_full"
    http_status = 507


class JobNotFound(ServiceError):
    """The service has no such job; it keeps the last 100 finished ones."""

    code = "service.job_not_found"
    http_status = 404


class JobInterrupted(ServiceError):
    """The service was killed several times while the job was running, so it is not resumed again."""

    code = "service.job_interrupted"


def error_classes() -> list[type[SoundalikeError]]:
    """Return every error class, ordered as in the tree above."""

    def walk(cls: type[SoundalikeError]) -> list[type[SoundalikeError]]:
        return [cls] + [found for sub in cls.__subclasses__() for found in walk(sub)]

    return walk(SoundalikeError)


def class_of(code: str) -> type[SoundalikeError] | None:
    """Return the class that has an error code; None for an unknown one."""
    return next((cls for cls in error_classes() if cls.code == code), None)


def exit_status_of(code: str) -> int:
    """Return the exit status that belongs to an error code; 1 for an unknown one."""
    return (class_of(code) or SoundalikeError).exit_status


def http_status_of(code: str) -> int:
    """Return the HTTP status that belongs to an error code; 500 for an unknown one."""
    return (class_of(code) or SoundalikeError).http_status
