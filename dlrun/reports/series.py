"""The scored rows of a series in the order of time: what was true, what the model predicted, and
what the strongest baseline predicted.

Legend: n scored rows, k numbers of the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.reports.charts import Axis, Chart, LineMark, axis_holding, seconds_of, time_axis
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
        times: (n,) dates of the rows, or None where there are none.
    """

    name: str
    places: Array
    true: Array
    predicted: Array
    baseline: Array | None
    baseline_name: str
    rows_of: str = "the file"
    times: Array | None = None

    def __len__(self) -> int:
        return len(self.places)

    @property
    def span(self) -> str:
        """From where to where the values are: `from row 3 to 202 of the file`, or dates."""
        if self.times is None:
            first, last = self.places[[0, -1]]
            return f"from row {first:,} to {last:,} of {self.rows_of}"
        begin, end = (
            str(time).replace("T", " ").removesuffix(" 00:00")
            for time in self.times[[0, -1]].astype("datetime64[m]")
        )
        return f"from {begin} to {end}"

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
            None if self.times is None else self.times[-count:],
        )


def over_time(
    rows: Array,
    true: Array,
    predicted: Array,
    names: tuple[str, ...],
    dataset: Mapping[str, Any],
    baseline: str = "",
    rows_of: str = "the file",
    times: Array | None = None,
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
        times: (n, s) the dates of the s steps ahead, or None.
    """
    rows, first = np.unique(rows, return_index=True)
    true, predicted = true[first], predicted[first]
    times = None if times is None else times[first]
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
                name,
                rows + ahead,
                true[:, column],
                predicted[:, column],
                known,
                label,
                rows_of,
                None if times is None else times[:, column % steps],
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
    error = float(np.abs(facts.predicted - facts.true).mean())
    if facts.times is None:
        x = facts.places.astype(np.float64)
        axis = Axis(x[0] - 0.5, max(x[-1], x[0] + 4) + 0.5, f"row of {facts.rows_of}")
    else:
        x, axis = seconds_of(facts.times), time_axis(*facts.times[[0, -1]])
    return Chart(
        axis,
        axis_holding(np.concatenate([values for values, _, _ in drawn]), facts.name),
        tuple(
            LineMark(*_broken(facts.places, x, values), style, label)
            for values, style, label in drawn
        ),
        f"{facts.name}, predicted and true, {facts.span}: the mean absolute error is "
        f"{figure(error)}.",
        title=title,
    )


def _broken(places: Array, x: Array, values: Array) -> tuple[Array, Array]:
    """Return the line with a missing number wherever rows are left out."""
    steps = np.diff(places)
    if not len(steps):
        return x, values
    gaps = np.flatnonzero(steps > steps.min()) + 1
    return (
        np.insert(x, gaps, x[gaps - 1]),
        np.insert(values.astype(np.float64), gaps, np.nan),
    )
