"""The packages of ``soundalike[notebook]``, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from soundalike.errors import ParameterError


def needed(module: str, purpose: str) -> Any:
    """Import a module of an extra package.

    Parameters
    ----------
    module : str
        Its name.
    purpose : str
        What needs it, for the error.

    Raises
    ------
    ParameterError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        package = (exc.name or module).partition(".")[0]
        raise ParameterError(
            f"{purpose} needs {package}; install it with: pip install 'soundalike[notebook]'"
        ) from exc
