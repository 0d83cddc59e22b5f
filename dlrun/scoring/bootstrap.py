"""The bootstrap over rows: drawn again with replacement, as if the data had been collected anew.

Rows of one unit (a group, a stretch of time) are drawn together. Legend: n rows, u units,
B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array
from dlrun.scoring.intervals import (
    BCA,
    FEWEST_UNITS,
    LEVEL,
    NO_DIFFERENCE,
    STUDENTIZED,
    Estimate,
    Interval,
    NoIntervalError,
)

RESAMPLES = 2000
MOST_UNITS = 5000
"""More are grouped at random: the interval stays the same and takes no longer."""

MOST_GROUPS = 100
"""Groups of units that are left out in turn, to see how skewed a measure is."""

_NO_WIDTH = "nearly all resamples of the rows give the same value"

_AT_ONCE = 500_000
"""Numbers that are drawn at once."""


def bootstrap_mean(
    values: ArrayLike,
    *,
    sizes: ArrayLike | None = None,
    units: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Return the mean of some values over rows, and its studentized bootstrap interval.

    Each resample's mean is measured in its own standard errors, which keeps the interval right
    for skewed values and few rows (bootstrap-t; Efron and Tibshirani 1993, An Introduction to the
    Bootstrap, section 12.5). The mean over units of unequal size is a ratio, whose standard
    error is that of its linear approximation.

    Args:
        values: (n,) one value a row.
        sizes: (n,) how much of each row counts in that mean, such as its steps that are not masked:
            it is their sum that the mean divides by, in every resample; None: all alike.
        units: (n,) which unit each row belongs to; None: each is its own.
        seed: Of the draws.
        level: Of the interval.
        resamples: How often to draw.

    Raises:
        NoIntervalError: There are too few units, or they do not differ.
    """
    rng = np.random.default_rng(seed)
    rows = np.asarray(values, np.float64)
    each = np.ones(len(rows)) if sizes is None else np.asarray(sizes, np.float64)
    sums, counts = _per_unit(rows * each.mean(), each, units, rng)
    count = len(sums)
    mean = float(sums.sum() / counts.sum())
    # Centred, so that the squares below lose no digits.
    residuals = sums - mean * counts
    inflation = count / (count - 1)
    error = float(np.sqrt(inflation * np.square(residuals).sum()) / counts.sum())
    if not np.isfinite(error):
        raise NoIntervalError("a row has no finite value")
    if error <= NO_DIFFERENCE * abs(mean):
        raise NoIntervalError("all rows have the same value")
    table = np.stack([residuals, residuals**2])
    if not (equal := bool((counts == counts[0]).all())):
        table = np.stack([*table, counts, residuals * counts, counts**2])
    ratios = []
    for draws in _draws(rng, count, resamples):
        sampled = np.stack([column[draws].sum(axis=1) for column in table])
        if equal:
            size = counts[0]
            cross, squares = size * sampled[0], np.full(len(draws), count * size**2)
            weight = np.full(len(draws), count * size)
        else:
            weight, cross, squares = sampled[2:]
        shift = sampled[0] / weight
        spread = sampled[1] - 2 * shift * cross + shift**2 * squares
        own_error = np.sqrt(inflation * np.maximum(spread, 0)) / weight
        # A resample without spread tells nothing about its error.
        ratios.append(shift / np.where(own_error > 1e-6 * error, own_error, error))
    ratio = np.sort(np.concatenate(ratios))
    tail = (1 - level) / 2
    low, high = np.quantile(ratio, [tail, 1 - tail])
    if low == high:
        raise NoIntervalError(_NO_WIDTH)
    interval = Interval(mean - high * error, mean - low * error, level, STUDENTIZED)
    return Estimate(mean, interval, _p_value(ratio, mean / error))


