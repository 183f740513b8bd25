"""Check the names of endpoints and parameters in requests against the declared ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Dict, FrozenSet, Optional

from google.protobuf import json_format  # type: ignore[import-untyped]
from jina.serve.runtimes.gateway.streamer import GatewayStreamer
from jina.types.request.data import DataRequest

from executors.jina_fixes.request_steps import Forward
from executors.messages.names import JINAS_OWN, PARAMETER_ALIASES, aliases_of
from soundalike.errors import ParameterError
from soundalike.parameters import refuse_unknown, resolve_aliases, unknown_parameter

#: Where an executor that binds no endpoint by name answers all of them.
_ANY = "/default"
#: Jina's mark between an executor's name and the name of a parameter that is for it alone.
_MARK = "__"
#: Names that each executor takes; None: it declares no model, and takes any.
_Takers = Mapping[str, Optional[FrozenSet[str]]]


class RequestNames:
    """The names of endpoints and parameters that the executors of a Flow declare.

    A user's own executors may stand between ours and have parameters of their own. Each executor says at
    the start of the gateway which it declares.

    Parameters
    ----------
    streamer : GatewayStreamer
    """

    def __init__(self, streamer: GatewayStreamer) -> None:
        self._streamer = streamer
        self._declared: Dict[str, Dict[str, Optional[FrozenSet[str]]]] = {}

    async def learn(self) -> None:
        """Ask the executors for their declarations, once.

        An executor that cannot be reached leaves this undone; the request then meets the same fault.
        """
        graph = self._streamer.topology_graph
        if len(self._declared) == len(self._streamer._executor_addresses):
            return
        await graph._get_all_endpoints(self._streamer._connection_pool)
        for node in graph.all_nodes:
            schemas = json_format.MessageToDict(node._endpoints_proto[0].schemas)
            self._declared[node.name] = {
                endpoint: _names(parts["parameters"].get("model")) for endpoint, parts in schemas.items()
            }

    def checked(self, endpoint: str, given: Mapping[str, Any]) -> Dict[str, Any]:
        """Return the parameters of a request by their proper names.

        ``executor__name`` and ``{"executor": {"name": ...}}`` are for one executor, as Jina has it.

        Raises
        ------
        UnknownParameter
            No executor serves the endpoint, or takes a name.
        ParameterError
            A value was given under two names.
        """
        takers = self._takers(endpoint)
        every = sorted({name for names in takers.values() for name in names or ()})
        flat = {name: value for name, value in given.items() if name not in JINAS_OWN}
        for executor in takers.keys() & flat.keys() - set(every):
            if isinstance(flat[executor], Mapping):
                inner = flat.pop(executor)
                flat.update({f"{executor}{_MARK}{name}": value for name, value in inner.items()})
        proper = resolve_aliases(flat, aliases_of(every, PARAMETER_ALIASES))
        for name in proper.keys() - set(every):
            _check_specific(name, takers, every)
        return proper

    def addressed(self, endpoint: str, parameters: Mapping[str, Any]) -> Dict[str, Any]:
        """Return parameters addressed so that each executor gets only the ones that it takes."""
        takers = self._takers(endpoint)
        typed = [names for names in takers.values() if names is not None]
        sent: Dict[str, Any] = {}
        for name, value in parameters.items():
            if _MARK in name or all(name in names for names in typed):
                sent[name] = value
                continue
            for executor, names in takers.items():
                if names is None or name in names:
                    sent.setdefault(f"{executor}{_MARK}{name}", value)
        return {**sent, **{name: value for name, value in parameters.items() if _MARK in name}}

    def _takers(self, endpoint: str) -> _Takers:
        served = {
            name: endpoints.get(endpoint, endpoints.get(_ANY))
            for name, endpoints in self._declared.items()
            if endpoint in endpoints or _ANY in endpoints
        }
        if not served:
            known = sorted({one for endpoints in self._declared.values() for one in endpoints})
            public = [one for one in known if one.startswith("/")]
            raise unknown_parameter(endpoint, public, kind="endpoint")
        return served


class KnownNames:
    """Send each executor the parameters that it takes: a step.

    Parameters
    ----------
    names : RequestNames
    """

    def __init__(self, names: RequestNames) -> None:
        self._names = names

    async def __call__(self, request: DataRequest, forward: Forward) -> DataRequest:
        """Forward a request with addressed parameters."""
        given = request.parameters
        try:
            sent = self._names.addressed(request.header.exec_endpoint, given)
        except ParameterError:
            # Nothing is known of the executors yet; they check for themselves.
            sent = given
        if sent == given:
            return await forward(request)
        request.parameters = sent
        answer = await forward(request)
        own = {name: value for name, value in answer.parameters.items() if name in JINAS_OWN}
        # An answer repeats the parameters of the request.
        answer.parameters = {**given, **own}
        return answer


def _names(model: Optional[Mapping[str, Any]]) -> Optional[FrozenSet[str]]:
    return None if model is None else frozenset(model.get("properties", {}))


def _check_specific(name: str, takers: _Takers, every: list[str]) -> None:
    """Raise `UnknownParameter` unless a name is meant for one executor, which takes it."""
    executor, mark, inner = name.partition(_MARK)
    if not mark or executor not in takers:
        raise unknown_parameter(name, every)
    names = takers[executor]
    if names is not None:
        refuse_unknown([inner], sorted(names), executor)
