"""Whether two models differ by more than chance, on the same rows or the same folds.

In every function `first` and `second` are two models (or a model and a baseline), and the
difference says how much better the first is: above 0 it is better, whichever direction the
measure has.

Legend: n rows, k outputs or classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array
from dlrun.metrics.names import Direction
from dlrun.metrics.scores import Score
from dlrun.scoring.bootstrap import RESAMPLES, bootstrap_mean, bootstrap_statistic
from dlrun.scoring.intervals import (
    AGRESTI_MIN,
    CORRECTED_T,
    LEVEL,
    Estimate,
    Interval,
    NoIntervalError,
    corrected_resampled_t,
    paired_shares,
    share_of_rows,
)

Predictions = ArrayLike | list[Array]
"""(n, 1) or (n, k) predictions; or a list of such, of models whose scores are averaged."""

_MOST_CALLS = 1000
_FEWEST_CALLS = 200
_NUMBERS_IN_CALLS = 4_000_000
"""Limits on the resamples, and on rows in all resamples, of a measure that is called for each."""


@dataclass(frozen=True)
class ScoreDifference:
    """How much better the first of two is.

    Args:
        difference: In the measure's unit; above 0 where the first is better.
        interval: Where the true difference probably lies; None where too little is known.
        p_value: Two-sided, of the hypothesis that they are equal; None without an interval.
        method: How it was estimated: `paired bootstrap`, `corrected resampled t`, ...
        why: Why there is no interval, one clause; None where there is one.
    """

    difference: float
    interval: Interval | None
    p_value: float | None
    method: str
    why: str | None = None

    @property
    def different(self) -> bool | None:
        """Whether the difference is larger than chance; None where the rows cannot tell."""
        return None if self.interval is None else not self.interval.low <= 0 <= self.interval.high

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return asdict(self)


def compare_on_rows(
    score: Score,
    y_true: ArrayLike,
    first: Predictions,
    second: Predictions,
    *,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    units: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> ScoreDifference:
    """Compare two models by their predictions for the same rows: a paired bootstrap.

    The same rows are drawn for both. Where every row is right or wrong, and rows are independent,
    Agresti and Min's interval of paired shares takes the place of the bootstrap.

    Args:
        score: The measure, from `dlrun.metrics.scores.find_score`.
        y_true: (n, ...) or (n, ..., k).
        first: (n, ..., k) predictions; or a list of such, of models that differ in their seed,
            whose scores are averaged.
        second: Predictions of the other, for the same rows in the same order.
        sample_weight: (n,) weights of the rows, or None.
        mask: (n, ...) which steps count, or None for all; those of a row are drawn together.
        units: (n,) group of each row (rows of a group are drawn together), or None;
            `dlrun.scoring.intervals.stretches` makes them of rows in time.
        seed: Of the draws.
        level: Of the interval.
    """
    method, ours, theirs = "paired bootstrap", _each_model(first), _each_model(second)

    def mean_score(models: list[Array]) -> float:
        return float(np.mean([score.function(y_true, p, sample_weight, mask) for p in models]))

    rows = ResampledRows(score, y_true, sample_weight, mask, units)
    try:
        found = _gain_on_rows(rows, ours, theirs, seed, level)
    except NoIntervalError as error:
        gain = _gain(mean_score(ours), mean_score(theirs), score.direction)
        return ScoreDifference(gain, None, None, method, str(error))
    if found.interval.method == AGRESTI_MIN:
        method = AGRESTI_MIN
    return ScoreDifference(found.value, found.interval, found.p_value, method)


def compare_folds(
    first: Sequence[float],
    second: Sequence[float],
    *,
    direction: Direction,
    train_rows: float,
    test_rows: float,
    level: float = LEVEL,
) -> ScoreDifference:
    """Compare two models by their scores on the same folds: the corrected resampled t.

    Args:
        first: Score of each fold, (J,), those of every iteration.
        second: Scores of the other, on the same folds in the same order.
        direction: `min` where a lower score is better, else `max`.
        train_rows: Rows that a fold trains on, on average.
        test_rows: Rows that a fold scores, on average.
        level: Of the interval.

    Raises:
        ValueError: The numbers of scores differ.
    """
    if len(first) != len(second):
        raise ValueError(
            f"Expected as many folds of the one as of the other. Received: {len(first)} and "
            f"{len(second)}"
        )
    gains = [_gain(a, b, direction) for a, b in zip(first, second, strict=True)]
    try:
        found = corrected_resampled_t(gains, train_rows, test_rows, level)
    except NoIntervalError as error:
        mean = float(np.mean(gains)) if gains else float("nan")
        return ScoreDifference(mean, None, None, CORRECTED_T, str(error))
    return ScoreDifference(found.value, found.interval, found.p_value, CORRECTED_T)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for being many, in the order given.

    The chance that any equal pair has one of at most a is a at most (Holm 1979, A simple
    sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6).
    """
    if not len(p_values):
        return []
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(1, values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty(len(values))
    corrected[order] = np.maximum.accumulate(steps)
    return [float(value) for value in corrected]


def _gain(ours: float, theirs: float, direction: Direction) -> float:
    return float(ours - theirs if direction == "max" else theirs - ours)


def score_on_rows(
    score: Score,
    y_true: ArrayLike,
    y_pred: Predictions,
    *,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    units: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Return a score with its interval: Wilson's for shares of independent rows that are right,
    else a bootstrap over rows. Arguments as `dlrun.scoring.differences.compare_on_rows`.

    Raises:
        NoIntervalError: The rows say too little; why.
    """
    models, rows = _each_model(y_pred), ResampledRows(score, y_true, sample_weight, mask, units)
    if score.rows is not None:
        values = rows.values(models)
        if rows.are_plain and score.of_mean is None and _flags(values):
            interval = share_of_rows(int(values.sum()), len(values), level)
            return Estimate(float(values.mean()), interval, float("nan"))
        if score.of_mean is None or len(models) == 1:
            found = bootstrap_mean(values, sizes=rows.sizes, units=units, seed=seed, level=level)
            # A mean error is never below 0.
            low = 0.0 if values.min() >= 0 else None
            interval = found.interval.within(low, None)
            if score.of_mean is not None:
                value, low, high = (
                    float(score.of_mean(np.asarray(each)))
                    for each in (found.value, interval.low, interval.high)
                )
                found = replace(found, value=value)
                interval = replace(interval, low=low, high=high)
            return _within_bounds(score, replace(found, interval=interval))
    statistic, resamples = rows.repeated(models)
    found = bootstrap_statistic(
        statistic, len(models[0]), units=units, seed=seed, level=level, resamples=resamples
    )
    return _within_bounds(score, found)


@dataclass(frozen=True)
class ResampledRows:
    """Rows to be drawn again, and what they are scored by; arguments as of `compare_on_rows`."""

    score: Score
    y_true: ArrayLike
    sample_weight: ArrayLike | None
    mask: ArrayLike | None
    units: ArrayLike | None

    @property
    def are_plain(self) -> bool:
        """Whether each row is independent of the others and counts as much."""
        return self.units is None and self.sample_weight is None and self.mask is None

    @property
    def sizes(self) -> Array | None:
        """(n,) how much each row counts: the share of its steps that are not masked."""
        if self.mask is None:
            return None
        counts = np.asarray(self.mask, np.float64)
        return counts.reshape(len(counts), -1).mean(axis=1)

    def values(self, models: list[Array]) -> Array:
        """(n,) values whose mean is the score, averaged over models."""
        rows = self.score.rows
        assert rows is not None
        each = [rows(self.y_true, p, self.sample_weight, self.mask) for p in models]
        return np.asarray(each[0] if len(each) == 1 else np.mean(each, axis=0))

    def repeated(self, models: list[Array]) -> tuple[Callable[[Array], Array], int]:
        """The score, (B,), as a function of how often each row counts, (B, n); how often to
        draw."""
        score, y_true = self.score, self.y_true
        weights = np.ones(len(models[0]))
        if self.sample_weight is not None:
            weights = np.asarray(self.sample_weight)
        if score.rows is not None:
            rows, of_mean = score.rows, score.of_mean or (lambda mean: mean)
            tables = [rows(y_true, predicted, None, self.mask) for predicted in models]
            sizes = self.sizes
            shares = np.ones(len(weights)) if sizes is None else sizes / sizes.mean()

            def of_means(times: Array) -> Array:
                counted = times * weights
                total = counted @ shares
                return np.mean([of_mean(counted @ values / total) for values in tables], axis=0)

            return of_means, RESAMPLES
        repeated = score.repeated
        if repeated is not None and self.sample_weight is None and self.mask is None:
            return (
                lambda times: np.mean([repeated(y_true, p, times) for p in models], axis=0),
                RESAMPLES,
            )

        def called(times: Array) -> Array:
            return np.array(
                [
                    np.mean([score.function(y_true, p, count * weights, self.mask) for p in models])
                    for count in times
                ]
            )

        numbers = sum(predicted.size // max(predicted.shape[-1], 1) for predicted in models)
        return called, min(_MOST_CALLS, max(_FEWEST_CALLS, _NUMBERS_IN_CALLS // max(1, numbers)))


def _gain_on_rows(
    rows: ResampledRows, ours: list[Array], theirs: list[Array], seed: int, level: float
) -> Estimate:
    """How much better the first models are than the second; see `compare_on_rows`.

    Raises:
        NoIntervalError: The rows say too little; why.
    """
    score = rows.score
    sign = 1.0 if score.direction == "max" else -1.0
    if score.rows is not None and score.of_mean is None:
        first, second = rows.values(ours), rows.values(theirs)
        if rows.are_plain and _flags(first) and _flags(second):
            gained, lost = np.sum(first > second), np.sum(first < second)
            return paired_shares(int(gained), int(lost), len(first), level)
        return bootstrap_mean(
            sign * (first - second), sizes=rows.sizes, units=rows.units, seed=seed, level=level
        )
    mine, resamples = rows.repeated(ours)
    other, _ = rows.repeated(theirs)
    return bootstrap_statistic(
        lambda times: sign * (mine(times) - other(times)),
        len(ours[0]),
        units=rows.units,
        seed=seed,
        level=level,
        resamples=resamples,
    )


def _each_model(predictions: Predictions) -> list[Array]:
    if isinstance(predictions, list) and isinstance(predictions[0], np.ndarray):
        return predictions
    return [np.asarray(predictions)]


def _flags(values: Array) -> bool:
    """Whether every row is right or wrong."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def bounds(score: Score) -> tuple[float | None, float | None]:
    """Return the least and the greatest value that a score can have; None where there is none."""
    facts = score.facts
    if facts is None or facts.better != score.direction:
        return None, None
    return facts.low, facts.high


def _within_bounds(score: Score, found: Estimate) -> Estimate:
    return replace(found, interval=found.interval.within(*bounds(score)))
