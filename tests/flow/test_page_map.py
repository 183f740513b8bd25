"""The map, on the page and as a file, in a real browser."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from soundalike.maps.page import render

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.browser

STORED = ("dog_bark/dog_bark_1.mp3", "rain/rain_1.mp3", "siren/siren_2.m4a")
HOSTILE = "</script><img src=x onerror=alert(1)>"
#: The place of a pixel that belongs to a point.
_POINT = """canvas => {
  const {data, width, height} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const at = data.findIndex((value, place) => place % 4 === 3 && value === 255) >> 2;
  const ratio = canvas.clientWidth / width;
  return [(at % width) * ratio, Math.floor(at / width) * ratio + 1];
}"""


def click_a_point(page: Any) -> None:
    canvas = page.locator(".map-canvas")
    page.wait_for_function(f"({_POINT})(document.querySelector('.map-canvas'))[0] > 0")
    x, y = canvas.evaluate(_POINT)
    canvas.hover(position={"x": x, "y": y})
    expect(page.locator(".map-tip")).to_be_visible()
    canvas.click(position={"x": x, "y": y})
    expect(page.locator(".map-details h3")).to_have_text(re.compile(r"\.(mp3|m4a)$"))


def test_points_are_pointed_at_played_found_circled_and_saved(
    service: Service, page: Any, toy_data: Path
):
    for name in STORED:
        answer = service.post("/index", {"uri": str(toy_data / name), "label": HOSTILE})
        assert answer.json["parameters"]["failed"] == 0, answer.text
    page.goto(page.address)
    page.set_input_files("#file", toy_data / "queries" / "dog_bark_query_1.mp3")
    expect(page.locator(".match")).to_have_count(len(STORED))
    page.get_by_role("link", name="Map", exact=True).click()
    said = page.locator(".map-said")
    expect(said).to_contain_text("3 recordings, laid out by PCA. 3 hits of the last search")

    click_a_point(page)
    expect(page.locator("#player")).to_have_js_property("paused", False)
    expect(page.locator(".map-details img")).to_have_js_property("complete", True)
    # A name of a label is shown and never run.
    expect(page.locator(".map-details")).to_contain_text(HOSTILE)
    expect(page.locator(".map-legend")).to_contain_text(HOSTILE)
    page.get_by_label("Colour by").select_option("duration")
    expect(page).to_have_url(re.compile("colour=duration"))
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})

    # The keyboard and a screen reader have the same points.
    page.get_by_text("List of the points").click()
    listed = page.locator(".map-list li")
    expect(listed).to_have_count(len(STORED))
    page.get_by_role("searchbox", name="Find").fill("siren_2")
    expect(said).to_contain_text("1 found")
    listed.get_by_role("button").press("Enter")
    expect(page.locator(".map-details h3")).to_have_text("siren_2.m4a")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as CSV").click()
    (row,) = csv.DictReader(saving.value.path().open(encoding="utf-8"))
    assert (row["uri"], row["label"]) == (str(toy_data / STORED[2]), HOSTILE)

    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".map-canvas").bounding_box()
    corners = [
        (2, 2),
        (box["width"] - 2, 2),
        (box["width"] - 2, box["height"] - 2),
        (2, box["height"] - 2),
    ]
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    for right, down in corners:
        page.mouse.move(box["x"] + right, box["y"] + down)
    page.mouse.up()
    expect(said).to_contain_text("3 selected")
    page.get_by_role("link", name="More like this").click()
    expect(page.locator("#query")).to_contain_text("siren_2.m4a")
    assert page.complaints == []

    # The same as a file, which may load nothing.
    text = render(service.request("/api/map").json, f"Map of {HOSTILE}")
    page.goto("about:blank")
    page.set_content(text)
    click_a_point(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Map of {HOSTILE}")
    expect(page.locator(".map-details")).to_contain_text(HOSTILE)
    assert page.locator("img").count() == 0
    assert page.complaints == []
    assert page.foreign == []


def test_an_empty_library_has_no_map_and_map_leads_to_the_view(page: Any):
    page.goto(f"{page.address}map")
    expect(page).to_have_url(re.compile("#/map$"))
    expect(page.locator("#map [role=alert]")).to_contain_text("Nothing has been indexed yet")
