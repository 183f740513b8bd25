"""The page, in a real browser, as a person uses it."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
import requests
from playwright.sync_api import expect

from soundalike.store.base import Entry
from soundalike.store.normal_models import WatchedFile, WatchEvent
from tests.fixtures.voices import voice

if TYPE_CHECKING:
    from soundalike.store import PostgresStore
    from tests.fixtures.service import Service

pytestmark = pytest.mark.browser

STORED = (
    *("dog_bark/dog_bark_1.mp3", "dog_bark/dog_bark_2.mp3", "rain/rain_1.mp3"),
    *("siren/siren_2.m4a", "long_recording/harbour_75s.ogg"),
)
#: What stands between two seconds.
DASH = "\N{EN DASH}"


@pytest.fixture
def stored(service: Service, toy_data: Path) -> Service:
    """Fill the library with some clips."""
    answer = service.post("/index", *({"uri": str(toy_data / name)} for name in STORED))
    assert answer.json["parameters"]["failed"] == 0, answer.text
    return service


@pytest.fixture
def searched(stored: Service, page: Any, toy_data: Path) -> Any:
    """Give the page with the answers to an uploaded bark."""
    page.goto(page.address)
    page.set_input_files("#file", toy_data / "queries" / "dog_bark_query_1.mp3")
    expect(page.locator(".match")).to_have_count(len(STORED))
    return page


def match(page: Any, rank: int) -> Any:
    return page.locator(".match").nth(rank - 1)


def start_of(shown: Any) -> float:
    """Return the second at which a match begins."""
    text = shown.locator(".facts dd").first.inner_text().split(DASH)[0]
    minutes, _, seconds = text.rpartition(":")
    return 60 * float(minutes or 0) + float(seconds)


def hears(page: Any, at_least_s: float) -> None:
    """Wait until the player is past this second, playing."""
    page.wait_for_function(
        "at => (it => !it.paused && it.currentTime > at)(document.getElementById('player'))",
        arg=at_least_s,
    )


def is_not_wider_than_the_screen(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_an_upload_is_searched_and_a_match_plays_from_its_second(searched: Any):
    first = match(searched, 1)
    expect(first.get_by_role("heading")).to_have_text(re.compile(r"dog_bark_\d\.mp3"))
    expect(first.locator(".label")).to_contain_text("dog_bark")
    # So few recordings tell nothing about unrelated ones.
    expect(first.locator(".words")).to_have_count(0)
    expect(first.locator(".region")).to_be_visible()
    expect(first.locator(".mel")).to_have_js_property("complete", True)
    assert first.locator(".wave path").get_attribute("d").startswith("M0")
    # Answers are told to those who do not see them.
    expect(searched.locator("#announcer")).to_contain_text(f"{len(STORED)} matches. First: dog_bark")

    # One that does not begin with its recording.
    starts = [start_of(match(searched, rank)) for rank in range(1, len(STORED) + 1)]
    start_s = max(starts)
    assert start_s > 0
    later = match(searched, starts.index(start_s) + 1)
    play = later.get_by_role("button", name="Play")
    play.click()
    expect(searched.locator("#player")).to_have_js_property("paused", False)
    assert searched.locator("#player").evaluate("it => it.currentTime") >= start_s
    hears(searched, start_s)
    expect(play).to_have_attribute("aria-pressed", "true")
    expect(later.locator(".signal .head")).to_be_visible()
    play.click()
    expect(play).to_have_attribute("aria-pressed", "false")
    assert searched.complaints == []


def test_below_a_prefix_everything_is_asked_for_there(page: Any, stored: Service, toy_data: Path):
    """A proxy on this machine adds the header; the browser stands in for it."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_extra_http_headers({"X-Forwarded-Prefix": "/sounds"})
    page.goto(f"{stored.url}/sounds/")
    page.set_input_files("#file", toy_data / "queries" / "dog_bark_query_1.mp3")
    first = match(page, 1)
    expect(first.locator(".mel")).to_have_js_property("complete", True)
    first.get_by_role("button", name="Play").click()
    expect(page.locator("#player")).to_have_js_property("paused", False)
    page.get_by_role("link", name="Library").first.click()
    page.set_input_files("#uploads", toy_data / "guitar" / "guitar_1.mp3")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#jobs")).to_contain_text("done")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.locator("#swagger-ui")).to_contain_text("/api/search", timeout=60_000)
    paths = [address.removeprefix(stored.url) for address in asked if address.startswith("http")]
    assert any(path.endswith("/events") for path in paths)
    assert [path for path in paths if not path.startswith("/sounds/")] == []


