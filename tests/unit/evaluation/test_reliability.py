"""Expected and observed false-alarm rates of clips that the model has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from soundalike.evaluation.reliability import EXPECTED, LabelledRows, reliability
from soundalike.types import FloatArray


def _rows(rng: np.random.Generator, count: int, towards: FloatArray | None = None) -> FloatArray:
    rows = rng.standard_normal((count, 12)) + (0 if towards is None else towards)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _clips(rng: np.random.Generator, count: int = 240, folds: int | None = 5) -> list[LabelledRows]:
    """Return clips of ten labels, each with a direction of its own, in folds."""
    kinds = 1.5 * _rows(rng, 10)
    return [
        LabelledRows(
            f"/{number}.wav",
            str(number % 10),
            None if folds is None else str(number // 10 % folds),
            True,
            True,
            _rows(rng, 1 + number % 3, kinds[number % 10]),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("folds", [5, None])
def test_rates_are_observed_as_often_as_they_say(folds: int | None, rng: np.random.Generator):
    found = reliability(_clips(rng, folds=folds))

    assert found is not None
    for expected, observed in zip(EXPECTED, found.observed, strict=True):
        assert observed is not None
        assert expected / 1.5 < observed < expected * 1.5


def test_only_pairs_of_other_folds_and_labels_count(rng: np.random.Generator):
    found = reliability(_clips(rng, 250))

    assert found is not None
    # Each of 250 queries meets 200 clips of other folds, a tenth of them with its label.
    assert found.n_pairs == 250 * 200 * 9 // 10


def test_clips_that_never_ask_are_candidates_of_all_queries(rng: np.random.Generator):
    clips = [
        clip._replace(is_query=number < 40, is_candidate=number >= 40)
        for number, clip in enumerate(_clips(rng, folds=None))
    ]
    found = reliability(clips)

    assert found is not None
    assert found.n_pairs == 40 * 200 * 9 // 10


def test_candidates_in_the_query_s_fold_are_left_out(rng: np.random.Generator):
    clips = [
        clip._replace(is_query=number < 50, is_candidate=number >= 50)
        for number, clip in enumerate(_clips(rng, 250))
    ]
    found = reliability(clips)

    assert found is not None
    assert found.n_pairs == 50 * 160 * 9 // 10


def test_rates_finer_than_the_clips_allow_are_unknown(rng: np.random.Generator):
    found = reliability(_clips(rng, 40))

    assert found is not None
    n_pairs = 32 * 31 // 2
    unknown = [rate for rate, share in zip(EXPECTED, found.observed, strict=True) if share is None]
    assert unknown == [rate for rate in EXPECTED if rate < 1 / (n_pairs * 9 // 10)]
    assert 0.001 in unknown
    assert 0.01 not in unknown


def test_few_clips_and_one_label_have_no_reliability(rng: np.random.Generator):
    assert reliability(_clips(rng, 24, 2)) is None
    assert reliability([clip._replace(label="a") for clip in _clips(rng, 60)]) is None
    assert reliability([]) is None


def test_silent_clips_are_ignored(rng: np.random.Generator):
    clips = _clips(rng)
    silent = [clip._replace(name=f"{clip.name}!", rows=clip.rows[:0]) for clip in clips[:30]]

    assert reliability([*clips, *silent]) == reliability(clips)


def test_names_that_are_no_utf8_are_no_problem(rng: np.random.Generator):
    clips = [clip._replace(name=f"/\udcff{clip.name}", fold=None) for clip in _clips(rng)]

    assert reliability(clips) is not None
