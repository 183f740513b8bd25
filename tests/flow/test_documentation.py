"""The pages that describe the service come whole from this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

if TYPE_CHECKING:
    from tests.fixtures.service import Service

ENDPOINTS = {"/index", "/search", "/timeline", "/delete", "/status"}


class _Links(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the addresses of scripts, styles, images and icons."""
        values = dict(attrs)
        address = values.get("src") or (values.get("href") if tag == "link" else None)
        if address:
            self.found.append(address)


@pytest.mark.parametrize("page", ["/docs"])
def test_a_page_loads_everything_from_here(service: Service, page: str):
    answer = service.request(page)
    assert answer.status == 200
    assert answer.headers.get_content_type() == "text/html"
    links = _Links()
    links.feed(answer.text)

    assert len(links.found) >= 2
    for address in links.found:
        assert urljoin(service.url, address).startswith(f"{service.url}/"), address
        path = urljoin(f"{service.url}{page}", address).removeprefix(service.url)
        asset = service.request(path) if not address.endswith(".png") else None
        assert asset is None or (asset.status == 200 and len(asset.text) > 1000), address
    others = [url for url in re.findall(r"https?://[^\s'\"<>]+", answer.text) if service.url not in url]
    assert others == []


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "$ref":
                yield part
            else:
                yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def test_the_description_names_each_endpoint_and_is_whole(service: Service):
    description = service.request("/openapi.json").json

    assert description["info"]["title"] == "Soundalike"
    assert description["paths"].keys() >= ENDPOINTS
    assert "/default" not in description["paths"]
    references = set(_references(description))
    assert references
    for reference in references:
        part = description
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
    for endpoint in ENDPOINTS:
        operation = description["paths"][endpoint]["post"]
        assert {"requestBody", "responses"} <= operation.keys()


def test_the_description_shows_fields_and_parameters_of_a_search(service: Service):
    schemas = service.request("/openapi.json").json["components"]["schemas"]

    assert schemas["Clip"]["properties"].keys() >= {
        "uri",
        "audio_base64",
        *("recording_id", "vector", "start_s", "end_s", "at_s"),
        "label",
        "tags",
        "recorded_at",
    }
    assert schemas["SearchParameters"]["properties"].keys() == {
        *("top_k", "exclude_self", "labels", "tags", "uri_prefix", "min_score"),
        *("max_false_alarms", "like", "unlike"),
        *("collection", "collections", "group_by", "window_size", "stride", "where"),
        *("since", "until", "time_of_day", "time_zone", "under"),
    }
    assert schemas["SearchParameters"]["properties"]["top_k"]["description"].endswith("default: 10")


@pytest.mark.browser
def test_swagger_ui_shows_the_operations_without_internet(service: Service, browser_page: Any):
    browser_page.goto(f"{service.url}/docs")
    browser_page.wait_for_selector(".opblock")
    shown = {text.strip() for text in browser_page.locator(".opblock-summary-path").all_inner_texts()}

    assert {text.replace("\u200b", "") for text in shown} >= ENDPOINTS
    assert browser_page.locator(".errors-wrapper").count() == 0
    assert browser_page.foreign == []
    assert browser_page.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("name", ["jina-jina_search", "search-search", "search-search_upload"])
def test_a_search_can_be_tried_out_with_what_the_page_fills_in(
    service: Service, browser_page: Any, toy_data: Any, name: str
):
    sound = str(toy_data / "siren" / "siren_1.mp3")
    indexed = service.post("/index", {"uri": sound})
    assert indexed.status == 200, indexed.text
    browser_page.goto(f"{service.url}/docs")
    operation = browser_page.locator(f"#operations-{name}")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    if name == "search-search_upload":
        operation.locator("input[type=file]").set_input_files(sound)
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table tbody tr").first
    answer.wait_for()

    assert answer.locator(".response-col_status").inner_text().strip() == "200"
    assert '"rank": 1' in answer.locator(".response-col_description").inner_text()
    assert browser_page.foreign == []