def test_reload_and_back_find_the_query_again(searched: Any):
    searched.reload()
    expect(searched.locator(".match")).to_have_count(len(STORED))
    expect(searched.locator("#query")).to_contain_text("dog_bark_query_1.mp3")

    name = match(searched, 1).get_by_role("heading").inner_text()
    match(searched, 1).get_by_role("button", name="More like").click()
    expect(searched.locator("#query")).to_contain_text(name)
    expect(searched.locator(".match")).to_have_count(len(STORED) - 1)
    expect(searched.locator(".match h3", has_text=name)).to_have_count(0)

    searched.go_back()
    expect(searched.locator("#query")).to_contain_text("dog_bark_query_1.mp3")
    expect(searched.locator(".match")).to_have_count(len(STORED))


def test_a_part_of_the_query_is_drawn_or_typed(searched: Any):
    plot = searched.locator("#query .plot")
    expect(searched.locator("#query .signal")).not_to_have_class(re.compile("loading"))
    box = plot.bounding_box()
    searched.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 20)
    searched.mouse.down()
    searched.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 25, steps=3)
    searched.mouse.up()
    part = searched.get_by_role("group", name="Part of the query")
    start, end = part.get_by_label("from"), part.get_by_label("to")
    drawn = float(start.input_value()), float(end.input_value())
    assert 0.9 < drawn[0] < 1.4
    assert 3.6 < drawn[1] < 4.1

    start.fill("1.5")
    end.fill("3.5")
    end.press("Tab")
    searched.get_by_role("button", name="Search for this part").click()
    expect(match(searched, 1).locator(".facts")).to_contain_text(f"1.5{DASH}3.5 s of the query")
    assert "start=1.5&end=3.5" in searched.url
    expect(searched.locator("#query .region")).to_be_visible()


def test_a_part_of_a_match_is_looked_for(searched: Any):
    harbour = searched.locator(".match", has_text="harbour_75s.ogg")
    harbour.get_by_role("button", name="Like a part").click()
    harbour.get_by_label("from").fill("42")
    harbour.get_by_label("to").fill("46")
    harbour.get_by_role("button", name="Search like this part").click()

    expect(searched.locator("#query")).to_contain_text("harbour_75s.ogg")
    expect(match(searched, 1).get_by_role("heading")).to_have_text("siren_2.m4a")


def test_no_good_match_is_an_answer(searched: Any):
    """Of five recordings no rate is known, so none is within the limit."""
    searched.locator("#filters summary").click()
    searched.get_by_label("False alarms").select_option("0.01")
    searched.get_by_role("button", name="Search", exact=True).click()
    expect(searched.locator("#results")).to_contain_text("No good match")
    expect(searched.locator("#announcer")).to_have_text("No good match")
    expect(searched.locator("#filter-count")).to_have_text("1 active")

    searched.get_by_role("button", name="Show the best matches anyway").click()
    expect(searched.locator(".match")).to_have_count(len(STORED))
    expect(searched.get_by_label("False alarms")).to_have_value("")
    assert searched.complaints == []


def test_matches_say_how_many_unrelated_recordings_score_as_high(
    service: Service, page: Any, toy_data: Path
):
    names = [path for path in sorted(toy_data.glob("[b-s]*/*_*.*")) if path.parent.name != "queries"]
    answer = service.post("/index", *({"uri": str(path)} for path in names))
    assert answer.json["parameters"]["failed"] == 0, answer.text
    page.goto(page.address)
    page.locator("#file").set_input_files(str(toy_data / "queries" / "dog_bark_query_1.mp3"))

    first = match(page, 1)
    expect(first.locator(".words")).to_have_text(re.compile("^(strong|likely|weak)$"))
    expect(first.locator(".facts")).to_contain_text(re.compile(r"1 in [\d,]+ unrelated recordings"))
    expect(page.locator("#announcer")).to_contain_text(re.compile("(strong|likely|weak)$"))
    expect(match(page, 10).locator(".facts")).to_contain_text("unrelated recordings score")


