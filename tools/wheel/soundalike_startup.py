"""Mend DocArray when a program imports it, whatever imports it first.

Python 3.12 and later run this at their start, because ``soundalike.pth`` lies beside it. Jina's command
``jina`` imports Jina before it reads which executors to load, so nothing else would be in time. Programs
that never import DocArray pay for one comparison per imported module.

``executors/jina_fixes/typed_lists.py`` says what is wrong with DocArray, and when all this can go.
"""

import sys

_MODULE = "docarray.array.any_array"


class _MendingFinder:
    """Finds `_MODULE` as other finders do, and mends it once it is executed."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):  # noqa: ANN001, ANN206 - typing would be imported
        if name != _MODULE:
            return None
        sys.meta_path.remove(cls)
        from importlib.util import find_spec

        spec = find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_mend(module):  # noqa: ANN001, ANN202 - as above
            execute(module)
            _mend(module)

        spec.loader.exec_module = execute_and_mend
        return spec


def _mend(any_array):  # noqa: ANN001, ANN202 - as above
    """Apply the mend, without its package: that would import DocArray, which is just being imported."""
    import os.path
    from importlib.util import find_spec, module_from_spec, spec_from_file_location

    package = find_spec("executors")
    if package is None or not package.submodule_search_locations:
        return
    path = os.path.join(package.submodule_search_locations[0], "jina_fixes", "typed_lists.py")
    if os.path.exists(path):
        spec = spec_from_file_location("_soundalike_typed_lists", path)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        module.mend_typed_lists(any_array)


sys.meta_path.insert(0, _MendingFinder)
