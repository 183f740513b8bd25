"""Settings, read once from the environment and then passed as a value."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from soundalike.errors import ConfigError

#: Encoders without a model file; ``auto`` selects VGGish if its weights are present and verified.
MODELS = ("auto", "vggish", "logmel-modulation")
#: Encoders whose model files ``soundalike models download`` fetches.
DOWNLOADABLE = ("aisfx", "resemblyzer")
#: Encoder of voices.
SPEAKER_MODEL = "resemblyzer"
#: Space for copies of remote recordings, in megabytes.
REMOTE_SPOOL_MB = 8192
#: Collection of requests that name none.
DEFAULT_COLLECTION = "default"
#: Number formats of VGGish; ``auto`` selects bfloat16 if the processor supports it.
PRECISIONS = ("auto", "float32", "bfloat16")
#: How long a read waits for a standby by default, and at most.
_REPLICA_WAIT_S, _HOUR_S = 1.0, 3600


@dataclass(frozen=True, slots=True)
class Settings:
    """Folders, database and encoder.

    Attributes
    ----------
    database_url : str or None
        libpq URL of a PostgreSQL server (``SOUNDALIKE_DATABASE_URL``), or several separated by spaces,
        for an index over several databases; None for the embedded server.
    data_dir : Path
        Folder of the embedded server and of downloaded weights (``SOUNDALIKE_DATA_DIR``; default
        ``$XDG_DATA_HOME/soundalike`` or ``~/.local/share/soundalike``).
    weights_dir : Path
        Folder of the VGGish weights (``SOUNDALIKE_WEIGHTS_DIR``; default ``<data_dir>/weights``).
    model : str
        ``auto``, ``vggish``, ``logmel-modulation``, the name of a model file, or several names joined by
        ``+`` (``SOUNDALIKE_MODEL``).
    spool_dir : Path
        Folder for long recordings that pass through the Flow (``SOUNDALIKE_SPOOL_DIR``; default
        ``<data_dir>/spool``).
    checkpoint : Path or None
        VGGish checkpoint to use instead of the published one (``SOUNDALIKE_CHECKPOINT``).
    precision : str
        Number format of VGGish: ``auto``, ``float32`` or ``bfloat16`` (``SOUNDALIKE_PRECISION``).
    time_zone : str
        Time zone for input without one, and for output: a name like ``Europe/Berlin``, or an offset
        like ``+02:00`` (``SOUNDALIKE_TIME_ZONE``; default ``UTC``). Validated when it is used.
    uploads_dir : Path
        Folder of uploaded recordings (``SOUNDALIKE_UPLOADS_DIR``; default ``<data_dir>/uploads``).
    roots : tuple of Path or None
        Folders that requests to the service may read (``SOUNDALIKE_ROOTS``, separated as in ``PATH``;
        ``/`` allows everything). None: see `soundalike.audio.allowed_roots.AllowedRoots`.
    remote_spool_mb : int
        Megabytes of remote recordings that are copied into ``<spool_dir>/remote`` at once
        (``SOUNDALIKE_REMOTE_SPOOL_MB``; default 8192).
    speaker_model : str
        Encoder of voices: the name of a model file, or ``logmel-modulation``
        (``SOUNDALIKE_SPEAKER_MODEL``; default ``resemblyzer``).
    slow_query_s : float or None
        Statements that take this many seconds or more are logged with their plan
        (``SOUNDALIKE_SLOW_QUERY_S``); None: none.
    replica_wait_s : float or None
        Seconds that a read waits for a standby to have this process's last write, before it goes to the
        primary (``SOUNDALIKE_REPLICA_WAIT_S``; default 1). None (``none``): reads need not see it.
    """

    database_url: str | None
    data_dir: Path
    weights_dir: Path
    model: str = "auto"
    spool_dir: Path = Path()
    checkpoint: Path | None = None
    precision: str = "auto"
    time_zone: str = "UTC"
    uploads_dir: Path = Path()
    roots: tuple[Path, ...] | None = None
    speaker_model: str = SPEAKER_MODEL
    remote_spool_mb: int = REMOTE_SPOOL_MB
    slow_query_s: float | None = None
    replica_wait_s: float | None = _REPLICA_WAIT_S

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables.

        Parameters
        ----------
        environ : mapping, optional
            Variables to read; ``os.environ`` by default.

        Raises
        ------
        ConfigError
            A value cannot be used.
        """
        env = os.environ if environ is None else environ
        data_dir = Path(env.get("SOUNDALIKE_DATA_DIR") or _default_data_dir(env)).expanduser()
        settings = cls(
            database_url=env.get("SOUNDALIKE_DATABASE_URL") or None,
            data_dir=data_dir,
            weights_dir=_folder(env, "SOUNDALIKE_WEIGHTS_DIR", data_dir / "weights"),
            model=env.get("SOUNDALIKE_MODEL") or "auto",
            spool_dir=_folder(env, "SOUNDALIKE_SPOOL_DIR", data_dir / "spool"),
            checkpoint=_optional_path(env.get("SOUNDALIKE_CHECKPOINT")),
            precision=env.get("SOUNDALIKE_PRECISION") or "auto",
            time_zone=env.get("SOUNDALIKE_TIME_ZONE") or "UTC",
            uploads_dir=_folder(env, "SOUNDALIKE_UPLOADS_DIR", data_dir / "uploads"),
            roots=_folders(env.get("SOUNDALIKE_ROOTS")),
            speaker_model=env.get("SOUNDALIKE_SPEAKER_MODEL") or SPEAKER_MODEL,
            remote_spool_mb=_megabytes(env, "SOUNDALIKE_REMOTE_SPOOL_MB", REMOTE_SPOOL_MB),
            slow_query_s=_seconds(env, "SOUNDALIKE_SLOW_QUERY_S"),
            replica_wait_s=_wait_s(env, "SOUNDALIKE_REPLICA_WAIT_S", _REPLICA_WAIT_S),
        )
        settings.validate()
        return settings

    @property
    def database_urls(self) -> tuple[str, ...]:
        """The URLs of the databases that hold the index, in order; empty for the embedded server."""
        return tuple((self.database_url or "").split())

    def moved_to(self, data_dir: Path) -> Settings:
        """Return the settings with another data folder; folders inside the old one move with it."""

        def moved(folder: Path) -> Path:
            inside = folder.is_relative_to(self.data_dir)
            return data_dir / folder.relative_to(self.data_dir) if inside else folder

        return replace(
            self,
            data_dir=data_dir,
            weights_dir=moved(self.weights_dir),
            spool_dir=moved(self.spool_dir),
            uploads_dir=moved(self.uploads_dir),
        )

    def to_env(self) -> dict[str, str]:
        """Return the environment variables from which `from_env` restores these settings."""
        values = {
            "SOUNDALIKE_DATABASE_URL": self.database_url,
            "SOUNDALIKE_DATA_DIR": self.data_dir.absolute(),
            "SOUNDALIKE_WEIGHTS_DIR": self.weights_dir.absolute(),
            "SOUNDALIKE_MODEL": self.model,
            "SOUNDALIKE_SPOOL_DIR": self.spool_dir.absolute(),
            "SOUNDALIKE_CHECKPOINT": self.checkpoint and self.checkpoint.absolute(),
            "SOUNDALIKE_PRECISION": self.precision,
            "SOUNDALIKE_TIME_ZONE": self.time_zone,
            "SOUNDALIKE_UPLOADS_DIR": self.uploads_dir.absolute(),
            "SOUNDALIKE_ROOTS": None if self.roots is None else os.pathsep.join(map(str, self.roots)),
            "SOUNDALIKE_SPEAKER_MODEL": self.speaker_model,
            "SOUNDALIKE_REMOTE_SPOOL_MB": self.remote_spool_mb,
            "SOUNDALIKE_SLOW_QUERY_S": self.slow_query_s,
            "SOUNDALIKE_REPLICA_WAIT_S": "none" if self.replica_wait_s is None else self.replica_wait_s,
        }
        return {name: str(value) for name, value in values.items() if value is not None}

    def validate(self) -> None:
        """Raise `ConfigError` if a value is invalid."""
        check_model(self.model, self.weights_dir)
        check_model(self.speaker_model, self.weights_dir, "SOUNDALIKE_SPEAKER_MODEL")
        _check_choice("SOUNDALIKE_PRECISION", self.precision, PRECISIONS)
        _check_urls(self.database_url, self.database_urls)