def test_query_and_match_are_heard_one_after_the_other(searched: Any):
    first = match(searched, 1)
    first.get_by_role("button", name="Compare").click()
    expect(first.locator(".compare .mel")).to_have_count(2)
    first.get_by_role("button", name="Play B").click()
    hears(searched, 0)
    expect(first.get_by_role("button", name="Play B")).to_have_attribute("aria-pressed", "true")
    first.get_by_role("button", name="Play A").click()
    expect(searched.locator("#player-title")).to_contain_text("dog_bark_query_1.mp3")


def test_filters_narrow_and_can_be_taken_off(searched: Any):
    searched.locator("#filters summary").click()
    searched.get_by_role("checkbox", name="rain").check()
    searched.get_by_role("button", name="Search", exact=True).click()
    expect(searched.locator(".match")).to_have_count(1)
    expect(searched.locator("#filter-count")).to_have_text("1 active")

    searched.get_by_label("Tags").fill("depth_m > 3")
    searched.get_by_role("button", name="Search", exact=True).click()
    expect(searched.locator("#results")).to_contain_text("No matches with these filters")
    searched.get_by_role("button", name="Search without filters").click()
    expect(searched.locator(".match")).to_have_count(len(STORED))

    searched.get_by_label("Tags").fill("depth_m is big")
    searched.get_by_role("button", name="Search", exact=True).click()
    expect(searched.get_by_role("alert")).to_contain_text("parameter.invalid")


def test_a_file_that_is_no_sound_is_explained(stored: Service, page: Any, tmp_path: Path):
    text = tmp_path / "shopping list.txt"
    text.write_text("bread, milk")
    page.goto(page.address)
    page.set_input_files("#file", text)

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("audio.unreadable")
    expect(alert).to_contain_text("Choose another file")
    page.get_by_role("button", name="Choose another query").click()
    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator("#results")).to_contain_text("Start with a sound")


def test_an_empty_library_is_filled_and_emptied_again(page: Any, toy_data: Path, tmp_path: Path):
    page.goto(page.address)
    expect(page.locator("#results")).to_contain_text("The library is empty")
    page.get_by_role("link", name="Add recordings").click()
    expect(page.locator("#library-state")).to_contain_text("The library is empty")
    expect(page.locator("#encoder")).to_contain_text("weight-free")
    expect(page.locator("#encoder")).to_contain_text("soundalike models download")

    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF....")
    sounds = [toy_data / "rain" / "rain_1.mp3", toy_data / "siren" / "siren_1.mp3"]
    page.set_input_files("#uploads", [*sounds, broken])
    expect(page.locator("#uploads-chosen")).to_contain_text("3 files")
    page.get_by_label("Label optional").fill("weather")
    page.get_by_role("button", name="Upload and index").click()
    # Newest first; the service may have done others for other tests.
    job = page.locator(".job").first
    expect(job).to_contain_text("done: 3 of 3 files, 2 added, 1 failed")
    expect(job.locator("li")).to_contain_text("broken.wav")
    expect(job.locator("li")).to_contain_text("audio.")
    expect(page.locator("#jobs-announcer")).to_contain_text("done")
    expect(page.locator(".counts")).to_contain_text("2")
    expect(page.locator("#recordings li")).to_have_count(2)
    expect(page.locator("#recordings li").first).to_contain_text("weather")

    page.get_by_role("button", name="Delete rain_1.mp3").click()
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator("#recordings li")).to_have_count(2)
    page.get_by_role("button", name="Delete rain_1.mp3").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#recordings li")).to_have_count(1)
    assert page.complaints == []


def test_a_folder_is_added_and_deleted_and_its_job_is_there_after_a_reload(page: Any, toy_data: Path):
    page.goto(f"{page.address}#/library")
    page.get_by_label("Folder on the server").fill(str(toy_data / "nowhere"))
    page.get_by_role("button", name="Index folder").click()
    expect(page.get_by_role("alert")).to_contain_text("audio.not_found")

    page.get_by_label("Folder on the server").fill(str(toy_data / "siren"))
    page.get_by_role("button", name="Index folder").click()
    expect(page.locator(".job").first).to_contain_text("done: 4 of 4 files, 4 added")
    expect(page.locator(".folders li")).to_contain_text("4 files")
    page.reload()
    expect(page.locator(".job").first).to_contain_text("done: 4 of 4 files, 4 added")
    page.get_by_role("button", name=f"Delete {toy_data / 'siren'}").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#library-state")).to_contain_text("The library is empty")


