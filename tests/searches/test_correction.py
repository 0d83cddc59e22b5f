"""The score of a search, corrected for having chosen the best trial."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from dlrun.scoring.intervals import NoIntervalError
from dlrun.searches.correction import Correction, ScoredFold, corrected_score

Array = np.ndarray


def mean_of(values: Array) -> Callable[[Array], Array]:
    """The score of a trial that is a mean over rows."""
    return lambda times: (times @ values) / times.sum(axis=1)


def corrected(table: Array, seed: int = 0, **options: int) -> Correction:
    """The correction of trials, (t, n) values a row, that one fold scored."""
    scores = [mean_of(values) for values in table]
    fold = ScoredFold(np.arange(table.shape[1]), None, scores)
    return corrected_score([fold], "max", first=0, seed=seed, **options)


def test_it_is_what_the_paper_says() -> None:
    """Algorithm 2 of Tsamardinos et al., with scikit-learn's accuracy and a plain loop."""
    rng = np.random.default_rng(3)
    truth = rng.integers(2, size=80)
    predictions = rng.integers(2, size=(6, 80))
    draws = np.random.default_rng(9).integers(80, size=(400, 80))
    values = []
    for drawn in draws:
        others = np.setdiff1d(np.arange(80), drawn)
        inside = [accuracy_score(truth[drawn], each[drawn]) for each in predictions]
        best = predictions[int(np.argmax(inside))]
        values.append(accuracy_score(truth[others], best[others]))
    found = corrected((predictions == truth).astype(float), seed=9, resamples=400)
    assert found.value == pytest.approx(np.mean(values))
    ends = found.interval.low, found.interval.high
    assert ends == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_on_noise_the_corrected_interval_holds_chance_and_the_raw_best_does_not() -> None:
    held, raw = 0, []
    for seed in range(200):
        right = np.random.default_rng(seed).integers(2, size=(30, 100)).astype(float)
        found = corrected(right, seed=seed, resamples=200)
        held += found.interval.low <= 0.5 <= found.interval.high
        raw.append(right.mean(axis=1).max())
    assert held >= 190
    assert np.mean(raw) > 0.58


def test_a_trial_that_is_truly_better_is_found_to_be() -> None:
    rng = np.random.default_rng(0)
    table = (rng.random((5, 400)) < np.array([0.6, 0.6, 0.6, 0.6, 0.9])[:, None]).astype(float)
    found = corrected(table)
    assert found.value == pytest.approx(table[4].mean(), abs=0.01)
    assert found.gain == pytest.approx(table[4].mean() - table[0].mean(), abs=0.01)
    assert found.gain_interval is not None
    assert found.gain_interval.low > 0.2


def test_rows_that_several_folds_score_are_drawn_together() -> None:
    """Twice the same rows tell no more than once."""
    table = np.random.default_rng(1).random((4, 60))
    once = corrected(table, seed=5)
    fold = ScoredFold(np.arange(60), None, [mean_of(values) for values in table])
    twice = corrected_score([fold, fold], "max", first=0, seed=5)
    assert twice.interval.low == pytest.approx(once.interval.low)
    assert twice.value == pytest.approx(once.value)


def test_groups_are_drawn_as_a_whole() -> None:
    """Ten copies of each row, known to be such, give the interval of the rows alone."""
    table = np.random.default_rng(2).random((4, 40))
    copies = np.repeat(table, 10, axis=1)
    units = np.repeat(np.arange(40), 10)
    fold = ScoredFold(np.arange(400), units, [mean_of(values) for values in copies])
    grouped = corrected_score([fold], "max", seed=5)
    assert grouped.interval.low == pytest.approx(corrected(table, seed=5).interval.low)


def test_less_is_better_for_an_error() -> None:
    errors = np.random.default_rng(4).random((3, 50)) + np.array([[0.0], [1.0], [2.0]])
    fold = ScoredFold(np.arange(50), None, [mean_of(values) for values in errors])
    found = corrected_score([fold], "min", first=2)
    assert found.value == pytest.approx(errors[0].mean(), abs=0.02)
    assert found.gain == pytest.approx(errors[2].mean() - errors[0].mean(), abs=0.02)


def test_a_few_rows_are_too_few() -> None:
    with pytest.raises(NoIntervalError, match="9 rows or groups"):
        corrected(np.random.default_rng(0).random((3, 9)))