def model_names(model: str) -> list[str]:
    """Return the names that ``--model`` joins, without their weights."""
    return [part.partition(":")[0] for part in model.split("+")]


def check_model(model: str, weights_dir: Path, name: str = "SOUNDALIKE_MODEL") -> None:
    """Raise `ConfigError` unless every part of a model's name is an encoder.

    Parameters
    ----------
    model : str
        One name, or several joined by ``+``.
    weights_dir : Path
        Folder of the installed models.
    name : str
        Name of the setting or option, for the error.
    """
    known = (*MODELS, *DOWNLOADABLE)
    for part in model_names(model):
        if part not in known and not (part and (weights_dir / part / "manifest.yml").is_file()):
            raise ConfigError(
                f"{name} is {model!r}; choose one of {', '.join(known)}, several joined by '+', or add "
                "a model with: soundalike models add"
            )


def _check_urls(given: str | None, urls: tuple[str, ...]) -> None:
    for number, url in enumerate(urls or ((given,) if given else ())):
        if not url.startswith(("postgresql://", "postgres://")):
            # The part after the first colon, and a parameter list, may contain a password.
            begin = url.split(":", 1)[0][:20]
            begin = begin if number == 0 and not {"=", "@"} & set(begin) else ""
            raise ConfigError(
                f"SOUNDALIKE_DATABASE_URL begins with {begin!r}; give a URL like "
                "postgresql://user:password@host:5432/database, or unset it for the embedded server"
                if number == 0
                else f"part {number + 1} of SOUNDALIKE_DATABASE_URL is not a URL; separate the URLs of "
                "several databases by spaces, and write a space in a URL as %20"
            )
    if len(set(urls)) < len(urls):
        raise ConfigError(
            "SOUNDALIKE_DATABASE_URL names a database twice; name each database of the index once"
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(choices)}")


