"""Intervals against SciPy, scikit-learn and formulas written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import roc_auc_score

from dlrun.metrics.confusion import repeated_auc
from dlrun.metrics.scores import find_score
from dlrun.scoring.bootstrap import bootstrap_mean, bootstrap_statistic
from dlrun.scoring.differences import score_on_rows
from dlrun.scoring.intervals import (
    Interval,
    NoIntervalError,
    corrected_resampled_t,
    paired_shares,
    share_of_rows,
    stretches,
    widened_by_seeds,
)

ERRORS = np.random.default_rng(0).gamma(1.5, 2.0, 80)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipy_s(counts: tuple[int, int]) -> None:
    right, n = counts
    expected = stats.binomtest(right, n).proportion_ci(0.95, "wilson")
    found = share_of_rows(right, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_all_rows_right_is_not_certain() -> None:
    found = share_of_rows(20, 20)
    assert found.high == 1
    assert found.low == pytest.approx(20 / (20 + 1.959964**2))


def test_paired_shares_by_hand() -> None:
    found = paired_shares(15, 5, 100)
    error = np.sqrt(15.5 + 5.5 - 10**2 / 102) / 102
    assert found.value == pytest.approx(0.1)
    assert found.interval.low == pytest.approx(10 / 102 - 1.959964 * error, abs=1e-6)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(10 / 102 / error))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200))
def test_an_interval_without_zero_is_a_p_value_below_the_level(b: int, c: int, rest: int) -> None:
    found = paired_shares(b, c, b + c + rest)
    assert (found.p_value < 0.05) == (not found.interval.low <= 0 <= found.interval.high)
    mirrored = paired_shares(c, b, b + c + rest)
    assert mirrored.interval.low == pytest.approx(-found.interval.high)


def test_the_corrected_resampled_t_by_hand() -> None:
    # Nadeau and Bengio's example of the formula: 1/J + n2/n1 in place of 1/J.
    scores = [0.81, 0.84, 0.79, 0.86, 0.83]
    found = corrected_resampled_t(scores, train_rows=80, test_rows=20)
    error = np.sqrt((1 / 5 + 20 / 80) * np.var(scores, ddof=1))
    low, high = stats.t.interval(0.95, df=4, loc=np.mean(scores), scale=error)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(2 * stats.t.sf(np.mean(scores) / error, 4))


def test_without_shared_training_rows_it_is_student_s_t() -> None:
    found = corrected_resampled_t(ERRORS[:10], train_rows=1e12, test_rows=1)
    expected = stats.ttest_1samp(ERRORS[:10], 0)
    ends = expected.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high))
    assert found.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ([0.9], "one fold does not show how far folds differ"),
        ([0.9, 0.9, 0.9], "all 3 folds have the same value"),
        ([0.9, float("nan")], "a fold has no score"),
    ],
)
def test_folds_that_say_nothing_of_their_spread(scores: list[float], why: str) -> None:
    with pytest.raises(NoIntervalError, match=why):
        corrected_resampled_t(scores, 80, 20)


def test_the_studentized_bootstrap_is_scipy_s_by_definition() -> None:
    """Bootstrap-t with the resamples of SciPy's own bootstrap: the same but for the draws."""

    def in_errors(sample: np.ndarray, axis: int) -> np.ndarray:
        error = sample.std(axis=axis, ddof=1) / np.sqrt(sample.shape[axis])
        return (sample.mean(axis=axis) - ERRORS.mean()) / error

    drawn = stats.bootstrap(
        (ERRORS,), in_errors, n_resamples=20_000, rng=np.random.default_rng(1), method="percentile"
    ).bootstrap_distribution
    low, high = np.quantile(drawn, [0.025, 0.975])
    error = ERRORS.std(ddof=1) / np.sqrt(len(ERRORS))
    found = bootstrap_mean(ERRORS, resamples=20_000)
    assert found.value == pytest.approx(ERRORS.mean())
    assert found.interval.low == pytest.approx(ERRORS.mean() - high * error, abs=0.1 * error)
    assert found.interval.high == pytest.approx(ERRORS.mean() - low * error, abs=0.1 * error)


