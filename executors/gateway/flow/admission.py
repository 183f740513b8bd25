"""Reject unsafe requests before they reach an executor (HTTP and gRPC)."""

from __future__ import annotations

from jina.types.request.data import DataRequest

from executors.gateway.flow.request_names import RequestNames
from executors.gateway.guard.content import check_finite
from executors.jina_fixes.request_steps import Forward
from soundalike.errors import ParameterError


class Admission:
    """Reject requests that would do harm in the Flow: a step.

    That is: requests that name executors, or with a parameter that is NaN or infinite, or with the name
    of an endpoint or parameter that no executor knows.

    Parameters
    ----------
    names : RequestNames
    """

    def __init__(self, names: RequestNames) -> None:
        self._names = names

    async def __call__(self, request: DataRequest, forward: Forward) -> DataRequest:
        """Forward a request, or answer it with the error."""
        try:
            check_executor(request.header.target_executor)
            # Done already over HTTP. Over gRPC parameters come as protobuf, which can hold such numbers
            # and fails to convert them.
            check_finite(request.proto_wo_data.parameters, "parameters")
            await _check_names(request, self._names)
        except ParameterError as exc:
            return _refused(request, exc)
        return await forward(request)


async def _check_names(request: DataRequest, names: RequestNames) -> None:
    """Raise `ParameterError` where a request has an unknown name; give parameters their proper ones."""
    try:
        await names.learn()
    except Exception:
        # An executor cannot be reached: the request will find that out, and is answered with it.
        return
    given = request.parameters
    proper = names.checked(request.header.exec_endpoint, given)
    if proper != given:
        request.parameters = proper


def check_executor(named: object) -> None:
    """Raise `ParameterError` where a request names an executor in place of going through all of them.

    Without the segmenter, a client could store any file of an allowed folder as a recording, and play
    it. And Jina takes the name for a regular expression; some of these never end.
    """
    if named:
        raise ParameterError(
            f"the request names the executor {str(named)[:80]!r}, and requests go through all of them; "
            "leave out target_executor"
        )


def _refused(request: DataRequest, error: ParameterError) -> DataRequest:
    request.add_exception(error)
    # The caller could not read such numbers either.
    request.proto_wo_data.parameters.Clear()
    return request