def _megabytes(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ConfigError(f"{name} is {text!r}; give a whole number above 0")
    return int(text)


def _folder(env: Mapping[str, str], name: str, default: Path) -> Path:
    return Path(env.get(name) or default).expanduser()


def _wait_s(env: Mapping[str, str], name: str, default: float) -> float | None:
    """Return a number of seconds up to an hour; None for ``none``."""
    text = env.get(name) or str(default)
    if text == "none":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _HOUR_S:
        raise ConfigError(f"{name} is {text[:40]!r}; give seconds from 0 to {_HOUR_S}, or none")
    return seconds


def _folders(value: str | None) -> tuple[Path, ...] | None:
    """Return the folders of a list like ``PATH``, absolute."""
    if not value:
        return None
    return tuple(Path(part).expanduser().absolute() for part in value.split(os.pathsep) if part)


def _seconds(env: Mapping[str, str], name: str) -> float | None:
    """Return a number of seconds above 0; None if the variable is not set."""
    text = env.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} is {text!r}; give a number of seconds above 0, like 0.5")
    return value


def _optional_path(value: str | None) -> Path | None:
    return Path(value).expanduser() if value else None


def _default_data_dir(env: Mapping[str, str]) -> Path:
    base = env.get("XDG_DATA_HOME")
    return (Path(base) if base else Path("~/.local/share")) / "soundalike"
