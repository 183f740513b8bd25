"""Found events against known ones: one-to-one, average precision, F1, errors."""

import math

import pytest

from soundalike.evaluation.event_scores import Span, score_events

KNOWN = [Span("a", 0, 2), Span("a", 10, 12), Span("b", 0, 2), Span("b", 10, 12)]


def test_perfect_events_score_one():
    found = [span._replace(score=0.9) for span in KNOWN]
    scores = score_events(KNOWN, found)
    assert scores.average_precision == scores.f1 == 1
    assert scores.onset_error_s == scores.offset_error_s == 0


def test_average_precision_counts_each_known_event_once():
    found = [
        Span("a", 0, 2, 0.9),
        Span("a", 0.1, 2, 0.8),  # the same event again
        Span("b", 0, 2, 0.7),
        Span("c", 0, 2, 0.6),  # another recording
        Span("b", 10, 12, 0.5),
    ]
    scores = score_events(KNOWN, found)
    assert scores.average_precision == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_pairs_are_a_maximum_matching():
    # The first found event fits both known ones; only together with the second are both found.
    known = [Span("a", 0, 4), Span("a", 3, 7)]
    found = [Span("a", 1, 6, 0.9), Span("a", 0, 4, 0.8)]
    scores = score_events(known, found)
    assert scores.average_precision == 1


def test_events_agree_from_the_least_overlap_on():
    known = [Span("a", 0, 10)]
    assert score_events(known, [Span("a", 0, 3, 1.0)]).recall == 1
    assert score_events(known, [Span("a", 0, 2.99, 1.0)]).recall == 0


def test_the_threshold_is_that_of_the_highest_f1_or_the_given_one():
    found = [Span("a", 0, 2, 0.9), Span("a", 10, 12, 0.8), Span("a", 20, 22, 0.7)]
    best = score_events(KNOWN, found)
    assert (best.threshold, best.precision, best.recall) == (0.8, 1.0, 0.5)
    assert best.f1 == pytest.approx(2 / 3)
    given = score_events(KNOWN, found, threshold=0.7)
    assert (given.precision, given.recall) == (pytest.approx(2 / 3), 0.5)


def test_errors_are_medians_of_begins_and_ends():
    found = [Span("a", 0.2, 2.1, 0.9), Span("a", 9.6, 12.3, 0.8)]
    scores = score_events(KNOWN, found)
    assert scores.onset_error_s == pytest.approx(0.3)
    assert scores.offset_error_s == pytest.approx(0.2)


def test_without_found_events_the_scores_are_zero():
    scores = score_events(KNOWN, [])
    assert (scores.average_precision, scores.f1, scores.recall) == (0, 0, 0)
    assert math.isnan(scores.onset_error_s)
    assert math.isnan(scores.threshold)
