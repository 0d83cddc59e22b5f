"""Quantities of a series from a table, the gaps between its times, and naive forecasts.

Legend: r rows of the series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from dlrun.data.reading.row_order import OrderedRows
from dlrun.data.reading.table_columns import ColumnType, to_array
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array, Columns, as_objects
from dlrun.data.timestamps import time_text
from dlrun.data.windows import Series, encoded

Gaps = Literal["break", "ignore"]

WIDE = 1.5
"""A step in time of more than this many usual steps is a gap."""

_NEARLY = 0.001
"""Share of a day by which a season may differ from it: clocks are not exact."""

_PARTS_OF_YEAR = (2, 4, 12, 52)
_NEARLY_YEAR = 0.05
"""Share of a year by which that many usual steps may differ from it: months are not alike."""

_SECOND = np.timedelta64(1, "s")
_DAY = 86_400.0
_YEAR = 365.2425 * _DAY
_UNITS = ((_DAY, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second"))


@dataclass(frozen=True)
class Clock:
    """The times of a series.

    Args:
        times: (r,) ascending within each series.
        usual: The usual step: in seconds of dates, in their own unit of numbers.
        usuals: (r,) the usual step of each row's series.
        dates: Whether they are dates.
        stretch: (r,) int64, counts up at each gap, and where a series begins.
        gaps: How many gaps there are.
        first_gap: Where the first one is, for messages; empty where there is none.
        widest: The widest, for messages.
    """

    times: Array
    usual: float
    usuals: Array
    dates: bool
    stretch: Array
    gaps: int
    first_gap: str
    widest: str


def clock_of(rows: OrderedRows) -> Clock | None:
    """Return the usual step of rows in their order, and the gaps between them; None without times.

    Each series has a usual step of its own, and begins a stretch of its own.
    """
    times = rows.times
    if times is None:
        return None
    steps = np.diff(times)
    dates = times.dtype.kind == "M"
    seconds = steps / _SECOND if dates else steps.astype(np.float64)
    border = np.zeros(len(times), bool)
    border[rows.borders[1:-1]] = True
    within = seconds[~border[1:]]
    usual = float(np.median(within)) if len(within) else 1.0
    usuals = np.broadcast_to(usual, len(times))
    if rows.codes is not None:
        usuals = np.full(len(times), usual)
        for first, stop in pairwise(rows.borders):
            if stop - first > 1:
                usuals[first:stop] = np.median(seconds[first : stop - 1])
    wide = np.concatenate([[False], seconds > WIDE * usuals[1:]]) & ~border
    gaps = np.flatnonzero(wide)
    first_gap = widest = ""
    if len(gaps):
        first_gap = time_text(times[gaps[0] - 1])
        width = float(seconds[gaps - 1].max())
        widest = duration_text(width) if dates else f"{width:g}"
    stretch = np.cumsum(wide | border)
    return Clock(times, usual, usuals, dates, stretch, len(gaps), first_gap, widest)


def due_times(clock: Clock, last: Array, delays: Array) -> Array:
    """Return when rows are due that may not be there yet.

    Args:
        clock: The times of the rows that are there.
        last: (n,) places of rows.
        delays: (s,) how many rows later.

    Returns:
        (n, s), the time of the row where it follows without a gap, else as many usual steps later.
    """
    later = last[:, np.newaxis] + delays
    there = np.minimum(later, len(clock.times) - 1)
    follows = (later == there) & (clock.stretch[there] == clock.stretch[last][:, np.newaxis])
    steps = delays * clock.usuals[last][:, np.newaxis]
    if clock.dates:
        now = clock.times[last][:, np.newaxis]
        return np.where(follows, clock.times[there], now + _durations(steps, now.dtype))
    return np.where(follows, clock.times[there], clock.times[last][:, np.newaxis] + steps)


def season_of(clock: Clock | None) -> int | None:
    """Return the number of rows of a season; None without dates, or where no number of steps makes
    one.

    A day of rows that are more frequent; a week of daily ones, which are five where there are none
    of a weekend; a year of weekly, monthly, quarterly and half-yearly ones.
    """
    if clock is None or not clock.dates:
        return None
    rows = max(1, round(_DAY / clock.usual))
    if abs(rows * clock.usual - _DAY) <= _NEARLY * _DAY:
        return rows if rows > 1 else _rows_of_week(clock.times)
    a_year = _YEAR / clock.usual
    return next((n for n in _PARTS_OF_YEAR if abs(a_year - n) < _NEARLY_YEAR * n), None)


def _rows_of_week(times: Array) -> int:
    """Seven, or five of days without weekends."""
    # 1970-01-01 was a Thursday.
    weekdays = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return 5 if (weekdays < 5).all() and len(times) > 7 else 7


def series_from(
    table: TableFiles,
    kinds: Mapping[str, ColumnType],
    features: Sequence[str],
    rows: OrderedRows,
) -> tuple[Series, dict[str, Array]]:
    """Return the features as a series, and each column of the rows separately.

    Args:
        table: The rows.
        kinds: What the columns hold: features, and others.
        features: Columns that are quantities of the series.
        rows: Which rows, in which order.
    """
    columns = {name: to_array(table, name, kind)[rows.kept] for name, kind in kinds.items()}
    values = np.empty((len(rows), len(features)), np.float32)
    categories: dict[str, tuple[str, ...]] = {}
    for index, name in enumerate(features):
        column = columns[name]
        if column.dtype == object:
            column, categories[name] = encoded(column)
        with np.errstate(over="ignore"):
            values[:, index] = column
    series = Series(
        values,
        tuple(features),
        rows.kept,
        rows.times,
        categories=categories,
        labels=rows.labels,
        codes=rows.codes,
    )
    return series, columns


def _durations(seconds: Array, dtype: np.dtype[Any]) -> Array:
    """Seconds as timedelta64 in the unit of dates."""
    unit, scale = ("ns", 1e9) if dtype == np.dtype("datetime64[ns]") else ("us", 1e6)
    return np.round(seconds * scale).astype(f"timedelta64[{unit}]")


def duration_text(seconds: float) -> str:
    """Return `10 minutes`, `3 days`."""
    size, unit = next(((s, u) for s, u in _UNITS if seconds >= s), (1.0, "second"))
    count = f"{seconds / size:.3g}"
    return f"{count} {unit}{'' if count == '1' else 's'}"


def every(seconds: float) -> str:
    """Return `every 10 minutes`, `every hour`."""
    return f"every {duration_text(seconds).removeprefix('1 ')}"


PERSISTENCE = "persistence"
SEASONAL = "seasonal"


def previous_targets(targets: Columns, time: Array | None) -> Columns:
    """Return `persistence` for the rows of a table: the targets of the row before in time.

    Nothing where two rows have the same time: then neither comes before the other.

    Args:
        targets: (n,) or (n, k) numbers by name, or (n,) classes as text of the only one.
        time: (n,) times of the rows; None: they are in order.
    """
    # (n, k): a column for each number of the targets.
    columns = [c.reshape(len(c), -1) for c in targets.values()]
    values = np.concatenate([c if c.dtype == object else c.astype(float) for c in columns], axis=1)
    order = np.arange(len(values)) if time is None else np.argsort(time, kind="stable")
    if time is not None and (np.diff(time[order]) == np.zeros(1, np.diff(time).dtype)[0]).any():
        return {}
    before = np.full_like(values, None if values.dtype == object else np.nan)
    before[order[1:]] = values[order[:-1]]
    return {PERSISTENCE: before}


def naive_series_forecasts(
    targets: Sequence[Array],
    last: Array,
    ahead: Array,
    season: int | None,
    stretch: Array | None,
    codes: Array | None = None,
) -> Columns:
    """Return `persistence` and `seasonal` for windows over a series.

    Persistence is the value in the last row of the window, where that is missing the last one
    known before. Seasonal is the value one season before
    the target's time, or as many seasons as it takes to be known by the window's last row; where
    that says the same as persistence everywhere, it is left out.

    Args:
        targets: (r,) values of each target; of the only one perhaps classes as text, or None.
        last: (n,) places of the windows' last rows.
        ahead: (k,) rows from there to the targets.
        season: Rows of a season, or None.
        stretch: (r,) counts up at each gap, and where a series begins; None where neither counts.
        codes: (r,) which series a row belongs to; None: there is one.
    """
    if targets[0].dtype == object:
        return _of_classes(targets[0], last, ahead, season, stretch, codes)
    known_values = (_last_known(values, codes) for values in targets)
    persistent = [values[last][:, np.newaxis].repeat(len(ahead), axis=1) for values in known_values]
    references = {PERSISTENCE: np.concatenate(persistent, axis=1).astype(np.float64)}
    if season is None:
        return references
    places = last[:, np.newaxis] + (ahead - -(-ahead // season) * season)[np.newaxis]
    known = places >= 0
    places = np.maximum(places, 0)
    if stretch is not None:
        known &= stretch[places] == stretch[last][:, np.newaxis]
    seasonal = [np.where(known, values[places], np.nan) for values in targets]
    joined = np.concatenate(seasonal, axis=1).astype(np.float64)
    same = np.array_equal(places, last[:, np.newaxis].repeat(len(ahead), axis=1))
    return references if same else references | {SEASONAL: joined}


def _of_classes(values: Array, last: Array, *others: Any) -> Columns:
    """The same for classes as text: numbers stand in for them."""
    names = sorted({value for value in values if value is not None})
    number = {name: place for place, name in enumerate(names)}
    numbers = np.array([number.get(value, np.nan) for value in values], np.float64)
    known = as_objects([*names, None])
    return {
        rule: known[np.nan_to_num(forecast, nan=len(names)).astype(np.int64)]
        for rule, forecast in naive_series_forecasts([numbers], last, *others).items()
    }


def _last_known(values: Array, codes: Array | None) -> Array:
    """(r,) float64: of each row the value, or where it is missing that of the nearest row before
    which has one; NaN where no row of its series does."""
    filled = np.asarray(values, np.float64)
    known = np.maximum.accumulate(np.where(np.isnan(filled), -1, np.arange(len(filled))))
    there = known >= 0
    if codes is not None:
        there &= codes[known] == codes
    return np.where(there, filled[known], np.nan)
