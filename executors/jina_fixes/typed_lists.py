"""Build typed lists of DocArray that pydantic can read on Python 3.12 and later.

DocArray 0.41 builds ``DocList[Clip]`` with `types.GenericAlias` on Python 3.12 and later. To evaluate an
annotation that is such an alias, pydantic 2.10 subscripts its class again; the class of a typed list
cannot be subscripted, and ``import jina`` fails with ``TypeError: ... not subscriptable``. On Python
3.11 DocArray builds an alias of `typing` instead, which pydantic leaves alone. Here it does so on all.

`executors` applies this when it is imported. For programs that import Jina before `executors`, such as
Jina's own command ``jina``, ``tools/wheel/soundalike_startup.py`` loads this file by its path, without
the package around it; so it imports nothing but the standard library.

It can go when DocArray no longer uses `types.GenericAlias`, or when the pinned pydantic no longer
subscripts it: then ``import jina`` works on Python 3.13 without it.
"""

from __future__ import annotations

import typing
from typing import Any


def mend_typed_lists(any_array: Any) -> None:
    """Make a module ``docarray.array.any_array`` build typed lists as it does on Python 3.11.

    Parameters
    ----------
    any_array : module
        It may still be loading what depends on it, but must not have built a typed list yet.
    """
    # Python 3.11 has no such name there.
    if hasattr(any_array, "GenericAlias"):
        any_array.GenericAlias = _alias


def _alias(origin: type, item: Any) -> Any:
    alias: Any = typing._GenericAlias  # type: ignore[attr-defined]  # what 3.11's Generic[...] returns
    return alias(origin, (item,))
