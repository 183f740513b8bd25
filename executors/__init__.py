"""Jina's side of Soundalike: executors and gateway that translate, and decide nothing."""

import importlib
import sys

from executors.jina_fixes.docarray_import import import_docarray_alone
from executors.jina_fixes.log_levels import log_mistakes_briefly
from executors.jina_fixes.ports import choose_ports_below_clients
from executors.jina_fixes.typed_lists import mend_typed_lists
from soundalike.runtime.freed_memory import keep_freed_memory

# A pod that was started without flow.yml, by ``jina executor``, notices its parent's end here.
importlib.import_module("executors.jina_fixes.lifetimes").end_with_starter()
choose_ports_below_clients()
import_docarray_alone()
mend_typed_lists(sys.modules["docarray.array.any_array"])
importlib.import_module("executors.jina_fixes.cheap_documents").read_documents_cheaply()
keep_freed_memory()
log_mistakes_briefly()
