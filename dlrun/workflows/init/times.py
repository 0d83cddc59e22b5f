"""Which columns of a table tell when a row was recorded, how they are written, and whether the rows
are a series."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.data.reading.row_order import likely_series, ordered_rows
from dlrun.data.reading.series import clock_of, every, season_of
from dlrun.data.reading.table_columns import ColumnType, as_texts, to_array
from dlrun.data.reading.tables import TableFiles
from dlrun.data.samples import Array
from dlrun.data.timestamps import CLOCKS, FORMATS, TWO_DIGIT_YEARS, TimeColumns, plain_times
from dlrun.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FEWEST_TIMES = 10
"""Rows of fewer different dates are not split in their order unasked."""

UNEVEN, EVEN_STEPS = 0.1, 0.95
"""Rows are in even steps where so large a share of them differs by no more from the usual one: by
the lengths of months, and with a gap here and there."""

DAY = 86_400.0
YEAR = 365.25 * DAY

_BIRTH = re.compile(r"birth|born|geburt|(^|_)dob($|_)", re.IGNORECASE)
"""Dates that describe a person, not when a row was recorded."""

_WORD = r"(\d{1,4}|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?)"
_DATE = re.compile(
    rf"\s*{_WORD}([-/. ]|, ?){_WORD}(([-/. ]|, ?){_WORD})?([T ,]+\d{{1,2}}:\d{{2}}.*)?\s*",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s*[ap]\.?m\.?)?\s*", re.IGNORECASE)
_DATE_NAME = re.compile(r"date|datum|day|time|month", re.IGNORECASE)
_PARTS = (
    re.compile(r"year|yr|jahr", re.IGNORECASE),
    re.compile(r"month|mon|mo|mnth", re.IGNORECASE),
    re.compile(r"day|dd|mday|day_?of_?month", re.IGNORECASE),
    re.compile(r"hour|hr|h|stunde", re.IGNORECASE),
    re.compile(r"minute|min", re.IGNORECASE),
)
"""Names of columns of whole numbers that together are a time."""

GUESSED = (*FORMATS, *TWO_DIGIT_YEARS, "%Y%m%d")
"""Ways of writing dates that are tried where none is recognised without a format."""

_YEARS = (1500, 2200)
_LONG_DATES = (1500_01_01, 2200_12_31)


def date_columns(table: TableFiles) -> dict[str, TimeColumns | None]:
    """Return the columns that hold dates, and how each is read; None: in no way that is certain."""
    found = {name: _dates_in(table, name) for name in table.names if _holds_dates(table, name)}
    return {name: next(times, None) for name, times in found.items()}


def time_of_rows(
    table: TableFiles, dates: Mapping[str, TimeColumns | None], taken: Sequence[str] = ()
) -> TimeColumns | None:
    """Return the columns that tell when a row was recorded, or None.

    Args:
        table: The rows.
        dates: Its columns of dates, and how they are read.
        taken: Columns that are something else.
    """
    readable = [n for n, time in dates.items() if time is not None and not _BIRTH.search(n)]
    if len(dates) == 1 and readable:
        time = dates[readable[0]]
        assert time is not None
        candidates = [*_with_clock(table, time), time]
    else:
        candidates = [] if dates else list(_from_parts(table))
    for time in candidates:
        times = None if {*time.columns} & {*taken} else _read(table, time)
        if times is not None and len(np.unique(times)) >= FEWEST_TIMES:
            return time
    return None


def in_config(time: TimeColumns) -> Any:
    """How a config names the time of the rows."""
    return time.column if time.format is None else {"column": time.column, "format": time.format}


def is_clock(present: pd.Series) -> bool:
    """Whether texts are all times of day, such as 9:30 PM."""
    texts = _texts(present)
    return bool(texts) and all(_CLOCK.fullmatch(text) for text in texts)


def _texts(present: pd.Series) -> list[str]:
    """The different texts of a column; none where it holds something else, such as lists."""
    if present.dtype.kind in "biufmM" or not len(present):
        return []
    if not isinstance(present.iloc[0], str | date):
        return []
    return [str(value) for value in present.unique()]


def _holds_dates(table: TableFiles, name: str) -> bool:
    present = table.series(name).dropna()
    if present.dtype.kind == "M":
        return True
    if present.dtype.kind in "iu":
        inside = bool(len(present)) and present.between(*_LONG_DATES).all()
        return bool(_DATE_NAME.search(name) and inside)
    texts = _texts(present)
    if not texts or not np.isnan(as_texts(table, name).numbers).any():
        return False
    matches = [_DATE.fullmatch(text) for text in texts]
    # 126/83 is a blood pressure, and 30-39 an age.
    return all(
        match and re.search(r"\d", text) and (match[4] or re.search(r"\d{4}|[A-Za-z]{3}", text))
        for match, text in zip(matches, texts, strict=True)
    )


def _dates_in(table: TableFiles, name: str) -> Iterator[TimeColumns]:
    """Yield the one way of reading a column of dates: without a format, or in the one that puts the
    rows in order, in the most even steps."""
    plain = TimeColumns(column=name)
    series = table.series(name)
    if series.dtype.kind not in "iu" and _read(table, plain) is not None:
        yield plain
        return
    first = str(series.dropna().iloc[0]).strip()
    read = {}
    for form in GUESSED:
        time = TimeColumns(column=name, format=form)
        if _fits(first, form) and (times := _read(table, time)) is not None:
            read[form] = times
    same = len({times.tobytes() for times in read.values()}) == 1
    evenness = {form: _evenness(times) for form, times in read.items()}
    best = [form for form in read if evenness[form] == max(evenness.values())]
    if best and (same or len(best) == 1):
        yield TimeColumns(column=name, format=best[0])


def _evenness(times: Array) -> float:
    """The share of steps that are about as long as the usual one; -1 of rows out of order."""
    steps = np.diff(times) / np.timedelta64(1, "s")
    usual = float(np.median(np.abs(steps))) if len(steps) else 0.0
    descending = (steps <= 0).all()
    if (steps < 0).any() and not descending:
        return -1.0
    return float((np.abs(np.abs(steps) - usual) <= UNEVEN * usual).mean()) if len(steps) else 0.0


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _read(table: TableFiles, time: TimeColumns) -> Array | None:
    """(n,) the times of the rows; None where one of them cannot be read."""
    columns: dict[str, Array] = {}
    for name in time.columns:
        series = table.series(name)
        if series.dtype.kind == "M":
            columns[name] = plain_times(series)
        else:
            kind: ColumnType = "numeric" if series.dtype.kind in "biuf" else "categorical"
            columns[name] = to_array(table, name, kind)
    try:
        return time.read(columns)
    except DataError:
        return None


def _with_clock(table: TableFiles, day: TimeColumns) -> Iterator[TimeColumns]:
    """Yield a column of dates with each that may tell the time of day."""
    (name,) = day.columns
    for other in table.names:
        present = table.series(other).dropna()
        if other == name or not len(present):
            continue
        if present.dtype.kind in "iu" and _PARTS[3].fullmatch(other):
            yield TimeColumns(column=[name, other])
        elif is_clock(present):
            forms = [None] if day.format is None else [day.format + form for form in CLOCKS[1:]]
            for form in forms:
                yield TimeColumns(column=[name, other], format=form)


def _from_parts(table: TableFiles) -> Iterator[TimeColumns]:
    """Yield columns of numbers that make a time: year, month, day, hour, as far as there are."""
    names: list[str] = []
    for part in _PARTS:
        found = [name for name in table.names if part.fullmatch(name.strip())]
        if len(found) != 1 or table.series(found[0]).dtype.kind not in "iu":
            break
        names += found
    for count in range(len(names), 0, -1):
        if count > 1 or table.series(names[0]).dropna().between(*_YEARS).all():
            yield TimeColumns(column=names[:count] if count > 1 else names[0])


@dataclass(frozen=True)
class SeriesFacts:
    """Rows of a series, or of several, in even steps of time.

    Args:
        columns: Columns that name the series of a row; none: there is one.
        step_seconds: Seconds from one row to the next; None: not known.
        season: Rows until a value is likely to come again; None: not known.
        sort: Whether the rows have to be sorted by time.
        longest: Rows of the longest series.
    """

    columns: tuple[str, ...]
    step_seconds: float | None
    season: int | None
    sort: bool
    longest: int

    @property
    def every(self) -> str:
        """How often there is a row: `every hour`."""
        if self.step_seconds is None:
            return "at a time"
        days = self.step_seconds / DAY
        spans = (("month", 28, 31), ("quarter", 89, 92), ("year", 365, 366))
        named = (f"every {name}" for name, least, most in spans if least <= days <= most)
        return next(named, every(self.step_seconds))


def series_of_rows(
    table: TableFiles, time: TimeColumns | None, target: str | None
) -> SeriesFacts | None:
    """Return the series that the rows are; None where they are not in even steps.

    Args:
        table: The rows.
        time: When they were recorded; None: each row is one step after the row before.
        target: A column that does not name the series.
    """
    given = [*(() if target is None else (target,)), *(() if time is None else time.columns)]
    if time is None:
        columns = likely_series(table, given, None)
        rows = ordered_rows(table, columns, None)
        return SeriesFacts(tuple(columns), None, None, False, int(np.diff(rows.borders).max()))
    times = _read(table, time)
    if times is None:
        return None
    moments = np.unique(times, return_inverse=True)[1].reshape(-1).astype(np.int64)
    columns = [] if moments.max() + 1 == len(moments) else likely_series(table, given, moments)
    try:
        rows = ordered_rows(table, columns, time, sort=True)
    except DataError:
        return None
    clock = clock_of(rows)
    if clock is None or rows.times is None or len(rows) < 2:
        return None
    of_years = not clock.dates and _PARTS[0].fullmatch(time.columns[0]) is not None
    if not clock.dates and not of_years:
        return None
    steps = np.diff(rows.times) / (np.timedelta64(1, "s") if clock.dates else 1)
    within = np.delete(steps, rows.borders[1:-1] - 1)
    if (np.abs(within / clock.usual - 1) <= UNEVEN).mean() < EVEN_STEPS:
        return None
    return SeriesFacts(
        tuple(columns),
        clock.usual * (YEAR if of_years else 1),
        season_of(clock),
        not _are_sorted(table, columns, time),
        int(np.diff(rows.borders).max()),
    )


def _are_sorted(table: TableFiles, series: Sequence[str], time: TimeColumns) -> bool:
    try:
        return ordered_rows(table, series, time).passed == 0
    except DataError:
        return False
