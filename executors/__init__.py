"""Jina's side of Soundalike: executors and gateway that translate, and decide nothing."""

import importlib
import sys

from executors.jina_fixes.log_levels import log_mistakes_briefly
from executors.jina_fixes.typed_lists import mend_typed_lists
from soundalike.runtime.freed_memory import keep_freed_memory

#: DocArray imports these where they are installed, to offer array types that nobody uses here. With
#: TensorFlow that costs every process of the Flow 500 MB and seven seconds.
_UNUSED_BY_DOCARRAY = ("tensorflow", "torch", "jax")


def _import_docarray_alone() -> None:
    """Import DocArray as if the array libraries were not installed; they stay importable after."""
    hidden = [name for name in _UNUSED_BY_DOCARRAY if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("docarray.typing")
    finally:
        for name in hidden:
            del sys.modules[name]


# A pod that was started without flow.yml, by ``jina executor``, learns of its parent's end here.
importlib.import_module("executors.jina_fixes.lifetimes").end_with_starter()
_import_docarray_alone()
mend_typed_lists(sys.modules["docarray.array.any_array"])
importlib.import_module("executors.jina_fixes.cheap_documents").read_documents_cheaply()
keep_freed_memory()
log_mistakes_briefly()
