"""The id of the request that a task or thread works on."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Optional
from uuid import uuid4

HEADER = "x-request-id"
#: None outside of requests.
REQUEST_ID: ContextVar[Optional[str]] = ContextVar("request_id", default=None)
_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def usable_id(given: Optional[str]) -> str:
    """Return a client's id, or a new one where it gives none that can be logged as it is.

    Examples
    --------
    >>> usable_id("order-4711"), len(usable_id("two words")), len(usable_id(None))
    ('order-4711', 32, 32)
    """
    return given if given and _ID.fullmatch(given) else uuid4().hex
