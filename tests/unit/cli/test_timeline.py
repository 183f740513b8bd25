"""What a timeline looks like, as a table and as a drawing."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from soundalike.cli.timeline import table
from soundalike.cli.timeline_plot import render
from soundalike.types import Bucket

SVG = "{http://www.w3.org/2000/svg}"


def _buckets(*counts: int) -> list[Bucket]:
    at = datetime(2025, 10, 26, 0, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin"))
    starts = [
        (at.astimezone(UTC) + timedelta(hours=number)).astimezone(at.tzinfo)
        for number in range(len(counts) + 1)
    ]
    return [Bucket(*row) for row in zip(starts, starts[1:], counts, strict=False)]


def test_bars_are_as_long_as_counts_are_high():
    header, *lines = table(_buckets(80, 1, 0, 41), "hour")
    assert header.split() == ["hour", "count"]
    assert [line.split() for line in lines] == [
        ["2025-10-26", "02:00+02:00", "80", "#" * 40],
        ["2025-10-26", "02:00+01:00", "1", "#"],
        ["2025-10-26", "03:00+01:00", "0"],
        ["2025-10-26", "04:00+01:00", "41", "#" * 21],
    ]
    assert table([], "day") == []


def test_a_drawing_has_a_bar_for_each_bucket_that_is_not_empty():
    svg = ElementTree.fromstring(render("owl.wav", "day", ["Monday", "Tuesday", "Sunday"], [2, 0, 4]))
    bars = [rect for rect in svg.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    assert [bar.findtext(f"{SVG}title") for bar in bars] == ["Monday: 2", "Sunday: 4"]
    assert float(bars[1].get("height")) == pytest.approx(2 * float(bars[0].get("height")))
    assert [float(bar.get("y")) + float(bar.get("height")) for bar in bars] == [220, 220]
    assert all(0 < float(bar.get("x")) < 800 - float(bar.get("width")) for bar in bars)
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert texts == ["owl.wav, occurrences per day", "0", "4", "Monday", "Sunday"]


@pytest.mark.parametrize("counts", [[], [0], [7], [1] * 5000])
def test_any_number_of_buckets_can_be_drawn(counts: list[int]):
    svg = ElementTree.fromstring(render("a", "hour", ["2025-05-01 06:00+00:00"] * len(counts), counts))
    # And the background.
    assert len(list(svg.iter(f"{SVG}rect"))) == 1 + np.count_nonzero(counts)


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "a&b\"'", "\x00\x1b\uffff\ufffe", "鳥"])
def test_a_name_is_only_text(title: str):
    svg = ElementTree.fromstring(render(title, "day", ["<b>"], [1]))
    assert {part.tag for part in svg.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "rect", "text", "line")
    }
    if title.isprintable() and title.isascii():
        assert svg.findtext(f"{SVG}title") == f"{title}, occurrences per day"
