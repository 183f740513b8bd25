"""Read the sound of stored recordings, and keep some of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from soundalike.audio.loading import load_audio
from soundalike.audio.parts import Part
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sources import resolve_path, snapshot
from soundalike.errors import AudioError, ParameterError
from soundalike.repeats.coherence import RATE_HZ
from soundalike.types import FloatArray, Recording

#: Samples that are kept, 512 MB.
_KEPT_SAMPLES = 128 * 2**20


class Sounds:
    """Reads recordings by any of their paths whose file is unchanged.

    Parameters
    ----------
    decoding : IsolatedDecoding
        Processes that decode.
    locate : callable, optional
        Returns the path of a stored recording that may be read, or raises an `AudioError`.
    """

    def __init__(self, decoding: IsolatedDecoding, locate: Callable[[str], Path] = resolve_path) -> None:
        self._decoding = decoding
        self._locate = locate
        self._kept: OrderedDict[tuple[str, float, float], FloatArray | None] = OrderedDict()
        self._n_kept = 0

    def read(
        self, files: Sequence[Recording], start_s: float = 0.0, end_s: float = float("inf")
    ) -> FloatArray | None:
        """Return a part of a recording as samples; None if no file of it can be read.

        Parameters
        ----------
        files : sequence of Recording
            A recording under each of its paths.
        start_s, end_s : float
            Bounds of the part.
        """
        key = (files[0].recording_id, start_s, end_s)
        if key not in self._kept:
            samples = self._first_readable(files, start_s, end_s)
            self._kept[key] = samples
            self._n_kept += 0 if samples is None else len(samples)
            while self._n_kept > _KEPT_SAMPLES and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._n_kept -= 0 if dropped is None else len(dropped)
        self._kept.move_to_end(key)
        return self._kept[key]

    def size_of(self, uri: str) -> int:
        """Return the size of a file in bytes; 0 if it cannot be read."""
        try:
            return self._locate(uri).stat().st_size
        except (AudioError, OSError):
            return 0

    def _first_readable(
        self, files: Sequence[Recording], start_s: float, end_s: float
    ) -> FloatArray | None:
        for file in files:
            try:
                if file.stat not in (None, snapshot(file.uri).stat):
                    continue
                waveform = self._decoding.run(
                    load_audio,
                    self._locate(file.uri),
                    Part(start_s, end_s),
                    sample_rate_hz=RATE_HZ,
                )
            except (AudioError, ParameterError):
                continue
            samples: FloatArray = waveform.samples
            return samples
        return None
