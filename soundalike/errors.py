"""The error classes of Soundalike.

::

    SoundalikeError
    ├── AudioError            one recording failed; the rest of a batch goes on
    │   ├── AudioNotFound
    │   ├── AudioNotAllowed
    │   ├── AudioTooLarge
    │   ├── AudioChanged
    │   ├── RemoteForbidden
    │   ├── RemoteUnreachable
    │   ├── AudioTooSlow
    │   ├── UnreadableAudio
    │   │   └── NoAudioTrack
    │   ├── EmptyAudio
    │   ├── AudioTooShort
    │   │   └── TooLittleSpeech
    │   ├── InvalidSamples
    │   ├── SilentQuery
    │   └── UnexpectedFault
    ├── ParameterError        a value from the caller is out of range (also a ValueError)
    │   ├── UnknownParameter
    │   ├── MetadataError
    │   └── SpanOutside
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
    │   ├── ShardMismatch
    │   ├── ModelMismatch
    │   ├── DimensionMismatch
    │   ├── IndexEmpty
    │   ├── RecordingNotFound
    │   ├── SpeakerNotFound
    │   ├── NormalModelNotFound
    │   ├── SearchNotFound
    │   └── SearchExists
    ├── ArchiveError          an exported collection or search cannot be written or read
    │   ├── ArchiveInvalid
    │   └── ArchiveTooNew
    └── ServiceError          the Flow could not be started or reached
        ├── Unauthorized
        ├── Forbidden
        ├── TooManyRequests
        ├── ServiceBusy
        ├── DiskFull
        ├── JobNotFound
        ├── JobInterrupted
        └── JobWithoutResult

A message is one line with the received value and the next step. The `code` is stable, so programs may
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

    def __init_subclass__(
        cls, code: str, exit_status: int | None = None, http_status: int | None = None
    ) -> None:
        """Set the code, and the statuses that differ from those of the base class."""
        super().__init_subclass__()
        cls.code = code
        if exit_status is not None:
            cls.exit_status = exit_status
        if http_status is not None:
            cls.http_status = http_status

    @property
    def message(self) -> str:
        """The message for the user, without the code."""
        return str(self.args[0]) if self.args else (type(self).__doc__ or "").splitlines()[0]

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        # Jina passes only an exception's repr from an executor to the gateway. The gateway reads the
        # code from it and restores the status and the message.
        return f"{self.code}: {self.message}"


class AudioError(SoundalikeError, code="audio.error", exit_status=3, http_status=422):
    """A recording cannot be used."""


class AudioNotFound(AudioError, code="audio.not_found", http_status=404):
    """No file is at this path, or it may not be read."""


class AudioNotAllowed(AudioError, code="audio.not_allowed", http_status=403):
    """The path lies outside of the folders that requests may name."""


class AudioTooLarge(AudioError, code="audio.too_large", http_status=413):
    """The recording or the upload exceeds a limit of the service."""


class AudioChanged(AudioError, code="audio.changed", http_status=409):
    """The recording changes while it is read."""


class RemoteForbidden(AudioError, code="audio.forbidden", http_status=403):
    """The machine that has the recording does not let it be read."""


class RemoteUnreachable(AudioError, code="audio.unreachable", http_status=503):
    """The machine that has the recording cannot be reached, or does not answer as it should."""


class AudioTooSlow(AudioError, code="audio.too_slow"):
    """Decoding took longer than the service allows."""


class UnreadableAudio(AudioError, code="audio.unreadable", http_status=415):
    """None of the decoders could read the content as audio."""


class NoAudioTrack(UnreadableAudio, code="audio.no_track"):
    """The file is a film without sound, or a container of something else."""


class EmptyAudio(AudioError, code="audio.empty"):
    """The file or upload holds no audio samples."""


class AudioTooShort(AudioError, code="audio.too_short"):
    """The recording is shorter than one analysis frame (25 ms)."""


class TooLittleSpeech(AudioTooShort, code="audio.too_little_speech"):
    """The recording holds too little speech to tell a voice."""


class InvalidSamples(AudioError, code="audio.invalid_samples"):
    """The recording holds NaN or infinite samples."""


class SilentQuery(AudioError, code="audio.silent_query"):
    """The query holds no sound to look for."""


class UnexpectedFault(AudioError, code="audio.unexpected", http_status=500):
    """The recording has brought up an error that Soundalike does not foresee."""


class ParameterError(
    SoundalikeError, ValueError, code="parameter.invalid", exit_status=2, http_status=422
):
    """A parameter is out of its range."""


class UnknownParameter(ParameterError, code="parameter.unknown"):
    """A parameter, option or field has a name that is not known."""


class MetadataError(ParameterError, code="parameter.metadata"):
    """A table of clips and their labels cannot be used."""


class SpanOutside(ParameterError, code="parameter.span_outside"):
    """The span begins or ends outside of the recording."""


class ConfigError(SoundalikeError, code="config.invalid", exit_status=2):
    """An environment variable or configuration file is wrong."""


class ModelError(SoundalikeError, code="model.error", exit_status=4, http_status=503):
    """The encoder cannot be used."""


class WeightsMissing(ModelError, code="model.weights_missing"):
    """The weights that the chosen encoder needs are not on this machine."""


class WeightsCorrupt(ModelError, code="model.weights_corrupt"):
    """A weights file is not the published one, or not a checkpoint of this network."""


class DownloadFailed(ModelError, code="model.download_failed"):
    """A weights file could not be fetched."""


class StoreError(SoundalikeError, code="store.error", exit_status=5):
    """The database answered with an error."""


class StoreUnavailable(StoreError, code="store.unavailable", http_status=503):
    """The database cannot be reached."""

    #: Whether other databases of the same index may be reached, so that only some recordings fail.
    is_of_one_shard = False


class StoreFull(StoreError, code="store.disk_full", http_status=507):
    """The database has no disk space left."""


class ExtensionMissing(StoreError, code="store.extension_missing", http_status=503):
    """The server lacks a PostgreSQL extension that Soundalike needs."""


class SchemaMismatch(StoreError, code="store.schema_mismatch", http_status=409):
    """The database was made by another version of Soundalike."""


class ShardMismatch(StoreError, code="store.shard_mismatch", http_status=409):
    """The databases are not all those of one index, or stand in another order."""


class ModelMismatch(StoreError, code="store.model_mismatch", http_status=409):
    """The index was made with another encoder, weights, window or stride."""


class DimensionMismatch(StoreError, code="store.dimension_mismatch", http_status=422):
    """A vector's length differs from the index's."""


class IndexEmpty(StoreError, code="store.index_empty", http_status=409):
    """Nothing has been indexed yet."""


class RecordingNotFound(StoreError, code="store.not_found", http_status=404):
    """No such recording or collection is stored."""


class SpeakerNotFound(StoreError, code="store.speaker_not_found", http_status=404):
    """No speaker of this name is enrolled, or none at all."""


class NormalModelNotFound(StoreError, code="store.normal_model_not_found", http_status=404):
    """No model of what is normal has this name."""


class SearchNotFound(StoreError, code="store.search_not_found", http_status=404):
    """No search of this name is saved in the collection."""


class SearchExists(StoreError, code="store.search_exists", http_status=409):
    """A search of this name is saved already."""


class ArchiveError(SoundalikeError, code="archive.error", exit_status=7, http_status=422):
    """An exported collection or search cannot be written or read."""


class ArchiveInvalid(ArchiveError, code="archive.invalid"):
    """The file is damaged, or not an exported collection or search."""


class ArchiveTooNew(ArchiveError, code="archive.too_new"):
    """A later version of Soundalike exported the file."""


class ServiceError(SoundalikeError, code="service.unavailable", exit_status=6, http_status=503):
    """The Flow could not be started or reached."""


class Unauthorized(ServiceError, code="service.unauthorized", http_status=401):
    """The request carries no API key, or a wrong one."""


class Forbidden(ServiceError, code="service.forbidden", http_status=403):
    """The request comes from another web page, or under a name that is not the service's."""


class TooManyRequests(ServiceError, code="service.too_many_requests", http_status=429):
    """The client sends more requests than the service allows it."""


class ServiceBusy(ServiceError, code="service.busy"):
    """The service has as much to do as it takes at once."""


class DiskFull(ServiceError, code="service.disk_full", http_status=507):
    """The disk of the service has no space left."""


class JobNotFound(ServiceError, code="service.job_not_found", http_status=404):
    """The service has no such job; it keeps the last 100 finished ones."""


class JobInterrupted(ServiceError, code="service.job_interrupted"):
    """The service was killed several times while the job was running, so it is not resumed again."""


class JobWithoutResult(ServiceError, code="service.job_without_result", http_status=409):
    """The job has not ended yet, was cancelled, has failed, or its result is no longer kept."""


def error_classes() -> list[type[SoundalikeError]]:
    """Return all error classes in the order of the tree above."""

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
