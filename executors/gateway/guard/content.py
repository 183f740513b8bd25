"""Validate request content before it enters the Flow.

Jina keeps a request open for ever, until the gateway is stopped by force, when it turns out on the
way that protobuf cannot hold it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from docarray import BaseDoc
from pydantic import BaseModel

from executors.messages.int32 import INT32
from soundalike.errors import AudioTooLarge, ParameterError

#: protobuf reads messages nested to 100, and a dictionary takes three of them.
MAX_DEPTH = 24
_SHOWN = 80


def check_request(docs: Iterable[BaseDoc], parameters: Any, most_documents: int) -> None:
    """Raise an error for content that no message to an executor can hold, or for too many documents.

    Parameters
    ----------
    docs : iterable of BaseDoc
    parameters : dict or pydantic.BaseModel or None
    most_documents : int

    Raises
    ------
    ParameterError
        Text that is not Unicode, an integer beyond 32 bits, too deep a nesting, or a parameter that is
        NaN or infinite. Numbers in documents are checked one by one, further on.
    AudioTooLarge
        More than `most_documents` documents.
    """
    for number, doc in enumerate(docs):
        if number >= most_documents:
            raise AudioTooLarge(
                f"the request holds more than {most_documents} documents; send them in several, or "
                "raise SOUNDALIKE_MAX_DOCUMENTS"
            )
        _check(doc, f"data[{number}]", 0)
    _check(parameters, "parameters", 0)
    check_finite(parameters, "parameters")


def _check(value: Any, name: str, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value, name)
    elif isinstance(value, int):
        if value not in INT32:
            raise ParameterError(
                f"{_shown(name)} is an integer beyond 32 bits; send it as text, or with a decimal point"
            )
    elif isinstance(value, BaseModel):
        # A document's own fields do not count as nesting.
        for field, part in value.__dict__.items():
            _check(part, f"{name}.{field}", depth)
    elif isinstance(value, Mapping):
        _check_depth(name, depth)
        for key, part in value.items():
            _check_text(key, name)
            _check(part, f"{name}.{key}", depth + 1)
    elif isinstance(value, list):
        _check_depth(name, depth)
        if not set(map(type, value)) <= {float}:  # a vector needs no closer look
            for number, part in enumerate(value):
                _check(part, f"{name}[{number}]", depth + 1)


def check_finite(value: Any, name: str) -> None:
    """Raise `ParameterError` where a value is, or holds, a number that is NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ParameterError(f"{_shown(name)} is {value}; give a number that is finite")
    if isinstance(value, BaseModel):
        value = value.__dict__
    if isinstance(value, Mapping):
        for key, part in value.items():
            check_finite(part, f"{name}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, part in enumerate(value):
            check_finite(part, f"{name}[{number}]")


def _check_depth(name: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ParameterError(f"{_shown(name)} is nested more than {MAX_DEPTH} deep; flatten it")


def _check_text(text: str, name: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair: JSON can hold it, UTF-8 cannot.
        raise ParameterError(f"{_shown(name)} holds a character that is no Unicode; remove it") from None


def _shown(name: str) -> str:
    text = name.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
