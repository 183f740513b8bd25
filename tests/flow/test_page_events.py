"""All occurrences of a sound on the page, in a real browser."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.fixtures.planted import CALLS_S, Nights

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.browser

#: What stands between two seconds.
DASH = "\N{EN DASH}"
#: A browser is busy for less than this while it follows a person.
LONG_TASK_MS = 50
N_EVENTS = 3_000
NIGHT_S = 8 * 3600.0


@pytest.fixture
def searched(service: Service, page: Any, nights: Nights) -> Any:
    """Give the page with the results of the call."""
    paths = (nights.night, nights.quiet)
    answer = service.post(
        "/index", *({"uri": str(path), "recorded_at": "2025-05-01T22:00:00Z"} for path in paths)
    )
    assert answer.json["parameters"]["failed"] == 0, answer.text
    page.goto(page.address)
    page.set_input_files("#file", nights.call)
    expect(page.locator(".match")).to_have_count(2)
    return page


@pytest.fixture
def occurrences(searched: Any) -> Any:
    """Give the page with the occurrences in the night."""
    night = searched.locator(".match", has_text="night.wav")
    night.get_by_role("link", name="All occurrences in night.wav").click()
    expect(searched.get_by_role("heading", level=1)).to_have_text(
        "call.wav: all occurrences in night.wav"
    )
    searched.get_by_label("Score 0.30 or more").fill("0.6")
    expect(searched.locator(".event-table tbody tr")).to_have_count(len(CALLS_S))
    return searched


def announced(page: Any) -> Any:
    return page.locator("#events-announcer")


def is_not_wider_than_the_screen(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_the_keyboard_is_enough(searched: Any):
    link = searched.get_by_role("link", name="All occurrences in night.wav")
    link.focus()
    searched.keyboard.press("Enter")
    slider = searched.get_by_role("slider", name="Score 0.30 or more")
    expect(slider).to_be_visible()
    for name in ("slider", "line"):
        it = slider if name == "slider" else searched.get_by_role("group", name="Time line")
        while not it.evaluate("it => it === document.activeElement"):
            searched.keyboard.press("Tab")
        if name == "slider":
            for _ in range(30):
                searched.keyboard.press("ArrowRight")
            expect(searched.locator(".threshold label")).to_contain_text(
                f"Score 0.60 or more: {len(CALLS_S)} of"
            )
    searched.keyboard.press("n")
    expect(announced(searched)).to_contain_text(f"Event 1 of {len(CALLS_S)}: 8.4{DASH}")
    searched.keyboard.press("n")
    expect(announced(searched)).to_contain_text(f"Event 2 of {len(CALLS_S)}: 21.0{DASH}")
    expect(searched.locator(".event-table tr[aria-current]")).to_contain_text(f"21.0{DASH}")
    searched.keyboard.press("p")
    expect(announced(searched)).to_contain_text("Event 1 of")
    searched.keyboard.press("Enter")
    searched.wait_for_function(
        "at => (it => !it.paused && it.currentTime > at)(document.getElementById('player'))", arg=8.0
    )
    expect(searched.locator(".event-table tr[aria-current] button[aria-pressed=true]")).to_be_visible()

    for key in ("+", "+", "+", "ArrowRight"):
        searched.keyboard.press(key)
    expect(searched).to_have_url(re.compile(r"from=\d+\.\d+&to=\d"))
    stretch = [float(text) for text in re.findall(r"(?:from|to)=([\d.]+)", searched.url)]
    assert stretch[1] - stretch[0] == pytest.approx(60 / 8, abs=0.1)
    searched.keyboard.press("0")
    expect(searched).to_have_url(re.compile("from=0.00&to=60.00"))
    assert searched.complaints == []


def test_the_address_has_the_score_the_event_and_the_way_back(occurrences: Any):
    occurrences.locator(".event-table tbody button").nth(2).click()
    chosen = announced(occurrences).inner_text()
    expect(occurrences).to_have_url(re.compile("score=0.60"))
    expect(occurrences).to_have_url(re.compile(r"at=\d"))
    occurrences.reload()
    expect(occurrences.locator(".event-table tr[aria-current]")).to_have_count(1)
    expect(occurrences.locator(".event-table tbody tr")).to_have_count(len(CALLS_S))
    where = chosen.split(": ")[1].split(",")[0]
    expect(occurrences.locator(".event-table tr[aria-current]")).to_contain_text(where)
    occurrences.go_back()
    expect(occurrences.locator(".match")).to_have_count(2)
    occurrences.go_forward()
    expect(occurrences.locator(".event-table tbody tr")).to_have_count(len(CALLS_S))
    occurrences.get_by_role("link", name="Back to the results").click()
    expect(occurrences.locator(".match")).to_have_count(2)


def test_an_event_is_chosen_with_the_pointer_and_the_wheel_zooms(occurrences: Any):
    box = occurrences.locator(".line .detail").bounding_box()
    x = box["x"] + box["width"] * (CALLS_S[3] + 0.6) / 60
    occurrences.mouse.click(x, box["y"] + box["height"] / 2)
    expect(announced(occurrences)).to_contain_text(f"Event 4 of {len(CALLS_S)}")
    occurrences.mouse.move(x, box["y"] + 20)
    occurrences.mouse.wheel(0, -200)
    expect(occurrences).to_have_url(re.compile("from="))
    occurrences.get_by_role("button", name="Zoom in").click()
    occurrences.get_by_role("button", name="Show the whole recording").click()
    expect(occurrences).to_have_url(re.compile("from=0.00&to=60.00"))


def test_events_are_exported(occurrences: Any):
    occurrences.locator("#events .export summary").click()
    with occurrences.expect_download() as found:
        occurrences.get_by_role("button", name="Table (CSV)").click()
    rows = list(csv.DictReader(Path(found.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [float(row["start_s"]) for row in rows] == pytest.approx(list(CALLS_S), abs=0.1)


def test_the_whole_collection_is_listed_with_names(searched: Any):
    searched.get_by_role("link", name="All occurrences", exact=True).click()
    expect(searched.get_by_role("heading", level=1)).to_have_text("call.wav: all occurrences")
    expect(searched.locator(".event-table tbody tr").first).to_contain_text(re.compile("night|quiet"))
    expect(searched.get_by_role("group", name="Time line")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 1440])
def test_it_fits_the_screen(occurrences: Any, width: int):
    occurrences.set_viewport_size({"width": width, "height": 800})
    occurrences.keyboard.press("n")
    expect(occurrences.locator(".event-table tr[aria-current]")).to_be_visible()
    assert is_not_wider_than_the_screen(occurrences)


def test_what_has_failed_can_be_tried_again(searched: Any):
    searched.route("**/api/events", lambda route: route.abort())
    searched.get_by_role("link", name="All occurrences in night.wav").click()
    expect(searched.get_by_role("alert")).to_contain_text("service.unavailable")
    searched.unroute("**/api/events")
    searched.get_by_role("button", name="Try again").click()
    expect(searched.locator(".event-table tbody tr").first).to_be_visible()


def made_night() -> dict[str, Any]:
    """Return an answer with thousands of events in one recording."""
    rng = np.random.default_rng(0)
    begins = np.sort(rng.uniform(0, NIGHT_S - 5, N_EVENTS))
    like = {
        **{"uri": "/nights/made.wav", "recording_id": str(UUID(int=1)), "duration_s": NIGHT_S},
        **{
            "query_start_s": 0.0,
            "query_end_s": 2.0,
            "false_alarm_rate": None,
            "label": None,
            "tags": {},
        },
        **{"occurred_at": "2025-05-12T03:03:12+02:00", "collection": "default"},
    }
    events = [
        {**like, "start_s": begin, "end_s": begin + 2, "score": score}
        for begin, score in zip(begins.tolist(), rng.uniform(0.3, 0.95, N_EVENTS).tolist(), strict=True)
    ]
    return {"events": events, "is_complete": True, "warnings": []}


def test_thousands_of_events_stay_fluent(searched: Any):
    def answer(route: Any) -> None:
        route.fulfill(status=200, content_type="application/json", body=json.dumps(made_night()))

    searched.route("**/api/events", answer)
    searched.get_by_role("link", name="All occurrences in night.wav").click()
    expect(searched.locator(".threshold label")).to_contain_text("3\N{NARROW NO-BREAK SPACE}000 events")
    searched.evaluate(
        """() => {
            window.long = [];
            const note = (list) => window.long.push(...list.getEntries().map((one) => one.duration));
            new PerformanceObserver(note).observe({ type: "longtask" });
        }"""
    )
    searched.get_by_role("group", name="Time line").focus()
    for key in ("+", "+", "ArrowRight", "+", "n", "n", "p", "-", "0"):
        for _ in range(5):
            searched.keyboard.press(key)
    box = searched.locator(".line .detail").bounding_box()
    searched.mouse.move(box["x"] + 200, box["y"] + 20)
    for _ in range(10):
        searched.mouse.wheel(0, -50)
    slider = searched.get_by_role("slider")
    slider.focus()
    for _ in range(40):
        searched.keyboard.press("ArrowRight")
    searched.wait_for_timeout(500)
    long = searched.evaluate("window.long")
    assert max(long, default=0) < 4 * LONG_TASK_MS
    expect(searched.locator(".threshold label")).to_contain_text("Score 0.70 or more")
    assert len(searched.query_selector_all(".event-table tr")) < 60
