"""The checkpoint of VGGish, converted once to an ONNX file.

TensorFlow takes seconds to start and a gigabyte of memory; a process of its own uses it for the
conversion, and compares the result with the tf-slim graph. The file is kept beside the checkpoint, or in
the user's cache where that folder cannot be written to. TensorFlow is needed for nothing else: where the
checkpoint comes with its converted file, it need not be installed.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path

import fasteners
import numpy as np

import soundalike
from soundalike.encoders.compiled import Keeping, lowest_cosine
from soundalike.encoders.hashes import known_sha256, sha256_of
from soundalike.errors import ServiceError, WeightsCorrupt
from soundalike.types import FloatArray

_log = logging.getLogger(__name__)
_TIMEOUT_S = 600
#: Of embeddings computed in float32 to those of the tf-slim graph.
MIN_COSINE = 0.9999
_FOLDER = "converted"
_HALF = ".half.onnx"


def converted(checkpoint: Path, *, half: bool = False) -> tuple[Path, str]:
    """Return the ONNX file of a checkpoint, and the SHA-256 of the checkpoint; convert it where needed.

    Parameters
    ----------
    checkpoint : Path
        A single file, or the prefix of several.
    half : bool
        Whether weights in half precision will do.

    Raises
    ------
    WeightsCorrupt
        It is not a checkpoint of VGGish.
    ServiceError
        No folder can be written to, TensorFlow is not installed, or the process for the conversion ended
        without a reason.
    """
    folders = _folders(checkpoint)
    notes = [folder / f"{checkpoint.name}.json" for folder in folders]
    if not os.access(folders[0], os.W_OK):
        # A read-only mount needs no lock.
        sha256 = known_sha256(_files(checkpoint), notes)
        if found := _existing(folders[0], sha256, half=half):
            return found, sha256
    folder = _writable(folders)
    with fasteners.InterProcessLock(folder / "lock"):
        sha256 = known_sha256(_files(checkpoint), [folder / f"{checkpoint.name}.json"])
        if found := _existing(folder, sha256, half=half):
            return found, sha256
        path = folder / _names(sha256, half=half)[0]
        _log.info("converting %s; this takes some seconds, once", checkpoint)
        _convert_apart(checkpoint, path)
    return path, sha256


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a checkpoint: of the file, or of all files of a checkpoint prefix."""
    return sha256_of(_files(path))


def convert(checkpoint: Path, path: Path) -> None:
    """Convert a checkpoint in this process, and compare the result with the tf-slim graph.

    Raises
    ------
    WeightsCorrupt
        It is not a checkpoint of VGGish, or the two differ.
    """
    import onnx

    from soundalike.encoders.runtime import open_session
    from soundalike.encoders.vggish import onnx_graph
    from soundalike.encoders.vggish.reference import reference_embeddings, variables

    part = path.with_suffix(".part")
    half = path.name.endswith(_HALF)
    onnx.save(onnx_graph.build(variables(checkpoint), half=half), str(part))
    patches = _example()
    session = open_session(part, onnx_graph.INPUT, onnx_graph.OUTPUT, precision="float32")
    cosine = lowest_cosine(session(patches), reference_embeddings(checkpoint, patches))
    if not cosine >= MIN_COSINE:
        part.unlink()
        raise WeightsCorrupt(
            f"{checkpoint} cannot be converted: the cosine to the tf-slim graph is {cosine:.6f}"
        )
    part.rename(path)
    # Here, where memory is given back when the process ends.
    precision = "bfloat16" if half else "float32"
    open_session(
        path, onnx_graph.INPUT, onnx_graph.OUTPUT, precision=precision, keeping=keeping_beside(path)
    )


def keeping_beside(path: Path) -> Keeping:
    """Return where OpenVINO's form of the converted network is kept."""
    return Keeping(path.parent, lambda: (_example(),))


def _example() -> FloatArray:
    """Return some made-up patches, in the range of real ones."""
    return np.random.default_rng(0).uniform(-4.6, 2.0, (4, 96, 64)).astype(np.float32)


def _names(sha256: str, *, half: bool) -> list[str]:
    """Return the names of files that will do, the best first."""
    full = f"{sha256[:32]}.onnx"
    if not half:
        return [full]
    # With TensorFlow the smaller file is made; without, the larger one gives the same vectors.
    return [f"{sha256[:32]}{_HALF}", *([] if _can_convert() else [full])]


def _existing(folder: Path, sha256: str, *, half: bool) -> Path | None:
    """Return a converted file in a folder."""
    return next((folder / name for name in _names(sha256, half=half) if (folder / name).is_file()), None)


def _can_convert() -> bool:
    """Tell whether TensorFlow is installed, without importing it."""
    try:
        return importlib.util.find_spec("tensorflow") is not None
    except ModuleNotFoundError:
        # A hook refuses the import.
        return False


def _convert_apart(checkpoint: Path, path: Path) -> None:
    if not _can_convert():
        raise ServiceError(
            f"{checkpoint} is not converted, and TensorFlow is not installed here; where it is, run: "
            f"SOUNDALIKE_PRECISION=float32 soundalike models verify; then copy the folder {_FOLDER} too"
        )
    done = subprocess.run(  # noqa: S603 - this interpreter, no shell
        [sys.executable, "-P", "-m", "soundalike.encoders.vggish.conversion", checkpoint, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_folders())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode == WeightsCorrupt.exit_status:
        raise WeightsCorrupt(done.stdout.strip())
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ServiceError(f"{checkpoint} could not be converted ({lines[-1][:300]})")


def _import_folders() -> list[str]:
    """Return where this program looks for modules."""
    own = str(Path(soundalike.__file__).parents[1])
    return [own, *(path for path in sys.path if os.path.isabs(path) and path != own)]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.parent.glob(f"{path.name}.*"))


def _folders(checkpoint: Path) -> tuple[Path, Path]:
    """Return where converted files are looked for: beside the checkpoint, and in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "soundalike"
    return checkpoint.absolute().parent / _FOLDER, cache / _FOLDER


def _writable(folders: tuple[Path, Path]) -> Path:
    """Return the first folder that can be written to; make it."""
    reasons = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
            reasons.append(f"{folder} cannot be written to")
        except OSError as exc:
            reasons.append(f"{folder}: {exc.strerror}")
    raise ServiceError(f"there is no place for the converted checkpoint: {'; '.join(reasons)}")


if __name__ == "__main__":
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except WeightsCorrupt as exc:
        # For the process that has started this one.
        os.write(1, exc.message.encode())
        sys.exit(exc.exit_status)
