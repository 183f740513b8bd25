"""Checks of the machine: processor, decoders, weights, disk and spool."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from soundalike.config import Settings
from soundalike.doctor.checks import Check, command, failed, size
from soundalike.encoders import weights
from soundalike.encoders.choice import is_checkpoint
from soundalike.encoders.modulation import Modulation
from soundalike.encoders.vggish import bfloat16
from soundalike.encoders.weights import GET_WEIGHTS
from soundalike.errors import UnreadableAudio, WeightsCorrupt, WeightsMissing
from soundalike.faults import one_line
from soundalike.store.opening import is_made

_LOW_DISK_BYTES = 1 << 30
#: The segmenter deletes files of this age when it starts.
_STALE_S = 3600
_PROGRAM_TIMEOUT_S = 10


def processor(settings: Settings | None) -> Check:
    """Report the cores, and check the precision of VGGish."""
    cores = len(os.sched_getaffinity(0))
    found = f"{cores} {'core' if cores == 1 else 'cores'}"
    if bfloat16.is_supported():
        return Check("processor", "ok", f"{found}, with instructions for bfloat16")
    if settings is not None and settings.precision == "bfloat16":
        return Check(
            "processor",
            "warn",
            f"{found}, without instructions for bfloat16, which SOUNDALIKE_PRECISION selects; "
            "float32 is faster",
            "unset SOUNDALIKE_PRECISION",
        )
    return Check("processor", "ok", f"{found}, without instructions for bfloat16: float32 is used")


def decoders() -> Check:
    """Check that the decoders can be loaded."""
    found = []
    try:
        import soundfile

        found.append(f"libsndfile {soundfile.__libsndfile_version__}")
        import av

        found.append(f"PyAV {av.__version__}")
    except (ImportError, OSError) as exc:
        return failed(
            "decoders",
            UnreadableAudio(f"a decoder cannot be loaded: {one_line(exc)}"),
            "pip install --force-reinstall av soundfile",
        )
    found.append(_ffmpeg() or "no ffmpeg program, which only rare formats need")
    return Check("decoders", "ok", ", ".join(found))


def _ffmpeg() -> str | None:
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    try:
        said = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [program, "-version"], capture_output=True, text=True, timeout=_PROGRAM_TIMEOUT_S, check=True
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return f"ffmpeg {said[2]}" if len(said) > 2 else None


def encoder_weights(settings: Settings) -> Check:
    """Check that the weights of the configured encoder are present."""
    checkpoint = settings.checkpoint
    if settings.model == Modulation.name:
        return Check("weights", "ok", f"not needed by {Modulation.name}, which is configured")
    if checkpoint is not None:
        return _own_checkpoint(checkpoint)
    try:
        states = {
            file.name: weights.verified_path(file, settings.weights_dir) is not None
            for file in weights.PUBLISHED
        }
    except WeightsCorrupt as exc:
        if settings.model != "auto":
            return failed("weights", exc, GET_WEIGHTS)
        message = f"{exc.message}; until then {Modulation.name} is used"
        return Check("weights", "warn", message, GET_WEIGHTS)
    if states[weights.CHECKPOINT.name]:
        pca = states[weights.PCA_PARAMS.name]
        rest = "" if pca else f", without {weights.PCA_PARAMS.name}, which only post-processing needs"
        return Check("weights", "ok", f"VGGish, verified{rest}")
    if settings.model == "vggish":
        missing = WeightsMissing(f"{weights.CHECKPOINT.name} is not in {settings.weights_dir}")
        return failed("weights", missing, GET_WEIGHTS)
    return Check("weights", "ok", f"none: {Modulation.name} is used; for VGGish run: {GET_WEIGHTS}")


def _own_checkpoint(path: Path) -> Check:
    if is_checkpoint(path):
        return Check("weights", "ok", f"the checkpoint {path}")
    missing = WeightsMissing(f"there is no checkpoint at {path}")
    return failed("weights", missing, "unset SOUNDALIKE_CHECKPOINT")


def disk(settings: Settings) -> Check:
    """Check the free space of the data folder."""
    folder = _existing(settings.data_dir)
    usage = shutil.disk_usage(folder)
    found = f"{size(usage.free)} of {size(usage.total)} are free for {settings.data_dir}"
    if usage.free >= _LOW_DISK_BYTES:
        return Check("disk", "ok", found)
    seen = f"du -sh {shlex.quote(str(settings.data_dir))}/*"
    return Check("disk", "warn", f"only {found}; free some space, or set SOUNDALIKE_DATA_DIR", seen)


def spool(settings: Settings) -> Check:
    """Check that the spool folder is writable, and has no stale files."""
    folder = settings.spool_dir
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            pass
    except OSError as exc:
        return Check(
            "spool",
            "fail",
            f"{folder} cannot be written ({exc.strerror}); long recordings cannot be indexed",
            f"sudo install -d -o {os.getuid()} {shlex.quote(str(folder))}",
            "config.invalid",
        )
    stale = _stale(folder)
    if not stale:
        return Check("spool", "ok", f"{folder} can be written")
    where = shlex.quote(str(folder))
    return Check(
        "spool",
        "warn",
        f"{len(stale)} stale files with {size(sum(stale))} are in {folder}",
        f"find {where} -name '*.f32*' -mmin +{_STALE_S // 60} -delete",
    )


def _stale(folder: Path) -> list[int]:
    """Return the sizes of files older than an hour."""
    found = []
    for path in folder.glob("*.f32*") if folder.is_dir() else ():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if time.time() - status.st_mtime > _STALE_S:
            found.append(status.st_size)
    return found


def _existing(folder: Path) -> Path:
    """Return a folder, or its nearest existing parent."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def missing_server(settings: Settings) -> Check | None:
    """Return a check if the embedded server does not exist yet, otherwise None."""
    if is_made(settings):
        return None
    made = command("index", "PATH")
    return Check(
        "server", "ok", f"none in {settings.data_dir} yet; the first command creates one: {made}"
    )
