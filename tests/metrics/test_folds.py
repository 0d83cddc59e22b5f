"""Means and spreads over folds, best epochs, smoothing."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.metrics.folds import best_epoch, mean_history, moving_average, summarize

NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(NUMBERS, min_size=2, max_size=20))
def test_mean_and_sample_standard_deviation(values):
    spread = summarize(values)
    assert spread.values == tuple(values)
    assert spread.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-6)
    assert spread.std == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)


def test_one_fold_has_no_spread():
    spread = summarize([0.5])
    assert spread.mean == 0.5
    assert math.isnan(spread.std)


def test_mean_history_is_the_books_average():
    histories = [
        {"loss": [3.0, 2.0, 1.0], "val_mae": [4.0, 2.0, 3.0]},
        {"loss": [5.0, 4.0], "val_mae": [6.0, 6.0], "extra": [1.0, 1.0]},
    ]
    mean = mean_history(histories)
    assert list(mean) == ["loss", "val_mae"]
    average_mae_history = [
        np.mean([fold["val_mae"][epoch] for fold in histories]) for epoch in range(2)
    ]
    assert mean["val_mae"]["mean"] == average_mae_history
    assert mean["val_mae"]["std"] == pytest.approx([math.sqrt(2), math.sqrt(8)])


def test_an_epoch_that_diverged_in_one_fold_has_no_mean():
    mean = mean_history([{"loss": [1.0, float("nan")]}, {"loss": [2.0, 3.0]}])["loss"]
    assert mean["mean"][0] == 1.5
    assert math.isnan(mean["mean"][1])
    assert math.isnan(mean["std"][1])


def test_no_folds_have_no_history():
    assert mean_history([]) == {}
    with pytest.raises(ValueError, match="at least one fold"):
        summarize([])


@given(st.lists(st.one_of(NUMBERS, st.just(float("nan"))), max_size=20))
def test_best_epoch_is_the_first_of_the_best(values):
    finite = [value for value in values if not math.isnan(value)]
    for direction, extreme in (("min", min), ("max", max)):
        best = best_epoch(values, direction)
        if not finite:
            assert best is None
        else:
            assert best == (values.index(extreme(finite)) + 1, extreme(finite))


def smooth_curve(points, factor):
    """As the book prints it."""
    smoothed_points = []
    for point in points:
        if smoothed_points:
            previous = smoothed_points[-1]
            smoothed_points.append(previous * factor + point * (1 - factor))
        else:
            smoothed_points.append(point)
    return smoothed_points


@given(st.lists(NUMBERS, max_size=30), st.floats(0, 1))
def test_moving_average_is_the_books(values, factor):
    assert moving_average(values, factor) == smooth_curve(values, factor)


def test_moving_average_passes_over_gaps():
    smoothed = moving_average([1.0, float("nan"), 2.0], 0.9)
    assert smoothed[0] == 1.0
    assert math.isnan(smoothed[1])
    assert smoothed[2] == pytest.approx(1.1)
