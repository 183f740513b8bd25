"""Answers to requests that do not reach a route."""

from __future__ import annotations

from starlette.responses import Response

from executors.gateway.problems import problem_response
from soundalike.errors import SoundalikeError

_SCHEMES = 'Bearer realm="soundalike", ApiKey realm="soundalike"'


def refusal(error: SoundalikeError, *, retry_after_s: int | None = None) -> Response:
    """Return a problem document.

    Parameters
    ----------
    error : SoundalikeError
    retry_after_s : int, optional
        When the client may come again.
    """
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if error.http_status == 401:
        headers["WWW-Authenticate"] = _SCHEMES
    return problem_response(error.http_status, repr(error), headers)
