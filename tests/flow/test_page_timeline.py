"""How often a sound occurs over time, on the page, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.fixtures.planted import CALLS_S, Nights

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.browser

NIGHT_BEGAN = "2025-05-01T22:30:00+00:00"
QUIET_BEGAN = "2025-05-03T23:00:00+00:00"


@pytest.fixture
def timeline(service: Service, page: Any, nights: Nights) -> Any:
    """Give the page with the timeline of the call, by hour."""
    began = {nights.night: NIGHT_BEGAN, nights.quiet: QUIET_BEGAN}
    clips = [{"uri": str(path), "recorded_at": at} for path, at in began.items()]
    rows = service.post("/index", *clips).json["data"]
    # The browser's zone of this test is UTC.
    query = f"recording={rows[0]['recording_id']}&start={CALLS_S[1]}&end={CALLS_S[1] + 4}"
    page.goto(f"{page.address}#/search?{query}")
    page.get_by_role("link", name="Over time").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("night.wav: over time")
    page.get_by_label("Count by").select_option("hour")
    expect(bars(page).first).to_contain_text("2025-05-01 2")
    return page


def bars(page: Any) -> Any:
    return page.locator("#timeline .event-table tbody tr")


def score(page: Any, least: str) -> None:
    page.get_by_role("slider").fill(least)
    expect(page.locator("#timeline .threshold label")).to_contain_text(f"Score {least} or more: ")


def test_a_bar_leads_to_its_events_and_back(timeline: Any):
    score(timeline, "0.00")
    expect(timeline).to_have_url(re.compile("by=hour&least=0.00"))
    plot = timeline.get_by_role("group", name="Plot of counts over time")
    plot.focus()
    timeline.keyboard.press("ArrowRight")
    expect(timeline.locator("#timeline-announcer")).to_contain_text("2025-05-01 22:00: ")
    expect(bars(timeline).nth(0)).to_have_attribute("aria-current", "true")
    timeline.keyboard.press("ArrowRight")
    expect(timeline.locator("#timeline-announcer")).to_contain_text("2025-05-03 23:00: ")
    timeline.reload()
    expect(bars(timeline).nth(1)).to_have_attribute("aria-current", "true")

    plot.focus()
    timeline.keyboard.press("ArrowLeft")
    timeline.keyboard.press("Enter")
    title = timeline.get_by_role("heading", level=1)
    expect(title).to_contain_text("all occurrences, 2025-05-01 22:00 \N{EN DASH} 2025-05-01 23:00")
    heard = timeline.locator("#events .event-table td.heard")
    expect(heard.first).to_contain_text("2025-05-01 22:30:")
    assert all(text.startswith("2025-05-01 22:30:") for text in heard.all_inner_texts())
    timeline.get_by_role("link", name="Back to the timeline").click()
    expect(bars(timeline).nth(0)).to_have_attribute("aria-current", "true")
    expect(timeline).to_have_url(re.compile("by=hour&least=0.00"))
    timeline.go_back()
    expect(title).to_contain_text("all occurrences")
    assert timeline.complaints == []


def test_a_bar_is_clicked_and_hours_of_the_day_are_added_up(timeline: Any):
    score(timeline, "0.00")
    timeline.get_by_label("Count by").select_option("clock")
    expect(bars(timeline).first).to_contain_text("22:00\N{EN DASH}23:00")
    for width in (320, 1440):
        timeline.set_viewport_size({"width": width, "height": 800})
        assert timeline.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    box = timeline.locator("#timeline canvas").bounding_box()
    # Of 24 bars the last but one, right of the numbers.
    timeline.mouse.click(box["x"] + 34 + (box["width"] - 34) * 22.5 / 24, box["y"] + 60)
    title = timeline.get_by_role("heading", level=1)
    expect(title).to_contain_text("all occurrences, 22:00\N{EN DASH}23:00")
    expect(timeline).to_have_url(re.compile("hours=22%3A00-23%3A00"))


def test_a_score_that_nothing_reaches_is_explained(timeline: Any):
    # Without the query's own recording.
    timeline.goto(timeline.url + "&exclude_self=true")
    timeline.get_by_role("slider").fill("1")
    expect(timeline.locator("#timeline .empty")).to_contain_text("No occurrences at a known time")
    score(timeline, "0.20")
    expect(bars(timeline).first).to_be_visible()
