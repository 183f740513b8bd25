"""From what Jina says of a failed request to an HTTP status and a body with a stable code."""

from __future__ import annotations

import re
from typing import Any, Dict

from soundalike.errors import ParameterError, ServiceError, SoundalikeError, http_status_of

_OWN_ERROR = re.compile(r"^([a-z]+\.[a-z_]+): (.+)$", re.DOTALL)
_VALIDATION = re.compile(r"^\d+ validation errors? for ")


def problem_of(status: int, detail: str) -> Dict[str, Any]:
    """Return a problem document (RFC 9457) for a failed request.

    Parameters
    ----------
    status : int
        The status that Jina answers with.
    detail : str
        What it says: the repr of an executor's exception, which for Soundalike's own errors begins
        with their code.

    Returns
    -------
    problem : dict
        ``status``, ``code``, ``title`` and ``detail``.
    """
    own = _OWN_ERROR.match(detail)
    if own:
        code, detail = own.groups()
        status = http_status_of(code)
    elif status == 500 and _VALIDATION.match(detail):
        code, status = ParameterError.code, ParameterError.http_status
        detail = " ".join(detail.split())
    elif status in (503, 504):
        code = ServiceError.code
    else:
        code = SoundalikeError.code if status >= 500 else f"http.{status}"
    return {"status": status, "code": code, "title": _title(status), "detail": detail}


def _title(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
