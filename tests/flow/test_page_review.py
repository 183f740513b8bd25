"""Results that are reviewed on the page: with the keyboard, by a threshold, in several collections."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.fixtures.planted import CALLS_S, Nights

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.browser


@pytest.fixture
def stored(service: Service, nights: Nights) -> str:
    """Store both nights; return the address of a search for one of the calls."""
    paths = (nights.night, nights.quiet)
    rows = service.post("/index", *({"uri": str(path)} for path in paths)).json["data"]
    return f"#/search?recording={rows[0]['recording_id']}&start={CALLS_S[1]}&end={CALLS_S[1] + 4}"


@pytest.fixture
def answer_with(page: Any) -> Callable[..., None]:
    """Change the matches of the answers to searches."""

    def change(matches_of: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        def fulfil(route: Any) -> None:
            answer = route.fetch()
            found = answer.json()
            route.fulfill(response=answer, json={**found, "matches": matches_of(found["matches"])})

        page.route("**/api/search", fulfil)

    return change


def match(page: Any, rank: int) -> Any:
    return page.locator(".match").nth(rank - 1)


def has_focus(there: Any) -> None:
    expect(there).to_be_focused()


def test_results_are_reviewed_with_the_keyboard_alone(page: Any, stored: str):
    page.goto(page.address + stored)
    expect(page.locator(".match")).to_have_count(2)
    expect(match(page, 1).locator(".strip")).to_contain_text("events in this recording")
    # Rates are unknown where there are few recordings.
    expect(page.locator(".answers .threshold")).to_have_count(0)
    page.keyboard.press("Tab")
    while (
        not match(page, 1)
        .get_by_role("button", name="Play")
        .evaluate("it => it === document.activeElement")
    ):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("!document.getElementById('player').paused")

    # The next event in place of the match: it is played and marked.
    page.keyboard.press("e")
    strip = match(page, 1).locator(".strip")
    expect(strip).to_contain_text(re.compile(r"Event \d of \d: "))
    begin = int(re.findall(r"(\d+)\.0\N{EN DASH}", strip.inner_text())[0])
    has_focus(match(page, 1).get_by_role("button", name="Play"))
    page.keyboard.press("Enter")
    page.wait_for_function(
        "at => (it => !it.paused && it.currentTime >= at)(document.getElementById('player'))", arg=begin
    )
    page.keyboard.press("y")
    expect(page).to_have_url(re.compile(rf"like=[^&]*%3A{begin}-"))
    has_focus(match(page, 2).get_by_role("button", name="Play"))
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("unlike="))
    has_focus(page.get_by_role("button", name="Search again with marks"))
    page.keyboard.press("Enter")
    expect(page.locator("#announcer")).to_contain_text("matches. First: night.wav", timeout=20_000)
    expect(match(page, 1).get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "true")
    assert page.complaints == []


def test_an_event_is_shown_beside_the_query(page: Any, stored: str):
    page.goto(page.address + stored)
    first = match(page, 1)
    expect(first.locator(".strip")).to_contain_text("events in this recording")
    first.get_by_role("button", name="Compare").click()
    expect(first.locator(".side-b").locator("..")).to_contain_text("match, ")
    events = set()
    for _ in CALLS_S:
        first.get_by_role("button", name="Next event").click()
        events.add(first.locator(".compare h4").nth(1).inner_text())
    assert len(events) > 1
    assert all("event, " in text for text in events)
    expect(first.locator(".compare .mel").nth(1)).to_have_js_property("complete", True)


def test_a_threshold_of_false_alarms_leaves_some_matches(
    page: Any, stored: str, answer_with: Callable[..., None]
):
    answer_with(
        lambda found: [
            {**one, "false_alarm_rate": rate} for one, rate in zip(found, (0.002, 0.5), strict=True)
        ]
    )
    page.goto(page.address + stored)
    label = page.locator(".answers .threshold label")
    expect(label).to_have_text("Any false-alarm rate: 2 of 2 matches")
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(label).to_have_text("False alarms up to 1 in 16: 1 of 2 matches")
    expect(match(page, 2)).to_be_hidden()
    expect(page.locator("#announcer")).to_have_text("False alarms up to 1 in 16: 1 of 2 matches")
    expect(page).to_have_url(re.compile("rate=0.063"))
    page.reload()
    expect(label).to_have_text("False alarms up to 1 in 16: 1 of 2 matches")
    expect(match(page, 2)).to_be_hidden()


def test_collections_of_one_kind_are_searched_together(
    page: Any, stored: str, service: Service, nights: Nights
):
    service.post("/index", {"uri": str(nights.quiet)}, collection="other")
    page.goto(page.address + stored)
    expect(page.locator(".match")).to_have_count(2)
    page.get_by_role("checkbox", name="other").check()
    page.get_by_role("button", name="Search", exact=True).or_(
        page.get_by_role("button", name="Search for this part")
    ).click()
    expect(page.locator(".match")).to_have_count(3)
    expect(page).to_have_url(re.compile("also=other"))
    expect(page.locator("#results .notice")).to_have_count(0)
    page.reload()
    expect(page.locator(".match .facts dd", has_text="other")).to_have_count(1)
    expect(page.get_by_role("checkbox", name="other")).to_be_checked()


def test_collections_of_other_kinds_are_merged_by_false_alarm_rate(
    page: Any, stored: str, service: Service, nights: Nights, answer_with: Callable[..., None]
):
    seconds = {"collection": "seconds", "window_size": 1, "stride": 1}
    assert service.post("/index", {"uri": str(nights.night)}, **seconds).status == 200
    rates = {"seconds": 0.001, "default": 0.01}
    answer_with(lambda found: [{**one, "false_alarm_rate": rates[one["collection"]]} for one in found])
    page.goto(f"{page.address}{stored}&also=seconds")
    expect(page.locator(".match")).to_have_count(3)
    expect(page.locator("#results .notice")).to_contain_text("Searched separately")
    expect(match(page, 1)).to_contain_text("seconds")
    expect(match(page, 1).locator(".rank")).to_have_text("Rank 1")
    expect(match(page, 3).locator(".rank")).to_have_text("Rank 3")

    # The query is in another collection than its occurrences.
    match(page, 1).get_by_role("link", name="All occurrences in").click()
    expect(page.locator("#events .event-table tbody tr").first).to_be_visible()
    page.get_by_role("link", name="Back to the results").click()
    expect(page.locator(".match")).to_have_count(3)
    assert page.complaints == []


def test_a_collection_that_cannot_be_searched_is_named(page: Any, stored: str):
    page.goto(f"{page.address}{stored}&also=nothing")
    expect(page.locator(".match")).to_have_count(2)
    expect(page.locator("#results .notice")).to_contain_text("Not searched: nothing.")
