"""What intervals and comparisons promise, seen over thousands of data sets whose truth is known.

Slow: `pytest -m slow tests/scoring/test_interval_simulations.py`.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid

from dlrun.metrics.scores import find_score
from dlrun.scoring.differences import compare_folds, compare_on_rows, score_on_rows
from dlrun.scoring.intervals import NoIntervalError, corrected_resampled_t

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

LEVEL = 0.95
FOUND = 0.80


def chance(repetitions: int) -> float:
    """Two standard errors of a share of so many repetitions that holds with the level."""
    return 2 * (LEVEL * (1 - LEVEL) / repetitions) ** 0.5


def assert_covered(share: float, repetitions: int) -> None:
    assert share >= LEVEL - chance(repetitions)


def assert_rarely_different(share: float, repetitions: int) -> None:
    assert share <= 1 - LEVEL + chance(repetitions)


ACCURACY, MAE, AUC = (find_score(name) for name in ("accuracy", "mae", "auc"))


def held_out_classes(rng, n, accuracies, together=0.5):
    """Truth, and predictions of models that are right so often, and partly on the same rows."""
    true = rng.integers(0, 2, n)
    shared = rng.random(n)
    predictions = []
    for accuracy in accuracies:
        chance = np.where(rng.random(n) < together, shared, rng.random(n))
        right = chance < accuracy
        predictions.append(np.where(right, true, 1 - true)[:, None].astype(float))
    return true, predictions


def held_out_quantities(rng, n, sizes):
    """Truth, and predictions with skewed errors of such mean sizes that have half in common."""
    true = rng.normal(size=n)
    shared = rng.exponential(size=n)
    errors = [size * (shared + rng.exponential(size=n)) / 2 for size in sizes]
    return true, [(true + error)[:, None] for error in errors]


def ranked(rng, n, distances):
    """Truth, and probabilities of models that tell the classes apart by so many standard
    deviations on the scale of the normal distribution."""
    true = (rng.random(n) < 0.3).astype(int)
    shared = rng.normal(size=n)
    return true, [
        norm.cdf((shared + rng.normal(size=n)) / np.sqrt(2) + distance * (true - 0.5))[:, None]
        for distance in distances
    ]


@pytest.mark.parametrize(("n", "accuracy"), [(100, 0.8), (200, 0.97), (500, 0.9)])
def test_intervals_of_accuracy_cover(accuracy, n):
    rng = np.random.default_rng(n)
    covered = 0
    for _ in range(500):
        true, (predicted,) = held_out_classes(rng, n, [accuracy])
        interval = score_on_rows(ACCURACY, true, predicted).interval
        covered += interval.low <= accuracy <= interval.high
    report(f"accuracy {accuracy}, {n} rows: covered", covered / 500)
    assert_covered(covered / 500, 500)


@pytest.mark.parametrize("n", [100, 500])
def test_intervals_of_the_mean_of_skewed_errors_cover(n):
    rng = np.random.default_rng(n)
    covered = 0
    for seed in range(300):
        true, (predicted,) = held_out_quantities(rng, n, [1.0])
        interval = score_on_rows(MAE, true, predicted, seed=seed).interval
        covered += interval.low <= 1 <= interval.high
    report(f"MAE of skewed errors, {n} rows: covered", covered / 300)
    assert_covered(covered / 300, 300)


@pytest.mark.parametrize("n", [100])
def test_intervals_of_the_area_under_the_curve_cover(n):
    rng = np.random.default_rng(n)
    area = 0.8413447  # Φ(1): a distance of √2 at standard deviation 1
    covered = 0
    for seed in range(300):
        true, (predicted,) = ranked(rng, n, [np.sqrt(2)])
        interval = score_on_rows(AUC, true, predicted, seed=seed).interval
        covered += interval.low <= area <= interval.high
    report(f"AUC, {n} rows: covered", covered / 300)
    assert_covered(covered / 300, 300)


@pytest.mark.parametrize("groups", [25, 50])
def test_intervals_of_rows_in_groups_cover(groups):
    rng = np.random.default_rng(groups)
    covered = 0
    for seed in range(500):
        sizes = rng.integers(2, 9, groups)
        group = np.repeat(np.arange(groups), sizes)
        errors = rng.exponential(size=groups)[group] + rng.exponential(size=len(group))
        interval = score_on_rows(
            MAE, np.zeros(len(group)), errors[:, None], units=group, seed=seed
        ).interval
        covered += interval.low <= 2 <= interval.high
    report(f"MAE of rows in {groups} groups: covered", covered / 500)
    assert_covered(covered / 500, 500)


ON_ROWS = {
    "accuracy": (ACCURACY, held_out_classes, 0.9, 100),
    "mae": (MAE, held_out_quantities, 1.0, 200),
    "auc": (AUC, ranked, 1.2, 200),
}


@pytest.mark.parametrize("name", ON_ROWS)
def test_two_models_on_the_same_rows(name):
    score, draw, level, n = ON_ROWS[name]
    rng = np.random.default_rng(1)
    different, widths, repetitions = 0, [], 150 if score is AUC else 300
    for seed in range(repetitions):
        true, (first, second) = draw(rng, n, [level, level])
        found = compare_on_rows(score, true, first, second, seed=seed)
        different += bool(found.different)
        widths.append((found.interval.high - found.interval.low) / 2)
    report(f"{name}, equal models: called different", different / repetitions)
    assert_rarely_different(different / repetitions, repetitions)
    if score is AUC:
        # Its parameter is a distance of the classes, no area.
        return
    step = 2 * float(np.mean(widths))
    better, worse = (level, level - step) if score is ACCURACY else (level - step, level)
    found_better = 0
    for seed in range(200):
        true, (first, second) = draw(rng, n, [better, worse])
        found = compare_on_rows(score, true, first, second, seed=seed)
        found_better += bool(found.different) and found.difference > 0
    report(f"{name}, a difference of twice the half width: found", found_better / 200)
    assert found_better / 200 >= FOUND


class Classes:
    """Two classes by the nearest centroid, scored with accuracy."""

    direction = "max"
    features = 4

    def draw(self, rng, n):
        labels = np.arange(n) % 2
        return rng.normal(size=(n, 2 * self.features)) + 0.6 * labels[:, None], labels

    def scores(self, train, rows, columns):
        (X, y), (X_rows, y_rows) = train, rows
        model = NearestCentroid().fit(X[:, columns], y)
        return float((model.predict(X_rows[:, columns]) == y_rows).mean())


class Quantities:
    """A sum with skewed noise by ridge regression, scored with the mean absolute error."""

    direction = "min"
    features = 4

    def draw(self, rng, n):
        X = rng.normal(size=(n, 2 * self.features))
        return X, X.sum(axis=1) + rng.exponential(size=n)

    def scores(self, train, rows, columns):
        (X, y), (X_rows, y_rows) = train, rows
        model = Ridge().fit(X[:, columns], y)
        return float(np.abs(model.predict(X_rows[:, columns]) - y_rows).mean())


def folds_of(rng, n, folds, iterations):
    for _ in range(iterations):
        order = rng.permutation(n)
        for held_out in np.array_split(order, folds):
            yield np.setdiff1d(order, held_out), held_out


def cross_validated(problem, rng, n, folds, iterations, columns):
    """Score of each fold, for each choice of columns."""
    X, y = problem.draw(rng, n)
    scores = [[] for _ in columns]
    for train, rows in folds_of(rng, n, folds, iterations):
        for found, some in zip(scores, columns, strict=True):
            found.append(problem.scores((X[train], y[train]), (X[rows], y[rows]), some))
    return scores


FOLDS = [(200, 4, 1), (100, 5, 3)]


@pytest.mark.parametrize("problem", [Classes(), Quantities()], ids=["accuracy", "mae"])
@pytest.mark.parametrize(("n", "folds", "iterations"), FOLDS)
def test_cross_validation(problem, n, folds, iterations):
    """Coverage, equal models, and power of the corrected resampled t."""
    rng = np.random.default_rng(n + folds + iterations)
    name = f"{type(problem).__name__.lower()}, {n} rows, {iterations} x {folds} folds"
    test_rows = n / folds
    given = {"train_rows": n - test_rows, "test_rows": test_rows}
    repetitions = 150 if iterations == 1 else 100
    # Equal models: each knows one half of features that are all worth the same.
    halves = (np.arange(problem.features), np.arange(problem.features, 2 * problem.features))
    size = n - round(test_rows)
    many = problem.draw(rng, 10_000)
    truth = np.mean([problem.scores(problem.draw(rng, size), many, halves[0]) for _ in range(100)])
    covered, different, widths = [], 0, []
    for _ in range(repetitions):
        first, second = cross_validated(problem, rng, n, folds, iterations, halves)
        # Folds that all score the same, by chance, get no interval.
        with suppress(NoIntervalError):
            interval = corrected_resampled_t(first, **given).interval
            covered.append(interval.low <= truth <= interval.high)
        found = compare_folds(first, second, direction=problem.direction, **given)
        different += bool(found.different)
        if found.interval is not None:
            widths.append((found.interval.high - found.interval.low) / 2)
    assert len(covered) > 0.95 * repetitions
    report(f"{name}: covered", float(np.mean(covered)))
    report(f"{name}, equal models: called different", different / repetitions)
    assert_covered(float(np.mean(covered)), len(covered))
    assert_rarely_different(different / repetitions, repetitions)
    # A constant on top of one model's scores is a difference of known size.
    shift = 2 * float(np.mean(widths)) * (1 if problem.direction == "max" else -1)
    found_better = 0
    for _ in range(100):
        first, second = cross_validated(problem, rng, n, folds, iterations, halves)
        better = [score + shift for score in first]
        found = compare_folds(better, second, direction=problem.direction, **given)
        found_better += bool(found.different) and found.difference > 0
    report(f"{name}, a difference of twice the half width: found", found_better / 100)
    assert found_better / 100 >= FOUND


def report(what, share):
    """Say the figure: `pytest -rP` shows it."""
    print(f"{what} {share:.3f}")
