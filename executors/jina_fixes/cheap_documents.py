"""DocArray reads documents without building again, for each of them, what is the same for all."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from docarray import BaseDoc
from docarray.typing import ID


def read_documents_cheaply() -> None:
    """Replace two of DocArray's methods by others that give the same.

    For the id of each document a new validator of pydantic was compiled, and for each field its type
    was taken apart again: together most of the time that it took to read an answer with ten matches.
    """
    id_class: Any = ID
    id_class.from_protobuf = classmethod(lambda cls, text: cls(text))
    document: Any = BaseDoc
    annotation_of: Any = lru_cache(maxsize=4096)(document._get_field_annotation.__func__)
    document._get_field_annotation = classmethod(annotation_of)
