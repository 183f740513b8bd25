"""Where windows begin and end."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundalike.audio.windows import MIN_WINDOW_S, TAIL_TOLERANCE_S, WindowPlan
from soundalike.errors import ParameterError

RATE = 16_000
TOLERANCE = round(TAIL_TOLERANCE_S * RATE)


@pytest.mark.parametrize(
    ("duration_s", "window_s", "stride_s", "starts_s"),
    [
        (10.0, 4, 2, [0, 2, 4, 6]),  # the published claim: exactly four
        (10.03, 4, 2, [0, 2, 4, 6.03]),  # the padding of an mp3 makes no fifth
        (10.1, 4, 2, [0, 2, 4, 6.1]),  # the tolerance itself
        (10.101, 4, 2, [0, 2, 4, 6, 6.101]),
        (9.99, 4, 2, [0, 2, 4, 5.99]),
        (11.0, 4, 2, [0, 2, 4, 6, 7]),
        (7.9, 4, 2, [0, 2, 3.9]),
        (8.0, 4, 2, [0, 2, 4]),
        (30.0, 4, 2, list(range(0, 27, 2))),
        (0.025, 4, 2, [0]),
        (3.999, 4, 2, [0]),
        (4.0, 4, 2, [0]),
        (4.05, 4, 2, [0, 0.05]),  # the only window is never moved: the beginning would be lost
        (5.0, 4, 2, [0, 1]),
        (6.0, 4, 2, [0, 2]),
        (6.05, 4, 2, [0, 2.05]),
        (3.0, 1, 1, [0, 1, 2]),
        (3.05, 1, 1, [0, 1, 2, 2.05]),  # moving would open a gap between the windows
        (8.0, 4, 3.95, [0, 4]),  # no gap: the moved window begins where the one before it ends
        (8.001, 4, 3.95, [0, 3.95, 4.001]),
        (3.5, 1, 1, [0, 1, 2, 2.5]),
        (12.0, 2, 5, [0, 5, 10]),  # gaps, on the caller's own wish
        (13.0, 2, 5, [0, 5, 10, 11]),
        (12.05, 2, 5, [0, 5, 10, 10.05]),
        (5.0, 2, 3600, [0, 3]),
        (2.0, 0.975, 0.5, [0, 0.5, 1.025]),
    ],
)
def test_starts(duration_s: float, window_s: float, stride_s: float, starts_s: list[float]):
    starts = WindowPlan(window_s, stride_s).starts(round(duration_s * RATE))
    assert starts == [round(start_s * RATE) for start_s in starts_s]


def test_standard_plan_is_four_seconds_every_two():
    plan = WindowPlan()
    assert (plan.window_samples, plan.stride_samples) == (64_000, 32_000)


plans = st.builds(
    WindowPlan,
    st.floats(MIN_WINDOW_S, 30.0),
    st.floats(0.05, 40.0),
)
lengths = st.integers(1, 3_000_000)


@given(plan=plans, n_samples=lengths)
def test_starts_increase_from_zero_and_end_with_the_recording(plan: WindowPlan, n_samples: int):
    starts = plan.starts(n_samples)
    assert starts[0] == 0
    assert all(a < b for a, b in itertools.pairwise(starts))
    assert all(isinstance(start, int) for start in starts)
    assert starts[-1] + plan.window_samples == max(n_samples, plan.window_samples)


@given(plan=plans, n_samples=lengths)
def test_every_sample_is_covered_unless_gaps_were_asked_for(plan: WindowPlan, n_samples: int):
    starts = np.array(plan.starts(n_samples))
    gaps = starts[1:] - (starts[:-1] + plan.window_samples)
    assert max(gaps, default=0) <= max(0, plan.stride_samples - plan.window_samples)


@given(plan=plans, n_samples=lengths)
def test_all_but_the_last_lie_on_the_grid(plan: WindowPlan, n_samples: int):
    starts = plan.starts(n_samples)
    assert starts[:-1] == [plan.stride_samples * index for index in range(len(starts) - 1)]
    if len(starts) > 1:
        assert 0 < starts[-1] - starts[-2] <= plan.stride_samples + TOLERANCE


@given(plan=plans, n_samples=lengths)
def test_there_are_no_more_windows_than_needed(plan: WindowPlan, n_samples: int):
    strides = (n_samples - plan.window_samples) / plan.stride_samples
    on_grid = 1 + max(0, math.ceil(strides))
    n_windows = len(plan.starts(n_samples))
    assert n_windows in (on_grid, on_grid - 1)
    remainder = (n_samples - plan.window_samples) % plan.stride_samples
    if n_windows < on_grid:
        assert 0 < remainder <= TOLERANCE


@given(
    seconds=st.integers(6, 600),
    padding=st.integers(0, TOLERANCE),
)
def test_decoder_padding_changes_no_count(seconds: int, padding: int):
    exact = WindowPlan(4, 2).starts(seconds * RATE)
    padded = WindowPlan(4, 2).starts(seconds * RATE + padding)
    if seconds % 2 == 0:
        assert len(padded) == len(exact)
    else:
        assert padded[:-1] == exact[:-1]


@pytest.mark.parametrize("window_s", [0, -4, 0.974, 3600.001, math.nan, math.inf, -math.inf], ids=str)
def test_window_out_of_range(window_s: float):
    with pytest.raises(ParameterError, match=r"^window_size is .* s; give a length from 0\.975 s"):
        WindowPlan(window_s, 2.0)


@pytest.mark.parametrize("stride_s", [0, -2, 0.009, 3601, math.nan, math.inf], ids=str)
def test_stride_out_of_range(stride_s: float):
    with pytest.raises(ParameterError, match=r"^stride is .* s; give a distance from 0\.01 s"):
        WindowPlan(4.0, stride_s)


@pytest.mark.parametrize(("window_s", "stride_s"), [(0.975, 0.01), (3600, 3600)])
def test_bounds_themselves_are_allowed(window_s: float, stride_s: float):
    assert WindowPlan(window_s, stride_s).starts(1) == [0]
