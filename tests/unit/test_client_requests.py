"""What the client sends of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import fields
from typing import Any, cast

import pytest

from soundalike.client.service import Service
from soundalike.events.requests import EventsRequest
from soundalike.maps.requests import MAP_FIELDS, MapRequest
from soundalike.search.queries import Query
from soundalike.search.requests import SearchRequest, TimelineRequest

QUERY = Query(recording_id="a9a2a38d-dd4c-04b5-a043-87d412fc6bf5")
#: Fields that are sent under names of their own.
_APART = {"query", "filters", "zone"}


class _Sent(Exception):
    """The request is complete."""


@pytest.mark.parametrize(
    ("request_of", "send"),
    [
        (SearchRequest(QUERY), lambda client, request: client.search(request)),
        (TimelineRequest(QUERY, 0.5), lambda client, request: client.timeline(request)),
        (EventsRequest(QUERY), lambda client, request: client.events(request)),
    ],
    ids=["search", "timeline", "events"],
)
def test_every_field_of_a_request_is_sent(
    request_of: Any, send: Callable[[Service, Any], Any], monkeypatch: pytest.MonkeyPatch
):
    sent: dict[str, Any] = {}

    def ask(
        connection: Any, path: str, query: Query, parameters: Mapping[str, Any], **how: bool
    ) -> None:
        sent.update(parameters)
        raise _Sent

    monkeypatch.setattr("soundalike.client.service.ask", ask)
    with pytest.raises(_Sent):
        send(Service(cast(Any, None)), request_of)
    assert {field.name for field in fields(request_of)} - _APART <= sent.keys()


def test_every_field_of_a_map_is_sent_and_every_field_of_the_answer_returned():
    sent: dict[str, Any] = {}

    class Fake:
        expected_form = staticmethod(nullcontext)

        def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
            sent.update(body, path=path)
            return dict.fromkeys((*MAP_FIELDS, "later"), 1)

    request = MapRequest(min_cluster=7, normal="pump", refit=True)
    answer = Service(cast(Any, Fake())).map(request)
    assert sent == {**vars(request), "path": "/api/map"}
    assert tuple(answer) == MAP_FIELDS