def test_bca_is_scipy_s() -> None:
    def median_like(values: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.sqrt(np.square(values).mean(axis=axis))

    expected = stats.bootstrap(
        (ERRORS,), median_like, n_resamples=20_000, rng=np.random.default_rng(1), method="BCa"
    ).confidence_interval
    squares = ERRORS**2
    found = bootstrap_statistic(
        lambda times: np.sqrt(times @ squares / times.sum(axis=1)), 80, resamples=20_000
    )
    width = expected.high - expected.low
    assert found.interval.low == pytest.approx(expected.low, abs=0.03 * width)
    assert found.interval.high == pytest.approx(expected.high, abs=0.03 * width)


@pytest.mark.parametrize("kind", ["mean", "statistic"])
def test_rows_of_a_group_count_as_one(kind: str) -> None:
    """Every row four times, in groups of its copies, is as little as every row once."""
    copies, groups = np.repeat(ERRORS, 4), np.repeat(np.arange(80), 4)

    def interval(values: np.ndarray, units: np.ndarray | None) -> Interval:
        if kind == "mean":
            return bootstrap_mean(values, units=units).interval
        return bootstrap_statistic(
            lambda times: times @ values / times.sum(axis=1), len(values), units=units
        ).interval

    once, copied, naive = (
        interval(ERRORS, None),
        interval(copies, groups),
        interval(copies, None),
    )
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(12, 40), elements=st.floats(0, 100, width=16)),
    st.floats(0.5, 20),
    st.floats(-50, 50),
)
def test_units_and_origin_do_not_matter(values: np.ndarray, scale: float, shift: float) -> None:
    values = values + np.arange(len(values))
    plain = bootstrap_mean(values, resamples=200)
    moved = bootstrap_mean(scale * values + shift, resamples=200)
    assert moved.interval.low == pytest.approx(scale * plain.interval.low + shift, abs=1e-6)
    assert moved.interval.high == pytest.approx(scale * plain.interval.high + shift, abs=1e-6)
    assert plain.interval.low < plain.value < plain.interval.high


def test_the_seed_alone_decides_the_draws() -> None:
    assert bootstrap_mean(ERRORS, seed=3) == bootstrap_mean(ERRORS, seed=3)
    assert bootstrap_mean(ERRORS, seed=3) != bootstrap_mean(ERRORS, seed=4)


def test_many_rows_are_put_together_at_random() -> None:
    values = np.random.default_rng(2).exponential(size=30_000)
    found = bootstrap_mean(values)
    error = values.std(ddof=1) / np.sqrt(30_000)
    half = (found.interval.high - found.interval.low) / 2
    assert half == pytest.approx(1.96 * error, rel=0.06)


@pytest.mark.parametrize(
    ("values", "units", "why"),
    [
        (np.arange(9.0), None, "9 rows are too few; 10 are needed"),
        (np.arange(90.0), np.arange(90) // 15, "6 groups of rows are too few; 10 are needed"),
        (np.ones(90), None, "all rows have the same value"),
        (0.3125 + 1e-9 * np.arange(90), None, "all rows have the same value"),
        (np.array([*range(20), np.nan]), None, "a row has no finite value"),
    ],
)
def test_rows_that_say_too_little(values: np.ndarray, units: np.ndarray, why: str) -> None:
    with pytest.raises(NoIntervalError, match=why):
        bootstrap_mean(values, units=units)


def test_an_interval_has_a_width() -> None:
    values = np.array([0.0] * 199 + [1.0])

    def median(times: np.ndarray) -> np.ndarray:
        # 0.3125, but where the one row is drawn more often than nearly ever.
        return np.where((times * values).sum(axis=1) > 4, 1.0, 0.3125)

    with pytest.raises(NoIntervalError, match="nearly all resamples"):
        bootstrap_statistic(median, 200)


def test_stretches_follow_time_and_are_of_one_length() -> None:
    times = np.random.default_rng(0).permutation(100)
    places = stretches(times, 100)
    assert np.array_equal(places, times // 10)
    assert set(np.bincount(stretches(None, 1003))) <= {32, 33}


def test_seeds_make_an_interval_wider_as_far_as_they_spread() -> None:
    rows = Interval(0.90, 0.94, 0.95, "x")
    scores = [0.90, 0.92, 0.94]
    of_rows, of_seeds = (0.02 / stats.norm.ppf(0.975)) ** 2, np.var(scores, ddof=1) / 3
    freedom = (of_rows + of_seeds) ** 2 / (of_seeds**2 / 2)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(of_rows + of_seeds)
    found = widened_by_seeds(rows, scores)
    assert (found.low, found.high) == pytest.approx((0.92 - half, 0.92 + half))
    # Rows alone, and seeds alone.
    assert widened_by_seeds(rows, [0.92, 0.92]) == rows
    alone = widened_by_seeds(Interval(0.92 - 1e-9, 0.92 + 1e-9, 0.95, "x"), scores)
    assert alone.high == pytest.approx(stats.t.interval(0.95, 2, 0.92, np.sqrt(of_seeds))[1])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_areas_of_resamples_are_those_of_their_rows(data: st.DataObject) -> None:
    n = data.draw(st.integers(4, 30))
    true = np.array([0, 1, *data.draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))])
    # Few values, so that there are ties.
    predicted = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))) / 5
    times = np.random.default_rng(n).multinomial(n, np.full(n, 1 / n), size=4)
    of_rows = find_score("AUC", {"curve": "PR"})
    assert of_rows is not None
    for curve, function in (("ROC", roc_auc_score), ("PR", of_rows.function)):
        found = repeated_auc(true, predicted[:, None], times, curve=curve)
        for count, area in zip(times, found, strict=True):
            drawn = np.repeat(np.arange(n), count)
            if len(set(true[drawn])) == 1:
                assert np.isnan(area)
            else:
                assert area == pytest.approx(function(true[drawn], predicted[drawn]))


