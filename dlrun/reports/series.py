"""The scored rows of a series in the order of time: what was true, what the model predicted, and
what the strongest baseline predicted.

Legend: n scored rows, k numbers of the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.reports.charts import Axis, Chart, LineMark, axis_holding
from dlrun.text import figure

READABLE = 400
"""Rows that a chart shows one by one; of more, the last ones get a second chart."""

Array = np.ndarray


@dataclass(frozen=True)
class OverTime:
    """One number of the target over time.

    Args:
        name: Of the number.
        places: (n,) int64 ascending, the row with each value.
        true: (n,) quantities.
        predicted: (n,) in the same unit.
        baseline: (n,) what the strongest baseline predicted, NaN where it is not among the
            scored rows, or None where that is so for more than half.
        baseline_name: `persistence` or `seasonal`; empty where `baseline` is None.
        rows_of: What the rows are counted in.
    """

    name: str
    places: Array
    true: Array
    predicted: Array
    baseline: Array | None
    baseline_name: str
    rows_of: str = "the file"

    def __len__(self) -> int:
        return len(self.places)

    @property
    def half_errors(self) -> tuple[float, float]:
        """Mean absolute error of the first and of the second half; of one row, twice the same."""
        errors = np.abs(self.predicted - self.true)
        middle = len(errors) // 2
        return float(errors[: max(middle, 1)].mean()), float(errors[middle:].mean())

    def last(self, count: int) -> OverTime:
        """Return the last rows alone."""
        return OverTime(
            self.name,
            self.places[-count:],
            self.true[-count:],
            self.predicted[-count:],
            None if self.baseline is None else self.baseline[-count:],
            self.baseline_name,
            self.rows_of,
        )


def over_time(
    rows: Array,
    true: Array,
    predicted: Array,
    names: tuple[str, ...],
    dataset: Mapping[str, Any],
    baseline: str = "",
    rows_of: str = "the file",
) -> tuple[OverTime, ...]:
    """Return each number of the target over time.

    Args:
        rows: (n,) the last row of each window; a repeated row counts once.
        true: (n, k) quantities, the steps ahead of the first target before those of the second.
        predicted: (n, k) in the same unit.
        names: Of the k numbers.
        dataset: Options of the source `timeseries`.
        baseline: Name of the strongest baseline.
        rows_of: As in `OverTime`.
    """
    rows, first = np.unique(rows, return_index=True)
    true, predicted = true[first], predicted[first]
    delay, step = int(dataset.get("delay") or 1), int(dataset.get("step") or 1)
    steps = int(dataset.get("steps_ahead") or 1)
    found = []
    for column, name in enumerate(names):
        ahead = delay + column % steps * step
        back = _rows_back(baseline, ahead, delay, dataset.get("season"))
        nearest = true[:, column - column % steps]
        known = None if back is None else _earlier(rows, nearest, back)
        if known is not None and 2 * np.isfinite(known).sum() < len(rows):
            known = None
        label = "" if known is None else baseline
        found.append(
            OverTime(
                name, rows + ahead, true[:, column], predicted[:, column], known, label, rows_of
            )
        )
    return tuple(found)


def _rows_back(baseline: str, ahead: int, delay: int, season: Any) -> int | None:
    """Return how many rows earlier the window is whose first target is the baseline's prediction;
    see `dlrun.data.reading.series.naive_series_forecasts`."""
    if baseline == "persistence":
        return delay
    if baseline == "seasonal" and season:
        return delay - ahead + -(-ahead // int(season)) * int(season)
    return None


def _earlier(rows: Array, values: Array, back: int) -> Array:
    """Return (n,) the value of the row `back` rows earlier; NaN where it, or a row between, is not
    there, so that a row left out of the series moves nothing.

    Args:
        rows: (n,) ascending.
        values: (n,) one for each row.
        back: How many rows earlier.
    """
    stride = int(np.diff(rows).min()) if len(rows) > 1 else 1
    places = np.arange(len(rows)) - back // stride
    there = (places >= 0) & (back % stride == 0)
    places = np.maximum(places, 0)
    there &= rows[places] == rows - back
    return np.where(there, values[places], np.nan)


def series_charts(facts: OverTime) -> tuple[Chart, ...]:
    """Return predicted and true over time: all rows, and where these are many the last ones."""
    whole = _chart(facts, f"{facts.name} over time")
    if len(facts) <= READABLE:
        return (whole,)
    return whole, _chart(facts.last(READABLE), f"The last {READABLE} rows")


def _chart(facts: OverTime, title: str) -> Chart:
    lines = [
        (facts.predicted, "validation", "predicted"),
        (facts.true, "true", "true"),
        (facts.baseline, "expected", facts.baseline_name),
    ]
    drawn = [(values, style, label) for values, style, label in lines if values is not None]
    first, last = int(facts.places[0]), int(facts.places[-1])
    error = float(np.abs(facts.predicted - facts.true).mean())
    return Chart(
        Axis(first - 0.5, max(last, first + 4) + 0.5, f"row of {facts.rows_of}"),
        axis_holding(np.concatenate([values for values, _, _ in drawn]), facts.name),
        tuple(
            LineMark(*_broken(facts.places, values), style, label) for values, style, label in drawn
        ),
        f"{facts.name}, predicted and true, in rows {first:,} to {last:,} of {facts.rows_of}:"
        f" the mean absolute error is {figure(error)}.",
        title=title,
    )


def _broken(places: Array, values: Array) -> tuple[Array, Array]:
    """Return the line with a missing number wherever rows are left out."""
    steps = np.diff(places)
    if not len(steps):
        return places, values
    gaps = np.flatnonzero(steps > steps.min()) + 1
    return (
        np.insert(places.astype(np.float64), gaps, places[gaps - 1]),
        np.insert(values.astype(np.float64), gaps, np.nan),
    )
