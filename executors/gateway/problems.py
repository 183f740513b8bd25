"""Turn errors into an HTTP status and a problem document with a stable code."""

from __future__ import annotations

import errno
import re
from http import HTTPStatus
from typing import Any, Dict

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from soundalike.errors import DiskFull, ParameterError, ServiceError, SoundalikeError, http_status_of

MEDIA_TYPE = "application/problem+json"
#: Key of the code in the scope of a request that was answered with a problem.
CODE = "soundalike.code"
_OWN_ERROR = re.compile(r"^([a-z]+\.[a-z_]+): (.+)$", re.DOTALL)
_VALIDATION = re.compile(r"^\d+ validation errors? for ")
_PYDANTICS_OWN = re.compile(r"\s*For further information visit https://errors\.pydantic\.dev/\S+")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_SHOWN = 80


def problem_of(status: int, detail: str) -> Dict[str, Any]:
    """Return a problem document (RFC 9457) for a failed request.

    Parameters
    ----------
    status : int
        The status that Jina answers with.
    detail : str
        The repr of an executor's exception, which for Soundalike's own errors begins
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
        detail = " ".join(_PYDANTICS_OWN.sub("", detail).split())
    elif status in (503, 504):
        code = ServiceError.code
    else:
        code = SoundalikeError.code if status >= 500 else f"http.{status}"
    return {"status": status, "code": code, "title": _title(status), "detail": detail}


def document_failed(doc: Any) -> HTTPException:
    """Return the exception for a request whose only document has failed."""
    return HTTPException(500, f"{doc.error_code}: {doc.error}")


def answer_with_problems(app: FastAPI) -> None:
    """Turn failures of a whole request into a status and a JSON body with a stable code."""

    @app.exception_handler(HTTPException)
    async def on_http_exception(_: Request, exc: HTTPException) -> Response:
        if isinstance(exc.__cause__, OSError):
            # FastAPI says of every body that it could not write to the disk that it is damaged.
            return problem_response(500, detail_of(exc.__cause__))
        return problem_response(exc.status_code, str(exc.detail), exc.headers)

    @app.exception_handler(SoundalikeError)
    async def on_own_error(_: Request, exc: SoundalikeError) -> Response:
        return problem_response(exc.http_status, repr(exc))

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(_: Request, exc: RequestValidationError) -> Response:
        if own := _own_error_in(exc):
            return problem_response(own.http_status, repr(own))
        found = [_what_is_invalid(error) for error in exc.errors()[:5]]
        return problem_response(422, f"{ParameterError.code}: {'; '.join(found)}")

    @app.exception_handler(UnicodeEncodeError)
    async def on_half_a_character(_: Request, __: UnicodeEncodeError) -> Response:
        # Half of a surrogate pair: JSON can say it, a message to an executor cannot.
        detail = f"{ParameterError.code}: the text holds a character that is no Unicode; remove it"
        return problem_response(422, detail)

    @app.exception_handler(UnboundLocalError)
    async def on_jinas_error(_: Request, __: UnboundLocalError) -> Response:
        # Jina raises it where it means that an executor cannot be reached.
        return problem_response(503, "an executor cannot be reached; see /health")

    @app.exception_handler(OSError)
    @app.exception_handler(Exception)
    async def on_exception(_: Request, exc: Exception) -> Response:
        return problem_response(500, detail_of(exc))


def problem_response(status: int, detail: str, headers: Any = None) -> JSONResponse:
    """Return the answer to a failed request; parameters are those of `problem_of`."""
    problem = problem_of(status, detail)
    return ProblemResponse(problem, problem["status"], headers=headers)


class ProblemResponse(JSONResponse):
    """A problem document; it leaves its code in the scope of the request."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Dict[str, Any], status: int, headers: Any = None) -> None:
        super().__init__(problem, status, headers=headers)
        self._code = problem["code"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        scope[CODE] = self._code
        await super().__call__(scope, receive, send)


def detail_of(exc: BaseException) -> str:
    """Return the public text of an unexpected error, for `problem_of`."""
    if isinstance(exc, OSError) and exc.errno in _NO_SPACE:
        return repr(DiskFull("the service's disk is full; free some space and send it again"))
    return type(exc).__name__


def _own_error_in(exc: RequestValidationError) -> SoundalikeError | None:
    """Return the error that one of the models raised, which pydantic has wrapped in its own."""
    inner = [error.get("ctx", {}).get("error") for error in exc.errors()]
    return next((error for error in inner if isinstance(error, SoundalikeError)), None)


def _what_is_invalid(error: Dict[str, Any]) -> str:
    """Return a fault that pydantic found as a sentence, with the value received."""
    place, *names = error["loc"] or ("body",)
    if error["type"] == "json_invalid":
        return f"the body is no JSON ({error['ctx']['error']})"
    if place not in ("body", "query", "path", "header"):
        names = [place, *names]
    name = ".".join(map(str, names)) or f"the {place}"
    given = error.get("input")
    if "UploadFile" in error["msg"]:
        return f"{name} is text; send a sound file, with curl like -F {names[0]}=@siren.mp3"
    if error["type"] == "extra_forbidden" or not isinstance(given, str | int | float):
        return f"{name}: {error['msg']}"
    return f"{name}: {error['msg']}; it is {str(given)[:_SHOWN]!r}"


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