def test_what_is_not_as_one_may_think_is_told(
    page: Any, service_store: Any, tmp_path: Path, write_wav: Any, rng: Any
):
    """A silent upload, what an earlier decoder has decoded, and a short query."""
    quiet = write_wav(tmp_path / "quiet.wav", [0.0] * 160_000)
    short = write_wav(tmp_path / "short.wav", 0.1 * rng.standard_normal(16_000))
    page.goto(f"{page.address}#/library")
    page.set_input_files("#uploads", [quiet, short])
    page.get_by_role("button", name="Upload and index").click()
    job = page.locator(".job").first
    expect(job).to_contain_text("2 added, 1 recording has no sound that a search can find")
    job.get_by_text("1 warning").click()
    expect(job.locator("li")).to_have_text(
        "quiet.wav Silent: all 4 windows are silent, and no search can find them."
    )
    state = page.locator("#library-state")
    expect(state).to_contain_text("1 recording has no sound that a search can find.")
    expect(state).not_to_contain_text("earlier version")

    (spec,) = service_store.collections().values()
    earlier = list(service_store.contents())
    service_store.drop_collection("default")
    for content in earlier:
        rows = content.embeddings.astype("float32")
        entry = Entry(content.files[0], content.windows, rows, decoder_version=1)
        service_store.add_many([entry], spec)
    page.reload()
    expect(state).to_contain_text(
        "2 recordings were decoded by an earlier version, which cut or stretched some files. On the "
        "server: soundalike reindex"
    )

    page.goto(f"{page.address}#/search")
    page.set_input_files("#file", short)
    expect(page.locator("#results .notice")).to_contain_text("the query has 1.0 s, a window 4 s")


def test_a_collection_is_chosen(stored: Service, page: Any, toy_data: Path):
    clip = toy_data / "siren" / "siren_3.mp3"
    stored.post("/index", {"uri": str(clip)}, collection="seconds", window_size=1, stride=1)
    page.goto(page.address)
    page.get_by_label("Collection").select_option("seconds")
    page.set_input_files("#file", clip)
    expect(page.locator(".match")).to_have_count(1)
    # A window of a second, at the same place in both.
    expect(match(page, 1).locator(".facts")).to_contain_text(
        re.compile(rf"at(\d)\.0{DASH}(\d)\.0 s of 10\.0 s\s*like\1\.0{DASH}\2\.0 s of the query")
    )
    expect(match(page, 1).locator(".number")).to_have_text("score 1.00")
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.locator("#recordings li")).to_have_count(1)


def test_names_are_shown_and_never_run(page: Any, toy_data: Path, tmp_path: Path):
    name = "<img src=x onerror=alert(1)>.mp3"
    (tmp_path / name).write_bytes((toy_data / "siren" / "siren_1.mp3").read_bytes())
    page.goto(f"{page.address}#/library")
    page.set_input_files("#uploads", tmp_path / name)
    page.get_by_label("Label optional").fill("<b>loud</b>")
    page.get_by_role("button", name="Upload and index").click()
    expect(page.locator("#recordings li")).to_contain_text("<b>loud</b>")
    page.goto(page.address)
    page.set_input_files("#file", tmp_path / name)
    expect(page.locator("#query")).to_contain_text(name)
    expect(match(page, 1).locator(".label")).to_contain_text("<b>loud</b>")
    assert page.locator("img[src=x]").count() == 0


