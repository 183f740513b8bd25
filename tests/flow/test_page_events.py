"""All occurrences of a sound on the page, in a real browser."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
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
NARROW = "\N{NARROW NO-BREAK SPACE}"
N_EVENTS = 3_000
THOUSANDS = f"3{NARROW}000"
NIGHT_S = 10 * 3600.0
#: Elements of the page, however many events there are.
MOST_NODES = 400


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


def test_an_event_is_compared_with_the_query(occurrences: Any):
    occurrences.keyboard.press("n")
    occurrences.keyboard.press("c")
    sides = occurrences.locator("#events .compare h4")
    expect(sides.nth(0)).to_contain_text("query, 1.0")
    expect(sides.nth(1)).to_contain_text("event, 8.4")
    expect(occurrences.locator("#events .compare .mel").nth(1)).to_have_js_property("complete", True)
    occurrences.keyboard.press("n")
    expect(sides.nth(1)).to_contain_text("event, 21.0")
    expect(occurrences).to_have_url(re.compile("compare=1"))
    occurrences.reload()
    expect(sides.nth(1)).to_contain_text("event, 21.0")
    occurrences.keyboard.press("c")
    expect(sides).to_have_count(0)


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


def made_night(rates: bool = False) -> dict[str, Any]:
    """Return an answer with thousands of events in one recording; a higher score has a lower rate."""
    rng = np.random.default_rng(0)
    begins = np.sort(rng.uniform(0, NIGHT_S - 5, N_EVENTS))
    like = {
        **{"uri": "/nights/made.wav", "recording_id": str(UUID(int=1)), "duration_s": NIGHT_S},
        **{"query_start_s": 0.0, "query_end_s": 2.0, "label": None, "tags": {}},
        **{"occurred_at": "2025-05-12T03:03:12+02:00", "collection": "default"},
    }
    scores = rng.uniform(0.3, 0.95, N_EVENTS).tolist()
    events = [
        {
            **like,
            **{"start_s": begin, "end_s": begin + 2, "score": score},
            "false_alarm_rate": 10 ** (1 - 5 * score) if rates else None,
            "strength": "weak" if rates else "unknown",
        }
        for begin, score in zip(begins.tolist(), scores, strict=True)
    ]
    return {"events": events, "is_complete": True, "warnings": []}


@pytest.fixture
def show_made(page: Any) -> Callable[..., Any]:
    """Show a made night. A text needs no recording: nothing is asked of the service."""

    def show(**given: Any) -> Any:
        body = json.dumps(made_night(**given))
        page.route(
            "**/api/events", lambda route: route.fulfill(content_type="application/json", body=body)
        )
        page.goto(f"{page.address}#/events?text=call&in={UUID(int=1)}")
        expect(page.locator(".threshold label")).to_contain_text(f"of {THOUSANDS} events")
        return page

    return show


def test_thousands_of_events_are_drawn_once_a_frame(show_made: Callable[..., Any]):
    page = show_made()
    # Both canvases are drawn once a frame at most, however many keys and wheels come.
    work = page.evaluate(
        """async () => {
            const frame = () => new Promise(requestAnimationFrame);
            const counts = { canvases: 0, bars: 0, frames: 0 };
            const { getContext } = HTMLCanvasElement.prototype;
            HTMLCanvasElement.prototype.getContext = function (...kind) {
                counts.canvases += 1;
                return getContext.apply(this, kind);
            };
            const { fillRect } = CanvasRenderingContext2D.prototype;
            CanvasRenderingContext2D.prototype.fillRect = function (...box) {
                counts.bars += 1;
                return fillRect.apply(this, box);
            };
            const line = document.querySelector(".line");
            const detail = line.querySelector(".detail");
            for (let step = 0; step < 5; step += 1) {
                for (const key of ["+", "ArrowRight", "n", "n", "-", "p", "0"]) {
                    for (let time = 0; time < 10; time += 1) {
                        line.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
                        detail.dispatchEvent(new WheelEvent("wheel", { deltaY: -20, cancelable: true }));
                    }
                }
                await frame();
                counts.frames += 1;
            }
            await frame();
            return counts;
        }"""
    )
    assert 2 <= work["canvases"] <= 2 * (work["frames"] + 1)
    assert work["bars"] <= work["canvases"] * (N_EVENTS + 2)
    assert page.locator("#events *").count() < MOST_NODES


def test_a_threshold_is_drawn_once_a_frame(show_made: Callable[..., Any]):
    page = show_made()
    rows = page.evaluate(
        """async () => {
            const slider = document.querySelector(".threshold input");
            let changes = 0;
            const table = document.querySelector(".event-table tbody");
            const note = (list) => (changes += list.length);
            new MutationObserver(note).observe(table, { childList: true });
            for (let step = 0; step < 40; step += 1) {
                slider.value = 0.3 + step / 100;
                slider.dispatchEvent(new Event("input"));
            }
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            return changes;
        }"""
    )
    assert rows == 1
    expect(page.locator(".threshold label")).to_contain_text("Score 0.69 or more")
    assert page.locator("#events *").count() < MOST_NODES


def test_a_threshold_is_a_false_alarm_rate_where_it_is_known(show_made: Callable[..., Any]):
    page = show_made(rates=True)
    label = page.locator(".threshold label")
    expect(label).to_have_text(f"Any false-alarm rate: {THOUSANDS} of {THOUSANDS} events")
    slider = page.get_by_role("slider")
    # Ten positions for each factor of ten.
    slider.fill("-10")
    left = sum(event["false_alarm_rate"] <= 0.1 for event in made_night(rates=True)["events"])
    shown = f"{left:,}".replace(",", NARROW)
    expect(label).to_have_text(f"False alarms up to 1 in 10: {shown} of {THOUSANDS} events")
    expect(slider).to_have_attribute("aria-valuetext", label.inner_text())
    expect(page).to_have_url(re.compile("rate=0.1"))
    page.reload()
    expect(label).to_contain_text("False alarms up to 1 in 10")
    expect(page.get_by_role("columnheader", name="Match")).to_be_visible()
    expect(page.locator(".event-table td").nth(2)).to_have_text("weak")
    page.set_viewport_size({"width": 320, "height": 800})
    assert is_not_wider_than_the_screen(page)


def test_more_events_than_are_sent_are_exported_by_a_search(show_made: Callable[..., Any]):
    page = show_made(rates=True)
    asked: list[Any] = []

    def export(route: Any) -> None:
        asked.append(route.request)
        route.fulfill(content_type="text/csv", body="uri")

    page.route("**/api/events/export?*", export)
    page.get_by_role("slider").fill("-10")
    events = made_night(rates=True)["events"]
    left = [event["score"] for event in events if event["false_alarm_rate"] <= 0.1]
    assert len(left) > 1000
    expect(page.locator(".threshold label")).to_contain_text("False alarms up to 1 in 10")
    page.locator("#events .export summary").click()
    with page.expect_download() as found:
        page.get_by_role("button", name="Table (CSV)").click()
    assert found.value.suggested_filename == "soundalike.csv"
    assert asked[0].url.endswith("format=csv")
    fields = dict(re.findall(r'name="(\w+)"\s+([^\s]+)', asked[0].post_data))
    assert (fields["text"], fields["recording"]) == ("call", str(UUID(int=1)))
    assert float(fields["max_false_alarms"]) == 0.1
    assert float(fields["min_score"]) == pytest.approx(min(left), abs=2e-6)
    assert float(fields["min_score"]) <= min(left)
