"""What the best score of a search is worth, once it is known that it was chosen as the best.

Bootstrap bias-corrected cross-validation: rows are drawn with replacement, the best trial is chosen
on those that were drawn, and scored on those that were not. No training is needed; the kept
predictions are enough. (Tsamardinos, Greasidou and Borboudakis 2018, Bootstrapping the
out-of-sample predictions for efficient and accurate cross-validation, Machine Learning 107.)

Legend: t trials, n rows of a fold, u units, B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlrun.metrics.names import Direction
from dlrun.scoring.intervals import FEWEST_UNITS, LEVEL, Interval, NoIntervalError

Array = np.ndarray

RESAMPLES = 1000
FEWEST_RESAMPLES = 100
MOST_NUMBERS = 400_000_000
"""Rows of all resamples and trials, beyond which fewer resamples are drawn."""

AT_ONCE = 2_000_000
"""Numbers that are drawn at once."""

METHOD = "bootstrap bias-corrected cross-validation"


@dataclass(frozen=True)
class ScoredFold:
    """The rows of one fold, and the score of every trial on any number of copies of them.

    Args:
        rows: (n,) int64 row numbers.
        units: (n,) which rows of the fold are drawn together; None: each is its own.
        scores: For each trial the score, (B,), as a function of how often each row counts, (B, n).
    """

    rows: Array
    units: Array | None
    scores: Sequence[Callable[[Array], Array]]


@dataclass(frozen=True)
class Correction:
    """What a search found, corrected for choosing the best.

    Args:
        value: Score to expect of what the search chose on rows that had no say in it.
        interval: Its confidence interval.
        gain: How much better that is than trial 0; above 0 where it is better; None without one.
        gain_interval: Its confidence interval, or None.
    """

    value: float
    interval: Interval
    gain: float | None
    gain_interval: Interval | None


def corrected_score(
    folds: Sequence[ScoredFold],
    direction: Direction,
    *,
    first: int | None = None,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Correction:
    """Return what the best of several trials is worth.

    A trial's score is the mean over folds, as in its own result. A row that several folds score
    is drawn for all of them at once.

    Args:
        folds: The same rows for every trial.
        direction: Of the score.
        first: Position of trial 0 among the trials, with which the best is compared.
        seed: Of the draws.
        level: Of the intervals.
        resamples: How often to draw.

    Raises:
        NoIntervalError: There are too few rows, or the score is undefined on most draws.
    """
    places, count = _units(folds)
    if count < FEWEST_UNITS:
        raise NoIntervalError(
            f"{count} rows or groups of rows are too few; {FEWEST_UNITS} are needed"
        )
    sizes = sum(len(fold.rows) for fold in folds) * len(folds[0].scores)
    resamples = min(resamples, max(FEWEST_RESAMPLES, MOST_NUMBERS // max(1, sizes)))
    sign = 1.0 if direction == "max" else -1.0
    values, gains = [], []
    for times in _draws(np.random.default_rng(seed), count, resamples):
        drawn = _mean_scores(folds, [times[:, place] for place in places])
        others = (times == 0).astype(np.int64)
        left = _mean_scores(folds, [others[:, place] for place in places])
        usable = np.isfinite(drawn).all(axis=0) & np.isfinite(left).all(axis=0)
        best = np.argmax(np.where(np.isfinite(drawn), sign * drawn, -np.inf), axis=0)
        chosen = left[best, np.arange(left.shape[1])]
        values.append(chosen[usable])
        if first is not None:
            gains.append(sign * (chosen - left[first])[usable])
    found = np.concatenate(values)
    if len(found) < resamples / 2:
        raise NoIntervalError("the score is undefined on most draws of the rows")
    of = "rows" if all(fold.units is None for fold in folds) else "groups of rows"
    note = f"from {count} {of}"
    interval = _percentiles(found, level, note)
    if first is None:
        return Correction(float(found.mean()), interval, None, None)
    gain = np.concatenate(gains)
    return Correction(
        float(found.mean()), interval, float(gain.mean()), _percentiles(gain, level, note)
    )


def _percentiles(values: Array, level: float, note: str) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, METHOD, note)


def _mean_scores(folds: Sequence[ScoredFold], times: Sequence[Array]) -> Array:
    """(t, B) the mean over folds of each trial's score; folds without a drawn row are left out."""
    sums: Array | float = 0.0
    counts: Array | float = 0.0
    with np.errstate(all="ignore"):
        for fold, each in zip(folds, times, strict=True):
            scores = np.stack([score(each) for score in fold.scores])
            known = np.isfinite(scores)
            sums = sums + np.where(known, scores, 0.0)
            counts = counts + known
        return np.asarray(sums / counts)


def _units(folds: Sequence[ScoredFold]) -> tuple[list[Array], int]:
    """(n,) the unit of every row of each fold, and how many there are. A row keeps the unit that
    it has in the first fold that scores it."""
    known: dict[int, int] = {}
    places, count = [], 0
    for fold in folds:
        own = np.arange(len(fold.rows)) if fold.units is None else fold.units
        numbers: dict[int, int] = {}
        place = []
        for row, unit in zip(fold.rows.tolist(), own.tolist(), strict=True):
            if row not in known:
                if unit not in numbers:
                    numbers[unit] = count
                    count += 1
                known[row] = numbers[unit]
            place.append(known[row])
        places.append(np.array(place, np.int64))
    return places, count


def _draws(rng: np.random.Generator, count: int, resamples: int) -> Iterator[Array]:
    """Yield (b, u) how often each unit is drawn, a part of the resamples at a time."""
    at_once = max(1, min(resamples, AT_ONCE // max(1, count)))
    for begin in range(0, resamples, at_once):
        size = min(at_once, resamples - begin)
        draws = rng.integers(count, size=(size, count))
        offsets = np.arange(size)[:, None] * count
        yield np.bincount((draws + offsets).ravel(), minlength=size * count).reshape(size, count)
