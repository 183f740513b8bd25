"""A layout as bytes: NumPy's npz with a JSON header, never a pickle."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np

from soundalike.errors import StoreError
from soundalike.maps.layout import Layout
from soundalike.maps.requests import METHODS

_FORMAT = 1
_ARRAYS = {
    "mean": np.float32,
    "axes": np.float32,
    "keys": np.uint64,
    "reduced": np.float16,
    "xy": np.float32,
    "centre": np.float32,
}


def pack(layout: Layout) -> bytes:
    """Return a layout as bytes."""
    header: dict[str, object] = {"format": _FORMAT, "method": layout.method, "scale": layout.scale}
    header["made_at"] = layout.made_at
    out = io.BytesIO()
    arrays = {name: getattr(layout, name) for name in _ARRAYS}
    np.savez(out, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)
    return out.getvalue()


def unpack(content: bytes) -> Layout:
    """Return the layout of `pack`.

    Raises
    ------
    StoreError
        The bytes are damaged, or a later version of Soundalike wrote them.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name].astype(kind) for name, kind in _ARRAYS.items()}
            header = json.loads(stored["header"].tobytes())
        if header["format"] == _FORMAT:
            scale, made_at = float(header["scale"]), str(header["made_at"])
            return _checked(Layout(header["method"], **arrays, scale=scale, made_at=made_at))
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as exc:
        raise StoreError(f"the kept layout is damaged ({exc}); lay out again with --refit") from exc
    raise StoreError(
        f"the kept layout has format {header['format']}, this program reads {_FORMAT}; lay out again "
        "with --refit"
    )


def _checked(layout: Layout) -> Layout:
    n, k = layout.reduced.shape
    is_right = (
        layout.method in METHODS
        and n > 0
        and layout.keys.shape == (n,)
        and layout.xy.shape == (n, 2)
        and layout.axes.shape == (len(layout.mean), k)
        and bool((np.diff(layout.keys.astype(np.float64)) >= 0).all())
    )
    if not is_right:
        raise ValueError("its parts do not belong together")
    return layout
