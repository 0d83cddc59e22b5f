"""The rows of a series from a table: its times in order, and the gaps between them.

Legend: r rows of the series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlrun.data.reading.table_columns import to_array
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array, Columns
from dlrun.data.timestamps import as_times, time_text
from dlrun.data.windows import Series
from dlrun.errors import DataError

Gaps = Literal["break", "ignore"]

MOST_REPEATED = 0.01
"""Share of rows whose time may be out of order; with more, the file is not in time order."""

WIDE = 1.5
"""A step in time of more than this many usual steps is a gap."""

_NEARLY = 0.001
"""Share of a day by which a season may differ from it: clocks are not exact."""

_ROWS_SAMPLED = 100
_SECOND = np.timedelta64(1, "s")
_DAY = 86_400.0
_UNITS = ((_DAY, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second"))


@dataclass(frozen=True)
class Clock:
    """The times of a series.

    Args:
        times: (r,) ascending.
        usual: The usual step: in seconds of dates, in their own unit of numbers.
        dates: Whether they are dates.
        stretch: (r,) int64, counts up at each gap.
        gaps: How many gaps there are.
        first_gap: Where the first one is, for messages; empty where there is none.
        widest: The widest, for messages.
    """

    times: Array
    usual: float
    dates: bool
    stretch: Array
    gaps: int
    first_gap: str
    widest: str


def time_of(table: TableFiles, given: str | None) -> str | None:
    """Return the column of the times: the one that is given, else the first one of dates, or None.

    Raises:
        DataError: The given one is not there.
    """
    if given is not None:
        table.require(given)
        return given
    return next((name for name in table.names if _holds_dates(table, name)), None)


def read_times(table: TableFiles, name: str) -> Array:
    """Return the times of the rows, (r,); see `as_times`.

    Raises:
        DataError: A time is missing or cannot be read.
    """
    series = table.series(name)
    if series.dtype.kind == "M":
        values = np.asarray(series.to_numpy(dtype="datetime64[ns]"))
    elif series.dtype.kind in "iuf":
        values = np.asarray(series.to_numpy())
    else:
        texts = series.astype(object)
        values = np.asarray(texts.where(series.notna(), None).to_numpy(dtype=object))
    try:
        return as_times(name, values)
    except DataError as error:
        raise DataError(f"{table.files[0]}: {error}") from error


def rows_in_order(table: TableFiles, name: str, times: Array) -> Array:
    """Return the positions of the rows to keep: all but those whose time has passed already.

    Raises:
        DataError: There are too many of them: the rows are not in time order.
    """
    latest = np.maximum.accumulate(times)
    repeated = np.zeros(len(times), bool)
    repeated[1:] = times[1:] <= latest[:-1]
    if repeated.sum() > max(1, MOST_REPEATED * len(times)):
        row = int(np.flatnonzero(repeated)[0])
        time, before = time_text(times[row]), time_text(latest[row - 1])
        again = "again" if times[row] == latest[row - 1] else f"after {before}"
        raise DataError(
            f"{table.place(row)}: the rows are not in the order of '{name}': {time} "
            f"comes {again}, and so in {int(repeated.sum()):,} of {len(times):,} rows; sort the "
            "file by time, with one row for each time"
        )
    return np.flatnonzero(~repeated)


def clock_of(times: Array) -> Clock:
    """Return the usual step of times, (r,) ascending, and their gaps."""
    steps = np.diff(times)
    dates = times.dtype.kind == "M"
    seconds = steps / _SECOND if dates else steps.astype(np.float64)
    usual = float(np.median(seconds)) if len(seconds) else 1.0
    wide = np.concatenate([[False], seconds > WIDE * usual])
    gaps = np.flatnonzero(wide)
    first = widest = ""
    if len(gaps):
        first = time_text(times[gaps[0] - 1])
        width = float(seconds.max())
        widest = duration_text(width) if dates else f"{width:g}"
    return Clock(times, usual, dates, np.cumsum(wide), len(gaps), first, widest)


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
    steps = delays * clock.usual
    if clock.dates:
        due = clock.times[last][:, np.newaxis].astype("datetime64[ns]") + (
            np.round(steps * 1e9).astype("timedelta64[ns]")
        )
        return np.where(follows, clock.times[there].astype("datetime64[ns]"), due)
    return np.where(follows, clock.times[there], clock.times[last][:, np.newaxis] + steps)


def season_of(clock: Clock | None) -> int | None:
    """Return the number of rows of a season: a day, or a week if rows are daily; None without
    dates, or where no number of steps is a day."""
    if clock is None or not clock.dates:
        return None
    rows = max(1, round(_DAY / clock.usual))
    if abs(rows * clock.usual - _DAY) > _NEARLY * _DAY:
        return None
    return rows if rows > 1 else 7


def series_from(
    table: TableFiles, names: Sequence[str], kept: Array, times: Array | None
) -> tuple[Series, dict[str, Array]]:
    """Return the quantities as a series, and each column separately in float64.

    Args:
        table: The rows.
        names: Columns of numbers.
        kept: (r,) positions of the rows in the table.
        times: (r,) times of these rows, or None.
    """
    columns = {name: np.asarray(to_array(table, name, "numeric"))[kept] for name in names}
    values = np.empty((len(kept), len(names)), np.float32)
    for index, column in enumerate(columns.values()):
        with np.errstate(over="ignore"):
            values[:, index] = column
    return Series(values, tuple(names), kept.astype(np.int64), times), columns


def duration_text(seconds: float) -> str:
    """Return `10 minutes`, `3 days`."""
    size, unit = next(((s, u) for s, u in _UNITS if seconds >= s), (1.0, "second"))
    count = f"{seconds / size:.3g}"
    return f"{count} {unit}{'' if count == '1' else 's'}"


def every(seconds: float) -> str:
    """Return `every 10 minutes`, `every hour`."""
    return f"every {duration_text(seconds).removeprefix('1 ')}"


def _holds_dates(table: TableFiles, name: str) -> bool:
    series = table.series(name)
    if series.dtype.kind == "M":
        return True
    if series.dtype.kind in "biufm":
        return False
    head = [value for value in series.iloc[:_ROWS_SAMPLED] if isinstance(value, str)]
    if not head or not any(mark in head[0] for mark in "-/.:"):
        return False
    try:
        as_times(name, np.asarray([*head, None], dtype=object)[:-1])
    except DataError as error:
        return "two ways" in str(error)
    return True


PERSISTENCE = "persistence"
SEASONAL = "seasonal"


def previous_targets(targets: Columns, time: Array | None) -> Columns:
    """Return `persistence` for the rows of a table: the targets of the row before in time.

    Nothing where two rows have the same time: then neither comes before the other.

    Args:
        targets: (n,) or (n, k) quantities by name.
        time: (n,) times of the rows; None: they are in order.
    """
    # (n, k): a column for each number of the targets.
    columns = (np.asarray(column, np.float64) for column in targets.values())
    values = np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)
    order = np.arange(len(values)) if time is None else np.argsort(time, kind="stable")
    if time is not None and (np.diff(time[order]) == np.zeros(1, np.diff(time).dtype)[0]).any():
        return {}
    before = np.full_like(values, np.nan)
    before[order[1:]] = values[order[:-1]]
    return {PERSISTENCE: before}


def naive_series_forecasts(
    targets: Sequence[Array],
    last: Array,
    ahead: Array,
    season: int | None,
    stretch: Array | None,
) -> Columns:
    """Return `persistence` and `seasonal` for windows over a series.

    Persistence is the value in the last row of the window. Seasonal is the value one season before
    the target's time, or as many seasons as it takes to be known by the window's last row; where
    that says the same as persistence everywhere, it is left out.

    Args:
        targets: (r,) values of each target.
        last: (n,) places of the windows' last rows.
        ahead: (k,) rows from there to the targets.
        season: Rows of a season, or None.
        stretch: (r,) counts up at each gap, or None where no gap counts.
    """
    persistent = [values[last][:, np.newaxis].repeat(len(ahead), axis=1) for values in targets]
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
