"""Keep networks in OpenVINO's own format, which is read faster and mapped instead of copied."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soundalike.encoders.hashes import known_sha256
from soundalike.encoders.quiet_import import import_openvino
from soundalike.runtime.pages import release_mapped, use_huge_pages
from soundalike.types import FloatArray

_log = logging.getLogger(__name__)
_NETWORK, _WEIGHTS, _EXAMPLE = "network.xml", "network.bin", "example.npz"
#: Of the vectors of both forms, computed in the same number format.
_MIN_COSINE = 0.999
_WHOLE = ("i8", "u8", "i4", "u4")
#: Folders of interrupted writers are removed after this time.
_ABANDONED_S = 3600

Numbers = npt.NDArray[Any]
#: Runs a network: a batch for each of its inputs.
Run = Callable[..., FloatArray]
Compile = Callable[[Any], Run]


@dataclass(frozen=True)
class Keeping:
    """Where the other form of a network is kept, and a batch to compare both with.

    Attributes
    ----------
    folder : Path
        The user's cache is used where it cannot be written to.
    example : callable
        Returns a batch for each input of the network.
    """

    folder: Path
    example: Callable[[], tuple[Numbers, ...]]


class KeptNetwork:
    """The place of a network in OpenVINO's format.

    Its name has the hash of the ONNX file, the version of OpenVINO and the number format of the weights,
    so a change of one of them makes another place.

    Parameters
    ----------
    path : Path
        The ONNX file.
    keeping : Keeping
    half : bool
        Whether the weights are kept in half precision, which halves file and memory.
    """

    def __init__(self, path: Path, keeping: Keeping, *, half: bool) -> None:
        self._half, self._example = half, keeping.example
        self._folders = (keeping.folder, *_user_cache())
        version = re.sub(r"[^\w.]+", "_", import_openvino().get_version())[:60]
        notes = [folder / f"{path.name}.json" for folder in self._folders]
        sha256 = known_sha256([path], notes)
        self._sha256 = sha256[:32]
        self._name = f"{self._sha256}-{'half' if half else 'full'}-{version}"

    def settle(self) -> None:
        """Arrange memory after the example was computed: all weights have their final places now."""
        release_mapped(f"{self._name}/{_WEIGHTS}")
        use_huge_pages()

    def opened(self, core: Any, compile_model: Compile) -> Run | None:
        """Return the kept network, ready to run; None where none is kept.

        It is run once and compared with what it gave when it was made. A damaged one is removed.
        """
        for folder in self._folders:
            place = folder / self._name
            if not place.is_dir():
                continue
            try:
                run = compile_model(core.read_model(place / _NETWORK))
                with np.load(place / _EXAMPLE, allow_pickle=False) as kept:
                    given = [kept[f"arr_{number}"] for number in range(len(kept) - 1)]
                    if agree(run(*given), kept["found"]):
                        return run
                reason = "its vectors differ"
            except Exception as exc:
                reason = type(exc).__name__
            _log.warning("%s is damaged (%s); it is made again", place, reason)
            shutil.rmtree(place, ignore_errors=True)
        return None

    def make(self, model: Any, run: Run, core: Any, compile_model: Compile) -> Run | None:
        """Keep a network; return it, ready to run, or None where it cannot be kept.

        Parameters
        ----------
        model : object
            As OpenVINO has read it.
        run : callable
            The same, ready to run; the kept form is held to its vectors.
        core : object
        compile_model : callable
        """
        example = self._example()
        expected = run(*example)
        for folder in self._folders:
            try:
                return self._made_in(folder, model, example, expected, core, compile_model)
            except Exception as exc:
                # The network runs without; OpenVINO's own errors differ by version.
                reason = " ".join(str(exc).split())[:200]
                _log.info("%s cannot be kept in %s (%s)", self._name, folder, reason)
        return None

    def _made_in(
        self,
        folder: Path,
        model: Any,
        example: tuple[Numbers, ...],
        expected: FloatArray,
        core: Any,
        compile_model: Compile,
    ) -> Run | None:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        with _temporary(folder, self._name) as place:
            if self._half:
                _fold(model)
            import_openvino().save_model(model, place / _NETWORK, compress_to_fp16=self._half)
            kept = compile_model(core.read_model(place / _NETWORK))
            found = kept(*example)
            if not agree(found, expected):
                _log.info("%s is not kept in OpenVINO's format: the vectors differ", self._name)
                return None
            np.savez(place / _EXAMPLE, *example, found=found)
            # Another process may have been faster.
            with contextlib.suppress(OSError):
                place.rename(folder / self._name)
        self._remove_other_versions(folder)
        return kept

    def _remove_other_versions(self, folder: Path) -> None:
        """Remove what earlier versions of OpenVINO have left of the same network."""
        kind = "half" if self._half else "full"
        for place in folder.glob(f"{self._sha256}-{kind}-*"):
            if place.name != self._name:
                shutil.rmtree(place, ignore_errors=True)


def agree(rows: FloatArray, others: FloatArray) -> bool:
    """Tell whether vectors are the same but for rounding."""
    if rows.shape != others.shape:
        return False
    return np.array_equal(rows, others) or lowest_cosine(rows, others) >= _MIN_COSINE


def lowest_cosine(rows: FloatArray, others: FloatArray) -> float:
    """Return the lowest cosine between rows of two arrays, ``(n, d)``; NaN where one is not finite."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
        return float(((rows * others).sum(axis=1) / lengths).min())


def _fold(model: Any) -> None:
    """Make plain constants of weights that the file keeps in half precision.

    OpenVINO marks constants that it halves itself, and converts them layer by layer when they are first
    used; others it expands to float32 all at once, which takes three times the memory. Weights in whole
    numbers stay as they are.
    """
    is_quantised = any(
        op.get_type_name() == "Constant" and op.get_element_type().to_string() in _WHOLE
        for op in model.get_ops()
    )
    if not is_quantised:
        passes = import_openvino("openvino.passes")
        manager = passes.Manager()
        manager.register_pass(passes.ConstantFolding())
        manager.run_passes(model)


@contextlib.contextmanager
def _temporary(folder: Path, name: str) -> Iterator[Path]:
    outer = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    try:
        # Others may read it, unlike the folder around it.
        place = outer / name
        place.mkdir()
        yield place
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    for place in folder.glob(".*-*"):
        with contextlib.suppress(OSError):
            if place.is_dir() and place.stat().st_mtime < time.time() - _ABANDONED_S:
                shutil.rmtree(place, ignore_errors=True)


def _user_cache() -> list[Path]:
    """Return the user's cache; nothing where the user has no home."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:
        return []
    return [cache / "soundalike" / "compiled"]
