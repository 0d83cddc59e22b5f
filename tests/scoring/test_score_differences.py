"""Two models on the same rows or folds: signs, pairs, corrections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlrun.metrics.scores import Score, find_score
from dlrun.scoring.differences import compare_folds, compare_on_rows, holm

RNG = np.random.default_rng(0)


def score_named(name: str) -> Score:
    score = find_score(name)
    assert score is not None
    return score


TRUE = RNG.normal(size=150)
NEAR = (TRUE + RNG.normal(0, 0.5, 150))[:, None]
FAR = (TRUE + RNG.normal(0, 1.0, 150))[:, None]


@pytest.mark.parametrize("name", ["mae", "mse", "RootMeanSquaredError", "r2_score"])
def test_the_first_is_better_whichever_way_the_measure_points(name: str) -> None:
    score = score_named(name)
    values = [score.function(TRUE, predicted) for predicted in (NEAR, FAR)]
    found = compare_on_rows(score, TRUE, NEAR, FAR)
    assert found.difference == pytest.approx(abs(values[0] - values[1]))
    assert found.different is True
    assert found.p_value is not None
    assert found.p_value < 0.01
    mirrored = compare_on_rows(score, TRUE, FAR, NEAR)
    assert mirrored.difference == pytest.approx(-found.difference)
    assert mirrored.interval is not None
    assert mirrored.interval.high < 0


def test_rows_are_paired() -> None:
    """A small difference on every row counts, however far apart the rows are."""
    true = RNG.normal(0, 100, 60)
    errors = RNG.exponential(50, 60)
    first, second = (true + errors)[:, None], (true + errors + 1)[:, None]
    found = compare_on_rows(score_named("mae"), true, first, second)
    # Exactly 1 on every row: there is no spread to make an interval of.
    assert found.difference == pytest.approx(1)
    second[0] += 0.5
    found = compare_on_rows(score_named("mae"), true, first, second)
    assert found.interval is not None
    assert found.interval.low > 0.9


def test_the_paired_bootstrap_is_the_paired_t_test_for_even_differences() -> None:
    first, second = np.abs(TRUE[:, None] - NEAR), np.abs(TRUE[:, None] - FAR)
    expected = stats.ttest_rel(second[:, 0], first[:, 0]).confidence_interval()
    found = compare_on_rows(score_named("mae"), TRUE, NEAR, FAR).interval
    assert found is not None
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.06 * width)
    assert found.high == pytest.approx(expected.high, abs=0.06 * width)


def test_right_and_wrong_rows_are_compared_by_those_that_differ() -> None:
    true = np.zeros(200, int)
    first, second = np.zeros((200, 1)), np.zeros((200, 1))
    first[:4] = 1
    second[4:24] = 1
    found = compare_on_rows(score_named("accuracy"), true, first, second)
    assert found.method == "Agresti-Min"
    assert found.difference == pytest.approx(16 / 200)
    assert found.different is True
    assert found.p_value == pytest.approx(stats.binomtest(4, 24).pvalue, abs=0.01)


def test_two_equal_models_are_not_different() -> None:
    for name in ("accuracy", "mae"):
        true = RNG.integers(0, 2, 50)
        predicted = RNG.random((50, 1))
        found = compare_on_rows(score_named(name), true, predicted, predicted)
        assert found.difference == 0
        assert not found.different


def test_models_of_several_seeds_are_averaged() -> None:
    score = score_named("mae")
    found = compare_on_rows(score, TRUE, [NEAR, FAR], FAR)
    alone = compare_on_rows(score, TRUE, NEAR, FAR)
    assert found.difference == pytest.approx(alone.difference / 2)


def test_too_few_rows_say_so() -> None:
    found = compare_on_rows(score_named("mae"), TRUE[:5], NEAR[:5], FAR[:5])
    assert found.interval is None
    assert found.p_value is None
    assert found.different is None
    assert found.why == "5 rows are too few; 10 are needed"
    score = score_named("mae")
    expected = score.function(TRUE[:5], FAR[:5]) - score.function(TRUE[:5], NEAR[:5])
    assert found.difference == pytest.approx(expected)


def test_folds_are_paired_and_share_training_rows() -> None:
    first, second = [2.1, 2.4, 1.9, 2.6], [2.6, 3.1, 2.3, 3.0]
    found = compare_folds(first, second, direction="min", train_rows=75, test_rows=25)
    gains = np.subtract(second, first)
    error = np.sqrt((1 / 4 + 1 / 3) * gains.var(ddof=1))
    assert found.difference == pytest.approx(gains.mean())
    assert found.interval is not None
    low, high = stats.t.interval(0.95, 3, gains.mean(), error)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.method == "corrected resampled t"
    worse = compare_folds(first, second, direction="max", train_rows=75, test_rows=25)
    assert worse.difference == pytest.approx(-found.difference)


def test_folds_of_two_runs_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="as many folds"):
        compare_folds([1.0, 2.0], [1.0], direction="min", train_rows=80, test_rows=20)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.2]) == [0.2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_never_helps(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    assert all(q <= min(1.0, p * len(p_values)) for p, q in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
