"""Named searches on the page: saved, run, marked, undone and removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.fixtures.planted import Nights

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.browser


@pytest.fixture
def searched(service: Service, page: Any, nights: Nights) -> Any:
    """Give the page with the results of the call."""
    for path in (nights.night, nights.quiet):
        assert service.post("/index", {"uri": str(path)}).status == 200
    page.goto(page.address)
    page.set_input_files("#file", nights.call)
    expect(page.locator(".match")).to_have_count(2)
    return page


def save_as(page: Any, name: str) -> None:
    page.locator(".saving summary").click()
    page.locator(".save input[name=name]").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()


def test_a_search_is_saved_marked_run_again_and_removed(searched: Any, service: Service):
    save_as(searched, "calls")
    expect(searched).to_have_url(re.compile("named=calls$"))
    # A saved search cannot be saved again: these are its own results.
    expect(searched.get_by_text("Save search")).to_have_count(0)
    expect(searched.locator("#query")).to_contain_text("call.wav")
    expect(searched.locator(".match")).to_have_count(2)
    first = searched.locator(".match").first
    place = first.locator(".facts dd").first.inner_text()

    # Marks go to the server, and the address stays.
    first.get_by_role("button", name="Play").focus()
    searched.keyboard.press("n")
    said = searched.locator(".marks")
    expect(said).to_contain_text("Marked: 0 right, 1 wrong")
    searched.keyboard.press("y")
    expect(said).to_contain_text("Marked: 1 right, 1 wrong")
    expect(searched).to_have_url(re.compile("named=calls$"))
    found = service.request("/api/searches/calls").json
    assert [mark["verdict"] for mark in found["marks"]] == ["wrong", "right"]

    # Another place of the recording comes in place of the wrong one, also after a reload.
    searched.get_by_role("button", name="Run again").click()
    expect(searched.locator(".match", has_text="night.wav").locator(".facts dd").first).not_to_have_text(
        place
    )
    searched.reload()
    expect(said).to_contain_text("Marked: 1 right, 1 wrong")
    searched.get_by_label("Leave out places marked right").check()
    expect(searched).to_have_url(re.compile("unmarked=true"))
    expect(searched.get_by_label("Leave out places marked right")).to_be_checked()

    searched.get_by_role("button", name="Take back the latest mark").click()
    expect(said).to_contain_text("Marked: 0 right, 1 wrong")
    searched.go_back()
    expect(searched.get_by_label("Leave out places marked right")).not_to_be_checked()

    searched.get_by_role("button", name="Choose another query").click()
    expect(searched.locator("#results")).to_contain_text("call.wav \N{MIDDLE DOT} 0 right, 1 wrong")
    searched.get_by_role("button", name="Remove calls").click()
    searched.get_by_role("button", name="Delete").click()
    expect(searched.locator("#results")).not_to_contain_text("Named searches")
    assert service.request("/api/searches").json["searches"] == []
    assert searched.complaints == []


def test_a_name_that_is_wrong_or_taken_is_explained(searched: Any):
    save_as(searched, "two words")
    expect(searched.locator(".save")).to_contain_text("A name has up to 63 letters")
    searched.locator(".save input[name=name]").fill("calls")
    searched.get_by_role("button", name="Save", exact=True).click()
    expect(searched).to_have_url(re.compile("named=calls$"))
    searched.go_back()
    expect(searched.locator("#query")).to_contain_text("3.2 s")
    save_as(searched, "calls")
    expect(searched.locator(".save").get_by_role("alert")).to_contain_text("store.search_exists")
    searched.get_by_label("Replace a search of this name").check()
    searched.get_by_role("button", name="Save", exact=True).click()
    expect(searched).to_have_url(re.compile("named=calls$"))
