"""Import DocArray without the array libraries that it would load on the way.

DocArray imports TensorFlow, PyTorch and JAX where they are installed, to offer array types that are
not used here. With TensorFlow that costs every process of the Flow 500 MB and seven seconds.

It can go when DocArray imports these libraries only where their types are used.
"""

from __future__ import annotations

import importlib
import sys

_UNUSED = ("tensorflow", "torch", "jax")


def import_docarray_alone() -> None:
    """Import DocArray as if the array libraries were not installed; they stay importable after."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("docarray.typing")
    finally:
        for name in hidden:
            del sys.modules[name]
