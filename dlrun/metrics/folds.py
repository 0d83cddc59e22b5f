"""Several folds together: means and spreads of scores and of whole curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.metrics.names import Direction


@dataclass(frozen=True)
class Spread:
    """One score over folds.

    Args:
        values: Each fold's score, in the order of the folds.
        mean: Their mean.
        std: Their standard deviation with n - 1 in the divisor (`ddof=1`), the estimate
            for new folds; NaN for a single fold.
    """

    values: tuple[float, ...]
    mean: float
    std: float


def summarize(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation (`ddof=1`) of the folds' scores.

    Raises:
        ValueError: There are no folds.
    """
    if not values:
        raise ValueError("Expected the score of at least one fold. Received: none")
    mean, std = _mean_and_std(np.asarray(values, np.float64)[:, None])
    return Spread(tuple(float(value) for value in values), mean[0], std[0])


def spread_facts(values: Sequence[float | None]) -> dict[str, Any]:
    """Return `value` (the mean), `std` and `folds` of the scores that are known, as plain data."""
    known = [value for value in values if value is not None]
    if not known:
        return {"value": None, "std": None, "folds": []}
    summary = summarize(known)
    return {
        "value": summary.mean,
        "std": summary.std if len(known) > 1 else None,
        "folds": known,
    }


def mean_history(
    histories: Sequence[Mapping[str, Sequence[float]]],
) -> dict[str, dict[str, list[float]]]:
    """Return the mean of each metric over folds, for the epochs that all folds have.

    This is `average_mae_history` of *Deep Learning with Python*, section 3.6.

    Args:
        histories: Each fold's history, metric to its value in every epoch. Metrics that a fold
            lacks are left out.

    Returns:
        For each metric `mean` and `std` (`ddof=1`; NaN for one fold) of every epoch. An epoch
        in which a fold has NaN is NaN.
    """
    if not histories:
        return {}
    names = [name for name in histories[0] if all(name in history for history in histories)]
    curves = {}
    for name in names:
        shared = min(len(history[name]) for history in histories)
        folds = np.array([history[name][:shared] for history in histories], np.float64)
        mean, std = _mean_and_std(folds)
        curves[name] = {"mean": mean, "std": std}
    return curves


def best_epoch(values: Sequence[float], direction: Direction) -> tuple[int, float] | None:
    """Return the best epoch, counted from 1, and its value; None where every epoch is NaN.

    The first of equals is taken: the shortest training that gets there.
    """
    finite = np.asarray(values, np.float64)
    if finite.size == 0 or np.isnan(finite).all():
        return None
    index = int(np.nanargmin(finite) if direction == "min" else np.nanargmax(finite))
    return index + 1, float(finite[index])


def moving_average(values: Sequence[float], factor: float = 0.9) -> list[float]:
    """Return the exponential moving average of a curve.

    Each point is `factor` times the one before plus `1 - factor` times the value: `smooth_curve`
    of *Deep Learning with Python*, section 3.6. NaN and infinity stay as they are, and do not
    affect the epochs after them.
    """
    smoothed: list[float] = []
    last: float | None = None
    for value in values:
        if not np.isfinite(value):
            smoothed.append(float(value))
            continue
        last = float(value) if last is None else factor * last + (1 - factor) * float(value)
        smoothed.append(last)
    return smoothed


def _mean_and_std(folds: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation (`ddof=1`) over the first axis of (folds, epochs)."""
    mean = folds.mean(axis=0)
    # Infinity minus infinity is NaN here, as it should be.
    with np.errstate(invalid="ignore"):
        squares = np.square(folds - mean).sum(axis=0)
    count = len(folds)
    std = np.sqrt(squares / (count - 1)) if count > 1 else np.full(len(mean), np.nan)
    return mean.tolist(), std.tolist()