def bootstrap_statistic(
    statistic: Callable[[Array], Array],
    n: int,
    *,
    units: ArrayLike | None = None,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Return any measure of rows, and its BCa bootstrap interval.

    Bias-corrected and accelerated (Efron and Tibshirani 1993, section 14.3); the acceleration
    comes from leaving out groups of units.

    Args:
        statistic: Gives the measure, (B,), for how often each row counts, (B, n) integers.
        n: Number of rows.
        units: As for `bootstrap_mean`.
        seed: Of the draws.
        level: Of the interval.
        resamples: How often to draw.

    Raises:
        NoIntervalError: There are too few units, or the measure is the same whatever is drawn.
    """
    rng = np.random.default_rng(seed)
    value = float(statistic(np.ones((1, n), np.int64))[0])
    if not np.isfinite(value):
        raise NoIntervalError("it is not a finite number")
    places, count = _places(units, n)
    drawn = []
    for draws in _draws(rng, count, resamples, width=n):
        offsets = np.arange(len(draws))[:, None] * count
        times = np.bincount((draws + offsets).ravel(), minlength=count * len(draws))
        times = times.reshape(len(draws), count)
        drawn.append(statistic(times if places is None else times[:, places]))
    values = np.concatenate(drawn)
    # Some resamples hold a single class: there is no area under their curve.
    values = values[np.isfinite(values)]
    if len(values) < resamples / 2:
        raise NoIntervalError("most resamples of the rows have no value")
    values = np.sort(values)
    if values[-1] - values[0] <= NO_DIFFERENCE * abs(value):
        raise NoIntervalError("it is the same whichever rows are drawn")
    left_out = _left_out(rng, count)
    jackknife = statistic(left_out if places is None else left_out[:, places])
    shift, acceleration = _correction(values, value, jackknife)
    normal = NormalDist()
    levels = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = shift + normal.inv_cdf(tail)
        levels.append(normal.cdf(shift + z / (1 - acceleration * z)))
    low, high = np.quantile(values, levels)
    if low == high:
        raise NoIntervalError(_NO_WIDTH)
    interval = Interval(float(low), float(high), level, BCA)
    return Estimate(value, interval, _corrected_p_value(values, shift, acceleration))


def _left_out(rng: np.random.Generator, count: int) -> Array:
    """(g, u) how often each unit counts where one of g groups of units, at random, is left out."""
    groups = min(count, MOST_GROUPS)
    group = rng.permutation(count) % groups
    return (group[None, :] != np.arange(groups)[:, None]).astype(np.int64)


def _correction(values: Array, value: float, jackknife: Array) -> tuple[float, float]:
    """Bias correction, in standard deviations, and acceleration of a bootstrap distribution."""
    below = np.searchsorted(values, value, "left") + np.searchsorted(values, value, "right")
    share = min(max(below / (2 * len(values)), 0.5 / len(values)), 1 - 0.5 / len(values))
    jackknife = jackknife[np.isfinite(jackknife)]
    pulls = jackknife.mean() - jackknife
    squares = float(np.square(pulls).sum())
    acceleration = float((pulls**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
    return NormalDist().inv_cdf(share), acceleration


def _corrected_p_value(values: Array, shift: float, acceleration: float) -> float:
    """Two-sided; the level at which the interval begins to hold 0."""
    normal = NormalDist()
    below = np.searchsorted(values, 0, "left") + np.searchsorted(values, 0, "right")
    share = (below + 1) / (2 * len(values) + 2)
    z = normal.inv_cdf(share) - shift
    at = z / (1 + acceleration * z) - shift
    return min(1.0, 2 * normal.cdf(-abs(at)))


def _places(units: ArrayLike | None, n: int) -> tuple[Array | None, int]:
    """Number of the unit of each row, (n,), None where it is the row's own, and how many."""
    if units is None:
        places, count = None, n
    else:
        found, places = np.unique(np.asarray(units), return_inverse=True)
        count = len(found)
    if count < FEWEST_UNITS:
        what = "rows" if units is None else "groups of rows"
        raise NoIntervalError(f"{count} {what} are too few; {FEWEST_UNITS} are needed")
    return places, count


def _per_unit(
    values: Array, sizes: Array, units: ArrayLike | None, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Sums of the values and of the sizes of each unit's rows, both (u,)."""
    places, count = _places(units, len(values))
    sums = values
    if places is not None:
        sums = np.bincount(places, values, minlength=count)
        sizes = np.bincount(places, sizes, minlength=count)
    if count <= MOST_UNITS:
        return sums, sizes
    places = rng.permutation(count) % MOST_UNITS
    return np.bincount(places, sums), np.bincount(places, sizes)


def _draws(
    rng: np.random.Generator, count: int, resamples: int, width: int | None = None
) -> Iterator[Array]:
    """Yield the units that are drawn, (b, u) integers, a part of the resamples at a time."""
    at_once = max(1, _AT_ONCE // max(count, width or 0))
    for begin in range(0, resamples, at_once):
        size = (min(at_once, resamples - begin), count)
        yield rng.integers(count, size=size, dtype=np.int64)


def _p_value(ascending: Array, at: float) -> float:
    """Two-sided, from the share of a distribution that lies on either side of a value."""
    below = int(np.searchsorted(ascending, at, side="right"))
    above = len(ascending) - int(np.searchsorted(ascending, at, side="left"))
    return min(1.0, 2 * (min(below, above) + 1) / (len(ascending) + 1))
