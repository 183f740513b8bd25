"""A review of a named search: its order, the precision, and proposals for a label."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.cli.searches_review import Asked, Session, run
from soundalike.errors import ParameterError, SearchNotFound
from soundalike.search.examples import parse_example
from soundalike.search.queries import Query, query_without_sound
from soundalike.searches.requests import SaveRequest, Settings
from soundalike.searches.review_requests import EstimateRequest, ReviewRequest
from soundalike.searches.searches import Searches
from soundalike.store import MemoryStore

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection

X, Y = np.eye(16, dtype=np.float32)[:2]
COUNT = 20


def uri(number: int) -> str:
    return f"/{number:02}.wav"


@pytest.fixture
def store() -> MemoryStore:
    """Give a store in memory; the contract of stores covers the rest."""
    return MemoryStore()


@pytest.fixture
def searches(collection: Collection) -> Searches:
    """Save a search for X; recording 0 resembles it most, 19 least."""
    for number in range(COUNT):
        row = X + 0.1 * number * Y
        collection.add(uri(number), np.array([row / np.linalg.norm(row)]))
    embedded = query_without_sound(collection.store, Query(vector=X), ["default"])
    found = Searches(collection.store)
    found.save(SaveRequest(name="x", kind="vector"), embedded)
    return found


def decide(searches: Searches, right: list[int], wrong: list[int]) -> None:
    for numbers, is_right in ((right, True), (wrong, False)):
        for number in numbers:
            searches.mark("x", parse_example(f"{uri(number)}:0-4"), is_right=is_right)


def reviewed(searches: Searches, **given: Any) -> list[int]:
    rows = searches.review("x", ReviewRequest(**given))
    return [int(row["uri"][1:3]) for row in rows]


def test_hits_with_a_mark_are_not_asked_for_again(searches: Searches):
    assert reviewed(searches, order="score") == list(range(COUNT))
    decide(searches, [0], [3])
    assert reviewed(searches, order="score", top_k=4) == [1, 2, 4, 5]
    searches.undo("x")
    assert reviewed(searches, order="score", top_k=4) == [1, 2, 3, 4]


def test_uncertain_hits_come_first_and_likely_ones_are_proposed(searches: Searches):
    (row,) = searches.review("x", ReviewRequest(top_k=1))
    assert row["expected_precision"] is None
    assert reviewed(searches, min_precision=0.0) == []
    decide(searches, [0, 1, 2, 3, 5], [9, 10, 12, 14, 16])
    assert reviewed(searches, order="uncertain")[:3] == [7, 8, 6]
    assert reviewed(searches, order="score", min_precision=0.8) == [4]
    (row,) = searches.review("x", ReviewRequest(min_precision=0.8))
    assert 0.8 < row["expected_precision"] < 0.95
    assert 0.2 < row["expected_precision_low"] < 0.6 < 0.95 < row["expected_precision_high"] <= 1
    assert (row["band"], row["start_s"], row["end_s"]) == (2, 0, 4)


def test_a_sample_of_bands_gives_the_precision_with_an_interval(searches: Searches):
    found = searches.estimate("x", EstimateRequest())
    assert (found["hits"], found["reviewed"], found["precision"]) == (COUNT, 0, None)
    chosen = reviewed(searches, order="bands", share=50, seed=1)
    assert [number // 4 for number in chosen] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    # The first eight are right.
    decide(searches, [one for one in chosen if one < 8], [one for one in chosen if one >= 8])
    # What is decided is not drawn again.
    assert reviewed(searches, order="bands", share=50, seed=1) == []
    found = searches.estimate("x", EstimateRequest(min_precision=0.5))
    assert (found["reviewed"], found["right"], found["precision"]) == (10, 4, 0.4)
    assert found["precision_low"] < 0.4 < found["precision_high"]
    assert [(band["hits"], band["reviewed"], band["right"]) for band in found["bands"]] == [
        (4, 2, 2),
        (4, 2, 2),
        *[(4, 2, 0)] * 3,
    ]
    assert found["bands"][0]["precision_high"] == 1
    assert found["bands"][0]["high"] == pytest.approx(1, abs=1e-3)
    assert found["expected_right"] == pytest.approx(8, abs=1.5)
    assert found["likely_right"] in (7, 8, 9)
    assert found["auc_plain"] is None


def test_marks_as_examples_are_judged_without_themselves(searches: Searches):
    decide(searches, [0, 1, 2, 3], [12, 13, 14, 15])
    found = searches.estimate("x", EstimateRequest(use_marks=True))
    assert (found["auc_plain"], found["auc_combined"]) == (1, 1)
    assert found["expected_right"] is not None
    rows = searches.review("x", ReviewRequest(use_marks=True, order="score"))
    assert len(rows) == COUNT - 8
    assert rows[0]["expected_precision"] > 0.5 > rows[-1]["expected_precision"]


def test_marked_hits_count_where_the_query_recording_is_excluded(
    searches: Searches, collection: Collection
):
    (row,) = searches.review("x", ReviewRequest(order="score", top_k=1))
    query = Query(recording_id=row["recording_id"])
    embedded = query_without_sound(collection.store, query, ["default"])
    settings = Settings(exclude_self=True)
    searches.save(SaveRequest(name="self", kind="recording", settings=settings), embedded)
    searches.mark("self", parse_example(uri(1)), is_right=True)
    for use_marks in (False, True):
        found = searches.estimate("self", EstimateRequest(use_marks=use_marks))
        assert (found["hits"], found["right"]) == (COUNT - 1, 1)


def annotated(collection: Collection) -> list[str]:
    return sorted(one.uri for one in collection.store.annotations(label="bark"))


def test_a_session_stores_each_decision_at_once(searches: Searches, collection: Collection):
    rows = searches.review("x", ReviewRequest(order="score"))
    keys = io.StringIO("y\nhelp\nn\nu\ns\nY\n")
    Session(searches, "x", None, "ann").run(rows, keys.readline)
    assert [(mark.uri, mark.is_right, mark.marked_by) for mark in searches.marks("x")] == [
        (uri(0), True, "ann"),
        (uri(2), True, "ann"),
    ]
    assert annotated(collection) == []


def test_accepted_proposals_are_annotated_and_rejected_ones_not_proposed_again(
    searches: Searches, collection: Collection
):
    asked = {"order": "score", "label": "bark", "top_k": 3}
    rows = searches.review("x", ReviewRequest(**asked))
    session = Session(searches, "x", "bark", "")
    session.run(rows, io.StringIO("y\nn\ny\n").readline)
    assert annotated(collection) == [uri(0), uri(2)]
    assert reviewed(searches, **asked) == [3, 4, 5]
    # Taking back removes the annotation, too.
    session.run(rows, io.StringIO("u\nq\n").readline)
    assert annotated(collection) == [uri(0)]
    assert reviewed(searches, **asked) == [2, 3, 4]
    session.run(rows, io.StringIO("u\nu\nu\nq\n").readline)
    assert (annotated(collection), searches.marks("x")) == ([], [])


def test_places_with_the_label_are_not_proposed(searches: Searches):
    decide(searches, [0, 1], [])
    searches.accept("x", "bark")
    for number in (0, 1):
        searches.clear("x", parse_example(uri(number)))
    assert reviewed(searches, order="score", label="bark", top_k=2) == [2, 3]
    assert reviewed(searches, order="score", label="owl", top_k=2) == [0, 1]


def test_what_people_read(searches: Searches, capsys: pytest.CaptureFixture[str]):
    def shown(action: str, **given: Any) -> str:
        asked = Asked.from_options(action, {"by": None, "labels": ("bark",), **given})
        assert asked is not None
        assert run(searches, "x", asked, as_json=False) == 0
        said = capsys.readouterr()
        return said.out + said.err

    assert "there are no proposals" in shown("propose")
    decide(searches, [0, 1, 2, 3, 5], [9, 10, 12, 14, 16])
    assert shown("propose").splitlines()[1:] == ["0.928     2  0.86 (0.36 to 0.98)  0.0-4.0 s  /04.wav"]
    estimate = shown("estimate", use_marks=True)
    assert "20 hits, 10 reviewed, 5 right\nprecision: 0.40 (" in estimate
    assert "right before wrong marks: 1.000 of pairs by the query alone, 1.000 with marks" in estimate
    assert len(estimate.splitlines()) == 5 + 6
    assert Asked.from_options("list", {"by": None}) is None


@pytest.mark.parametrize(
    "given",
    [
        *({"order": "random"}, {"share": 0}, {"min_precision": 1.5}, {"top_k": 0}),
        *({"min_precision": float("nan")}, {"min_score": float("nan")}),
    ],
)
def test_invalid_requests(given: dict[str, Any]):
    with pytest.raises(ParameterError):
        ReviewRequest(**given)


def test_unknown_searches(searches: Searches):
    for ask in (searches.review, searches.estimate):
        with pytest.raises(SearchNotFound):
            ask("y", ReviewRequest() if ask == searches.review else EstimateRequest())
