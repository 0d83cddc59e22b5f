"""How far a score can be trusted: intervals from the rows or folds that it was measured on.

Legend: n rows, u units (rows, groups of rows, or stretches of time), B resamples, q candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array

LEVEL = 0.95
FEWEST_UNITS = 10
"""With fewer rows or groups, a bootstrap is not reliable."""

NO_DIFFERENCE = 1e-6
"""Share of a score below which two are the same: its numbers are float32, and Keras adds 1e-7 to
some divisors."""

WILSON = "Wilson score"
AGRESTI_MIN = "Agresti-Min"
STUDENTIZED = "studentized bootstrap"
BCA = "BCa bootstrap"
CORRECTED_T = "corrected resampled t"


class NoIntervalError(ValueError):
    """Too little is known for an interval; the message says why."""


@dataclass(frozen=True)
class Interval:
    """Where the true value probably lies.

    Args:
        low: Lower end.
        high: Upper end.
        level: How often such intervals hold the true value, such as 0.95.
        method: How it was made.
        note: What it comes from, or None.
    """

    low: float
    high: float
    level: float
    method: str
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The interval as plain data."""
        return asdict(self)

    def within(self, low: float | None, high: float | None) -> Interval:
        """Return the part of the interval in which the value can lie."""
        return replace(
            self,
            low=self.low if low is None else max(self.low, low),
            high=self.high if high is None else min(self.high, high),
        )

    def shifted(self, by: float) -> Interval:
        """Return the interval of the value plus a constant."""
        return replace(self, low=self.low + by, high=self.high + by)


@dataclass(frozen=True)
class Estimate:
    """A value, its interval, and its p value.

    Args:
        value: The value on the rows or folds at hand.
        interval: Where the true value probably lies.
        p_value: Two-sided; at most `1 - level` just where the interval does not hold 0.
    """

    value: float
    interval: Interval
    p_value: float


def share_of_rows(right: int, n: int, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval of a share, such as that of the rows that are right.

    It is what a bootstrap over rows tends to, and holds where few rows are wrong, or none, where
    a bootstrap fails (Brown, Cai and DasGupta 2001, Interval estimation for a binomial
    proportion, Statistical Science 16).
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = right / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Interval(max(0.0, float(middle - half)), min(1.0, float(middle + half)), level, WILSON)


def paired_shares(gained: int, lost: int, n: int, level: float = LEVEL) -> Estimate:
    """Return how much larger one share is than another on the same rows.

    Wald's interval and test after half a row is added to each cell of the two-by-two table, which
    keeps them right with few rows (Agresti and Min 2005, Simple improved confidence intervals for
    comparing matched proportions, Statistics in Medicine 24).

    Args:
        gained: Rows that count in the first share alone.
        lost: Rows that count in the second share alone.
        n: All rows.
        level: Of the interval.
    """
    normal = NormalDist()
    b, c, rows = gained + 0.5, lost + 0.5, n + 2
    middle = (b - c) / rows
    error = float(np.sqrt(b + c - (b - c) ** 2 / rows)) / rows
    half = normal.inv_cdf((1 + level) / 2) * error
    interval = Interval(max(-1.0, middle - half), min(1.0, middle + half), level, AGRESTI_MIN)
    return Estimate((gained - lost) / n, interval, 2 * normal.cdf(-abs(middle) / error))


def corrected_resampled_t(
    values: Sequence[float], train_rows: float, test_rows: float, level: float = LEVEL
) -> Estimate:
    """Return the mean over the folds of a cross-validation, and its interval.

    Folds share most of their training rows, so that the plain standard error of their mean is too
    small: 1/J in the variance becomes 1/J + test_rows / train_rows (Nadeau and Bengio 2003,
    Inference for the generalization error, Machine Learning 52; for repeated cross-validation
    Bouckaert and Frank 2004, Evaluating the replicability of significance tests). Student's t has
    J - 1 degrees of freedom.

    Args:
        values: The scores of all J folds, those of every iteration; or their differences.
        train_rows: Rows that a fold trains on, on average.
        test_rows: Rows that a fold scores, on average.
        level: Of the interval.

    Raises:
        NoIntervalError: There is one fold, or all have the same value.
    """
    from scipy.special import stdtr, stdtrit

    scores = np.asarray(values, np.float64)
    count = len(scores)
    if count < 2:
        raise NoIntervalError("one fold does not show how far folds differ")
    variance = float(scores.var(ddof=1))
    mean = float(scores.mean())
    if not np.isfinite(variance):
        raise NoIntervalError("a fold has no score")
    if variance <= (NO_DIFFERENCE * mean) ** 2:
        raise NoIntervalError(f"all {count} folds have the same value")
    error = float(np.sqrt((1 / count + test_rows / train_rows) * variance))
    half = float(stdtrit(count - 1, (1 + level) / 2)) * error
    p_value = 2 * float(stdtr(count - 1, -abs(mean) / error))
    return Estimate(mean, Interval(mean - half, mean + half, level, CORRECTED_T), p_value)


def widened_by_seeds(interval: Interval, scores: Sequence[float]) -> Interval:
    """Return the interval of a mean over seeds, which the spread of the seeds makes wider.

    The variances that rows and seeds give the mean are added, and Student's t has the degrees of
    freedom of their sum (Welch 1947, Satterthwaite 1946): few seeds matter as little as they
    spread.

    Args:
        interval: Of the mean, from the rows alone.
        scores: Of each seed, at least two.
    """
    from scipy.special import stdtrit

    count = len(scores)
    middle, half = (interval.low + interval.high) / 2, (interval.high - interval.low) / 2
    of_rows = (half / NormalDist().inv_cdf((1 + interval.level) / 2)) ** 2
    of_seeds = float(np.var(scores, ddof=1)) / count
    if of_seeds == 0:
        return interval
    freedom = (count - 1) * (1 + of_rows / of_seeds) ** 2
    quantile = float(stdtrit(freedom, (1 + interval.level) / 2))
    half = quantile * float(np.sqrt(of_rows + of_seeds))
    return replace(interval, low=middle - half, high=middle + half)


def stretches(times: ArrayLike | None, n: int, least: int = 1) -> Array:
    """Return for each row the stretch of consecutive rows that it belongs to, (n,) int64.

    Rows near in time err alike, so that stretches are resampled as a whole. They are of √n rows,
    as for batch means (Flegal and Jones 2010, Batch means and spectral variance estimators,
    Annals of Statistics 38).

    Args:
        times: (n,) what orders the rows; None: they are in order.
        n: Number of rows.
        least: Rows of a stretch at least, as long as two stretches are left.
    """
    order = np.arange(n) if times is None else np.argsort(np.asarray(times), kind="stable")
    count = max(1, int(np.sqrt(n)))
    count = min(count, max(2, n // least)) if least > 1 else count
    places = np.empty(n, np.int64)
    places[order] = np.arange(n) * count // n
    return places