def test_the_keyboard_is_enough(stored: Service, page: Any):
    page.goto(page.address)
    expect(page.locator("#results")).to_contain_text("In the library")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator("#pick")).to_be_focused()
    page.keyboard.press("Enter")
    use = page.get_by_role("button", name="Use: dog_bark_1.mp3")
    expect(use).to_be_visible()
    while not use.evaluate("it => it === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".match")).to_have_count(len(STORED) - 1)
    play = match(page, 1).get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Enter")
    hears(page, 0)


@pytest.mark.parametrize("width", [320, 1440])
def test_it_fits_the_screen(searched: Any, width: int):
    searched.set_viewport_size({"width": width, "height": 800})
    searched.reload()
    expect(searched.locator(".match")).to_have_count(len(STORED))
    match(searched, 1).get_by_role("button", name="Compare").click()
    match(searched, 2).get_by_role("button", name="Like a part").click()
    searched.locator("#filters summary").click()
    assert is_not_wider_than_the_screen(searched)
    searched.get_by_role("link", name="Library", exact=True).click()
    expect(searched.locator("#recordings li")).to_have_count(len(STORED))
    assert is_not_wider_than_the_screen(searched)
    searched.goto(searched.address)
    expect(searched.locator("#results")).to_contain_text("In the library")
    assert is_not_wider_than_the_screen(searched)


def test_a_label_without_blanks_fits_the_screen(service: Service, page: Any, toy_data: Path):
    label = "long" * 60
    service.post("/index", {"uri": str(toy_data / "siren" / "siren_1.mp3"), "label": label})
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(page.address)
    expect(page.locator("#results")).to_contain_text(label)
    assert is_not_wider_than_the_screen(page)


def test_the_search_button_hides_what_lies_below(stored: Service, page: Any):
    page.set_viewport_size({"width": 1440, "height": 500})
    page.goto(page.address)
    page.locator("#filters summary").click()
    expect(page.locator("#search-button")).to_be_disabled()
    assert page.locator("#search-button").evaluate("it => getComputedStyle(it).opacity") == "1"


def test_the_microphone_is_searched_with_or_its_lack_is_explained(stored: Service, page: Any):
    page.goto(page.address)
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("may not use the microphone")

    page.context.grant_permissions(["microphone"])
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.locator(".recording .time")).to_contain_text(re.compile("^1"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#query")).to_contain_text("microphone")
    expect(page.locator(".match").first).to_be_visible()
    page.locator("#query").get_by_role("button", name="Play").click()
    hears(page, 0)


def test_a_job_is_followed_through_a_restart_of_the_service(page: Any, toy_data: Path):
    failures = iter(range(3))

    def answer(route: Any) -> None:
        if next(failures, None) is None:
            route.continue_()
        else:
            route.abort()

    page.route("**/api/jobs/*/events", lambda route: route.abort())
    page.route(re.compile(r"/api/jobs/\w+$"), answer)
    page.goto(f"{page.address}#/library")
    page.get_by_label("Folder on the server").fill(str(toy_data / "rain"))
    page.get_by_role("button", name="Index folder").click()
    # Other tests of this service have not indexed this folder.
    job = page.locator(".job", has=page.locator(f"[title='{toy_data / 'rain'}']")).first
    expect(job).to_contain_text(re.compile(r"done: (\d+) of \1 files, \1 added"))
    assert next(failures, None) is None, "no answer was lost"


def test_a_recording_is_scored_beside_its_nearest_normal_clip(
    page: Any, service: Service, service_store: PostgresStore, tmp_path: Path, write_wav: Any
):
    rng = np.random.default_rng(0)
    at = np.arange(5 * 16_000) / 16_000
    hums = [
        write_wav(
            tmp_path / f"hum{number}.wav",
            0.1 * np.sin(2 * np.pi * (200 + number) * at) + 0.01 * rng.normal(size=at.size),
        )
        for number in range(4)
    ]
    hiss = write_wav(tmp_path / "hiss.wav", 0.2 * rng.normal(size=at.size))
    page.goto(f"{page.address}#/normal")
    expect(page.locator("#normal-models")).to_contain_text("No models yet")
    service.post("/index", *({"uri": str(path)} for path in hums), collection="pumps")
    service.post("/normal_learn", name="pump", collection="pumps")
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#normal-models")).to_contain_text("4 normal recordings, 20 % false alarms")
    expect(page.locator("#normal-events")).to_contain_text("No recording was watched")
    page.set_input_files("#normal-file", hiss)
    page.locator("#normal-score").click()
    answer = page.locator("#normal-answer")
    expect(answer).to_contain_text("Anomalous: score")
    expect(answer).to_contain_text(f"Unusual: 0.0{DASH}5.0 s")
    expect(answer).to_contain_text("Nearest normal clip: hum")
    expect(answer.locator("img")).to_have_count(2)
    # More normal recordings than are shown came after the anomaly and the failure.
    results: list[tuple[bool, dict[str, Any]]] = [
        (True, {"regions": [{"start_s": 1.0, "end_s": 2.5, "score": 2.0}], "score": 1.5}),
        (False, {"error": "it is damaged", "error_code": "audio.unreadable"}),
        *[(False, {"score": 1.0, "regions": []})] * 110,
    ]
    began = datetime.now(UTC) - timedelta(hours=1)
    for number, (is_anomalous, details) in enumerate(results):
        file = WatchedFile(f"/in/{number:03d}.wav", 1, 1)
        when = began + timedelta(seconds=number)
        event = WatchEvent(str(uuid4()), "pump", file, when, is_anomalous, details)
        service_store.put_watch_event(event)
    page.get_by_role("button", name="Refresh").click()
    rows = page.locator("#normal-events li")
    expect(rows).to_have_count(101)
    expect(rows.first).to_have_text("112 recordings: 1 anomalous, 1 failed.")
    expect(rows.last).to_contain_text(f"anomalous, unusual at 1.0{DASH}2.5 s, score 1.50")
    expect(rows.nth(99)).to_contain_text("it is damaged")
    service.post("/normal_remove", name="pump")
    assert is_not_wider_than_the_screen(page)
    assert page.complaints == []


@pytest.fixture
def voices(tmp_path: Path, write_wav: Any) -> dict[str, Path]:
    """Write synthetic voices: two recordings of a low one, and one of a high one."""
    return {
        name: write_wav(tmp_path / f"{name}.wav", voice(hz, seed), subtype="PCM_16")
        for name, hz, seed in (("low 1", 110.0, 1), ("low 2", 112.0, 2), ("high", 230.0, 3))
    }


def test_a_speaker_is_enrolled_identified_heard_and_removed(page: Any, voices: dict[str, Path]):
    page.goto(f"{page.address}#/speakers")
    expect(page.locator("#speakers")).to_contain_text("No speakers yet")
    identify, enrol = page.locator("#identify"), page.get_by_role("button", name="Enrol")
    expect(identify).to_be_disabled()
    expect(enrol).to_be_disabled()

    page.set_input_files("#voice-file", voices["low 1"])
    page.get_by_label("Name", exact=True).fill("Ann <b>")
    enrol.click()
    answer = page.locator("#voice-answer")
    expect(answer).to_contain_text("Ann <b> was enrolled with")
    expect(page.locator("#speakers > li")).to_have_count(1)

    page.set_input_files("#voice-file", voices["low 2"])
    identify.click()
    expect(answer).to_contain_text("Ann <b>:")
    expect(answer).to_contain_text("measured on")
    page.get_by_role("button", name="Verify whether Ann").click()
    expect(answer).to_contain_text(re.compile("(Yes, this is|No, this is not) Ann"))

    page.get_by_role("button", name="Show the recordings of Ann").click()
    play = page.get_by_role("button", name=re.compile(r"^Play Ann .*, recording 1"))
    play.click()
    hears(page, 0.1)
    expect(play).to_have_attribute("aria-pressed", "true")

    page.get_by_role("button", name="Remove Ann <b>", exact=True).click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#speakers")).to_contain_text("No speakers yet")
    expect(page.locator("#speakers-title")).to_be_focused()
    assert is_not_wider_than_the_screen(page)
    assert page.complaints == []


def test_a_recording_without_speech_is_refused_in_a_sentence(page: Any, tmp_path: Path, write_wav: Any):
    page.goto(f"{page.address}#/speakers")
    silent = write_wav(tmp_path / "silent.wav", [0.0] * 32_000, subtype="PCM_16")
    page.set_input_files("#voice-file", silent)
    page.get_by_label("Name", exact=True).fill("Ann")
    page.get_by_role("button", name="Enrol").click()
    expect(page.locator("#voice-answer [data-code]")).to_have_attribute(
        "data-code", "audio.too_little_speech"
    )


def exported(page: Any, name: str) -> Any:
    """Open the menu, export, and return the download."""
    page.locator(".export summary").click()
    with page.expect_download() as found:
        page.get_by_role("button", name=name).click()
    expect(page.locator(".export")).not_to_have_attribute("open", "")
    return found.value


def test_results_are_exported_from_the_menu(searched: Any):
    table = exported(searched, "Table (CSV)")
    assert table.suggested_filename == "soundalike.csv"
    rows = list(csv.DictReader(Path(table.path()).read_text(encoding="utf-8").splitlines()))
    shown = searched.locator(".match h3").all_inner_texts()
    assert [Path(row["uri"]).name for row in rows] == shown
    assert exported(searched, "Labels for Audacity").suggested_filename == "soundalike.zip"

    searched.locator(".export summary").click()
    searched.get_by_label("Padding").fill("0.5")
    searched.get_by_label("Audio format", exact=True).select_option("flac")
    searched.get_by_label("Spectrograms").check()
    with searched.expect_download() as found:
        searched.get_by_role("button", name="Cut-outs (ZIP)").click()
    with zipfile.ZipFile(found.value.path()) as archive:
        suffixes = Counter(Path(name).suffix for name in archive.namelist())
    assert suffixes == {".flac": len(STORED), ".png": len(STORED), ".csv": 1}
    assert searched.complaints == []


def test_an_export_that_fails_says_why_and_the_menu_closes_by_key(searched: Any, stored: Service):
    searched.locator(".export summary").click()
    searched.get_by_label("Padding").fill("90")
    searched.get_by_role("button", name="Cut-outs (ZIP)").click()
    expect(searched.locator(".export [role=alert]")).to_contain_text("less than or equal to 60")
    searched.get_by_label("Padding").press("Escape")
    expect(searched.locator(".export")).not_to_have_attribute("open", "")
    expect(searched.locator(".export summary")).to_be_focused()
    assert is_not_wider_than_the_screen(searched)


def test_an_annotated_label_is_searched_by(stored: Service, page: Any):
    labels = {"labels": ("rain_1.txt", b"1\t3\tdrop\n")}
    answer = requests.post(f"{stored.url}/api/annotations", files=labels, timeout=60)
    assert answer.json()["added"] + answer.json()["unchanged"] == 1, answer.text
    page.goto(page.address)
    page.get_by_label("Or search by an annotated label").select_option("drop")
    expect(match(page, 1).get_by_role("heading")).to_have_text("rain_1.mp3")
    expect(page.locator("#query")).to_contain_text("label: drop")
    expect(match(page, 1).get_by_role("button", name="Compare")).to_have_count(0)
    page.reload()
    expect(page.locator(".match")).to_have_count(len(STORED))
    assert page.complaints == []


def test_results_are_marked_by_buttons_and_keys_and_searched_again(searched: Any):
    asked: list[str] = []
    searched.on("request", lambda sent: asked.append(sent.post_data or ""))
    names = searched.locator(".match h3").all_inner_texts()
    first, second = match(searched, 1), match(searched, 2)
    again = searched.get_by_role("button", name="Search again with marks")
    expect(again).to_be_hidden()
    first.get_by_role("button", name="Play").focus()
    searched.keyboard.press("y")
    expect(first.get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "true")
    # The next result has the focus.
    expect(second.get_by_role("button", name="Play")).to_be_focused()
    searched.keyboard.press("n")
    expect(second.get_by_role("button", name="Wrong")).to_have_attribute("aria-pressed", "true")
    last = match(searched, len(STORED))
    last.get_by_role("button", name="Wrong").click()
    last.get_by_role("button", name="Wrong").click()
    expect(searched.locator(".marks")).to_contain_text("Marked: 1 right, 1 wrong")
    # Letters that are typed into a field mark nothing.
    last.get_by_role("button", name="Like a part").click()
    last.get_by_label("to").press("y")
    expect(last.get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "false")

    again.click()
    expect(searched.locator(".marks")).to_contain_text("Marked: 1 right, 1 wrong")
    expect(first.get_by_role("heading")).to_have_text(names[0])
    expect(
        searched.locator(".match").filter(has_text=names[1]).get_by_role("button", name="Wrong")
    ).to_have_attribute("aria-pressed", "true")
    sent = next(body for body in reversed(asked) if 'name="like"' in body)
    assert sent.count('name="like"') == sent.count('name="unlike"') == 1
    # The address keeps the marks.
    searched.reload()
    expect(searched.locator(".marks")).to_contain_text("Marked: 1 right, 1 wrong")
    assert is_not_wider_than_the_screen(searched)
    searched.get_by_role("button", name="Remove marks").click()
    expect(searched.locator(".marks")).to_contain_text("Mark results right or wrong")
    assert "like=" not in searched.url
    assert searched.complaints == []
