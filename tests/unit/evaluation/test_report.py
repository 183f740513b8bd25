"""The report, read as HTML."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest

from soundalike.evaluation.html import element, page
from soundalike.evaluation.report import render
from soundalike.evaluation.results import Evaluation, Failure
from tests.fixtures.pages import loaded_by, parse_page, table_of, text_of

Make = Callable[..., Evaluation]
NASTY = "<b>&\"'</b><script>alert(1)</script>"
PAIRS = [("owl", "owl"), ("owl", "rain"), ("rain", "rain"), ("rain", None), ("owl", "rain")]
FOLDER = Path("/clips")
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def report(*results: Evaluation, **options: str) -> Element:
    return parse_page(render(results, FOLDER, options, made_at=WHEN))


def of_class(root: Element, name: str) -> list[Element]:
    return [found for found in root.iter() if name in found.get("class", "").split()]


def test_one_setting(make_evaluation: Make):
    result = make_evaluation(PAIRS)
    found = report(result, Fold_pattern="x")

    assert text_of(found.find("head/title")) == "Evaluation of clips"
    assert "2026-01-02 03:04 UTC" in text_of(found)
    settings = dict(table_of(found, "Data")[1:])
    assert settings["Clips"] == "/clips"
    assert settings["Fold_pattern"] == "x"
    assert settings["Queries"] == "5, of 2 labels"
    assert table_of(found, "Encoder and windows")[1] == [
        "toy",
        "float32",
        "4 s",
        "2 s",
        "1 s",
        "25",
        "0123456789abcdef",
    ]
    header, means = table_of(found, "Means over 5 queries")
    assert header == ["", "P@1", "P@5", "mAP", "MRR"]
    estimate = result.estimates["p_at_1"]
    assert means[1] == f"0.400 [{estimate.low:.3f}, {estimate.high:.3f}]"
    assert "All clips could be read." in text_of(found)


def test_it_says_how_the_intervals_were_made(make_evaluation: Make):
    text = text_of(report(make_evaluation(PAIRS)))
    assert "percentile bootstrap, 2000 resamples of the queries, seed 1993" in text


def test_classes_have_bars_as_long_as_their_values(make_evaluation: Make):
    found = report(make_evaluation(PAIRS))
    rows = table_of(found, "Means over the queries of each label")
    assert rows[1] == ["owl", "3", "0.333", "0.067", "0.167"]
    assert rows[2] == ["rain", "2", "0.500", "0.100", "0.250"]
    widths = [bar.get("style") for bar in of_class(found, "bar")]
    assert widths == [f"width:{width}%" for width in ("33.3", "6.7", "16.7", "50.0", "10.0", "25.0")]


def test_heat_map_has_a_cell_for_each_confusion(make_evaluation: Make):
    found = report(make_evaluation(PAIRS))
    cells = of_class(found, "heat")
    assert [text_of(cell) for cell in cells] == [
        "owl: 1 of 3 first answered by owl",
        "owl: 2 of 3 first answered by rain",
        "rain: 1 of 2 first answered by rain",
        "rain: 1 of 2 first answered by (no answer)",
    ]
    x, y = ([float(cell.attrib[name]) for cell in cells] for name in "xy")
    assert x[0] < x[1] == x[2] < x[3]
    assert y[0] == y[1] < y[2] == y[3]
    shades = [float(cell.attrib["fill-opacity"]) for cell in cells]
    assert shades[0] < shades[2] == shades[3] < shades[1]
    assert table_of(found, "The most frequent mistakes: 2 of 2")[1:] == [
        ["owl", "rain", "2"],
        ["rain", "(no answer)", "1"],
    ]


def test_curve_falls_from_the_left_top_to_the_right_bottom(make_evaluation: Make):
    (curve,) = (each for each in report(make_evaluation(PAIRS)).iter("polyline"))
    points = np.array([point.split(",") for point in curve.attrib["points"].split()], dtype=float)
    assert points.shape == (11, 2)
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) > 0).all(), "y counts downwards"
    np.testing.assert_allclose(np.diff(points[:, 1]), np.diff(points[:, 1]).mean(), atol=0.11)


def test_worst_queries_say_what_was_found_where(make_evaluation: Make):
    rows = table_of(report(make_evaluation(PAIRS)), "3 of 3 queries whose first answer is wrong")
    assert rows[1:] == [
        [
            "owl/query4.wav",
            "owl",
            "rain/answer4.wav",
            "rain",
            "0.540",
            "0.0 to 4.0 s",
            "2.0 to 6.0 s",
            "0.000",
        ],
        [
            "owl/query1.wav",
            "owl",
            "rain/answer1.wav",
            "rain",
            "0.510",
            "0.0 to 4.0 s",
            "2.0 to 6.0 s",
            "0.000",
        ],
        ["rain/query3.wav", "rain", "(no answer)", "", "", "", "", "0.000"],
    ]


def test_paths_outside_the_folder_are_shown_whole(make_evaluation: Make):
    result = make_evaluation([("a", "b")], folder=Path("/clips-of-another"))
    rows = table_of(report(result), "1 of 1 queries")
    assert rows[1][0] == "/clips-of-another/a/query0.wav"


def test_failures(make_evaluation: Make):
    failed = [Failure("/clips/a/x.wav", "audio.unreadable", "no <sound> & no fury")]
    found = report(make_evaluation(PAIRS, failed=failed))
    assert table_of(found, "1 clips could not be read")[1:] == [
        ["a/x.wav", "audio.unreadable", "no <sound> & no fury"]
    ]


def test_settings_stand_side_by_side(make_evaluation: Make):
    first = make_evaluation(PAIRS)
    second = make_evaluation([("owl", "owl"), *PAIRS[1:4], ("owl", "owl")], encoder="other")
    found = report(first, second)

    assert [row[:2] for row in table_of(found, "Encoder and windows")[1:]] == [
        ["A", "toy"],
        ["B", "other"],
    ]
    assert [row[0] for row in table_of(found, "Means over 5 queries")[1:]] == ["A", "B"]
    ((name, difference, *_),) = table_of(found, "Differences")[1:]
    assert name == "B - A"
    assert re.fullmatch(r"\+0\.200 \[\+0\.000, \+0\.[46]00\]", difference)
    assert table_of(found, "Means over the queries of each")[1][2] == "A0.333B0.667"
    assert len(list(found.iter("polyline"))) == 2
    assert table_of(found, "The most frequent mistakes")[0] == ["Query", "First answer", "A", "B"]
    assert table_of(found, "The most frequent mistakes")[1] == ["owl", "rain", "2", "1"]
    assert len(table_of(found, "A: 3 of 3 queries")) == 4
    assert len(table_of(found, "B: 2 of 2 queries")) == 3


def test_what_others_wrote_is_escaped(make_evaluation: Make):
    failed = [Failure(f"/clips/{NASTY}/x.wav", "audio.unreadable", NASTY)]
    result = make_evaluation([(NASTY, NASTY), (NASTY, "b"), ("b", NASTY)], failed=failed, encoder=NASTY)
    found = report(result, result, **{NASTY: NASTY})

    tags = {each.tag for each in found.iter()}
    assert not tags & {"script", "b", "iframe", "img", "object"}
    cells = [cell for cell in found.iter() if cell.tag in ("th", "td", "text", "h1")]
    assert sum(text_of(cell).startswith(NASTY) for cell in cells) > 10
    names = {name for each in found.iter() for name in each.attrib}
    assert not any(name.startswith("on") for name in names)


def test_control_characters_are_shown_not_written(make_evaluation: Make):
    text = render([make_evaluation([("a\0\x1b[31m\x85", "b")])], FOLDER, {}, made_at=WHEN)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert "a\N{SYMBOL FOR NULL}\N{SYMBOL FOR ESCAPE}[31m" in text


def test_nothing_is_loaded_from_elsewhere(make_evaluation: Make):
    link = 'https://elsewhere.example/x.png" src="https://elsewhere.example/y.js'
    found = report(make_evaluation([(link, link), (link, "b")]))
    assert loaded_by(found) == ["data:,"]
    text = render([make_evaluation(PAIRS)], FOLDER, {}, made_at=WHEN)
    assert "://" not in text
    (policy,) = [meta.get("content") for meta in found.iter("meta") if meta.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.mark.parametrize(("n_labels", "n_maps"), [(100, 1), (101, 0)])
def test_many_labels_are_no_heat_map(n_labels: int, n_maps: int, make_evaluation: Make):
    names = [f"label{number}" for number in range(n_labels)]
    found = report(make_evaluation([(name, names[0]) for name in names]))
    assert (
        len([svg for svg in found.iter("svg") if svg.get("aria-label", "").startswith("Conf")]) == n_maps
    )
    assert f"{n_labels} labels are too many" in text_of(found) or n_maps
    assert len(table_of(found, "The most frequent mistakes: 20 of")) == 21


def test_everything_right_leaves_no_mistake(make_evaluation: Make):
    found = report(make_evaluation([("a", "a"), ("b", "b")]))
    assert table_of(found, "The most frequent mistakes: 0 of 0")[1:] == []
    assert table_of(found, "0 of 0 queries whose first answer is wrong")[1:] == []


def test_long_labels_are_cut_in_plots_but_not_in_tables(make_evaluation: Make):
    long = "x" * 500
    found = report(make_evaluation([(long, long), (long, "b")]))
    assert max(float(svg.attrib["width"]) for svg in found.iter("svg")) < 700
    assert table_of(found, "Means over the queries of each")[1][0] == long


def test_elements_hold_text_before_between_and_after():
    text = page(
        "t", "", element("p", "a", None, element("i", "b"), "c<", "d", element("i"), "e", class_="x")
    )
    assert '<p class="x">a<i>b</i>c&lt;d<i></i>e</p>' in text
