"""A model as bytes: NumPy's npz with a JSON header, never a pickle."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from typing import Any

import numpy as np

from soundalike.anomalies.choice import HeldOut
from soundalike.anomalies.distances import METHODS
from soundalike.anomalies.model import NormalModel
from soundalike.anomalies.results import NormalRecording
from soundalike.errors import StoreError
from soundalike.types import IndexSpec

_FORMAT = 1


def pack(model: NormalModel) -> bytes:
    """Return a model as bytes."""
    header = {
        "format": _FORMAT,
        "spec": asdict(model.spec),
        "method": model.method,
        "asked_method": model.asked_method,
        "n_worst": model.n_worst,
        "false_alarm_rate": model.false_alarm_rate,
        "power": model.power,
        "held_out_power": model.held_out.power,
        "recordings": [
            [found.recording_id, found.uri, found.group, len(found.vectors), found.is_accepted]
            for found in model.recordings
        ],
    }
    out = io.BytesIO()
    np.savez(
        out,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        vectors=np.concatenate([found.vectors for found in model.recordings]).astype(np.float16),
        spans=np.concatenate([np.asarray(found.spans, dtype=np.float64) for found in model.recordings]),
        scores=model.held_out.scores,
        peaks=model.held_out.peaks,
    )
    return out.getvalue()


def unpack(content: bytes) -> NormalModel:
    """Return the model of `pack`.

    Raises
    ------
    StoreError
        The bytes are damaged, or a later version of Soundalike wrote them.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("header", "vectors", "spans", "scores", "peaks")}
        header = json.loads(arrays["header"].tobytes())
        if header["format"] == _FORMAT:
            return _model(header, arrays)
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as exc:
        raise StoreError(f"the stored model is damaged ({exc}); learn it again with --replace") from exc
    raise StoreError(
        f"the stored model has format {header['format']}, this program reads {_FORMAT}; update "
        "Soundalike"
    )


def _model(header: dict[str, Any], arrays: dict[str, Any]) -> NormalModel:
    vectors, spans = arrays["vectors"].astype(np.float32), arrays["spans"].tolist()
    recordings, begin = [], 0
    for recording_id, uri, group, count, is_accepted in header["recordings"]:
        rows = slice(begin, begin + count)
        windows = [(start_s, end_s) for start_s, end_s in spans[rows]]
        recordings.append(NormalRecording(recording_id, uri, windows, vectors[rows], group, is_accepted))
        begin += count
    scores, peaks = arrays["scores"], arrays["peaks"]
    if header["method"] not in METHODS or not len(scores) == len(peaks) == len(recordings):
        raise ValueError("its parts do not belong together")
    return NormalModel(
        spec=IndexSpec(**header["spec"]),
        recordings=tuple(recordings),
        method=header["method"],
        asked_method=header["asked_method"],
        n_worst=header["n_worst"],
        false_alarm_rate=header["false_alarm_rate"],
        held_out=HeldOut(scores, peaks, header["held_out_power"]),
        power=header["power"],
    )