NAMES = ["mae", "rmse", "r2_score", "binary_crossentropy", "auc", "f1_score", "accuracy"]


@pytest.mark.parametrize("name", NAMES)
def test_the_value_is_that_of_the_score(name: str) -> None:
    rng = np.random.default_rng(5)
    classes = name in ("binary_crossentropy", "auc", "f1_score", "accuracy")
    true = rng.integers(0, 2, 60) if classes else rng.normal(size=60)
    predicted = np.clip(0.5 + 0.3 * (true - 0.5) + rng.normal(0, 0.2, 60), 0.01, 0.99)
    options = {"threshold": 0.5} if name == "f1_score" else {}
    score = find_score({"rmse": "RootMeanSquaredError"}.get(name, name), options)
    assert score is not None
    found = score_on_rows(score, true, predicted[:, None])
    assert found.value == pytest.approx(score.function(true, predicted[:, None])) or name == "rmse"
    assert found.interval.low < score.function(true, predicted[:, None]) < found.interval.high


def test_weighted_rows_are_drawn_with_their_weights() -> None:
    """Rows of weight 0 are as good as absent."""
    score = find_score("mse", kind="loss", arguments={"reduction": "mean_with_sample_weight"})
    assert score is not None
    true = np.concatenate([ERRORS, 1e6 * np.ones(5)])
    weights = np.concatenate([np.ones(80), np.zeros(5)])
    found = score_on_rows(score, true, np.zeros((85, 1)), sample_weight=weights)
    assert found.value == pytest.approx(np.square(ERRORS).mean())
    alone = score_on_rows(score, ERRORS, np.zeros((80, 1)))
    assert found.interval.high == pytest.approx(alone.interval.high, rel=0.1)


def test_ends_stay_where_a_score_can_be() -> None:
    score = find_score("mae")
    assert score is not None
    errors = np.r_[np.zeros(10), 1e-3, 50.0]
    assert score_on_rows(score, errors, np.zeros((12, 1))).interval.low >= 0


def test_rows_of_unequal_sizes_are_drawn_whole() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 8, 40)
    right = [(rng.random(count) < 0.8).astype(float) for count in counts]
    sizes = counts / 8
    rows = np.array([each.sum() / 8 for each in right]) / sizes.mean()
    by_row = bootstrap_mean(rows, sizes=sizes)
    by_step = bootstrap_mean(np.concatenate(right), units=np.repeat(np.arange(40), counts))
    assert by_row.value == pytest.approx(np.concatenate(right).mean())
    assert by_row.interval.low == pytest.approx(by_step.interval.low)
    assert by_row.interval.high == pytest.approx(by_step.interval.high)


def test_resamples_without_a_difference_do_not_widen_an_interval() -> None:
    sizes = np.random.default_rng(0).integers(1, 8, 39) / 7
    gains = np.zeros(39)
    gains[[3, 9]] = 1 / 7
    assert bootstrap_mean(gains, sizes=sizes).interval.high < 0.2
