"""Reading the columns that order rows in time.

Legend: n rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from dlrun.data.samples import Array
from dlrun.errors import DataError, RowError
from dlrun.registry.component import Section

if TYPE_CHECKING:
    import pandas as pd

_BY_NUMBERS = (
    *("%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d", "%Y/%m", "%m/%Y", "%m-%Y"),
    *(f"%{one}{mark}%{other}{mark}%Y" for mark in "/-" for one, other in ("dm", "md")),
)
_BY_NAMES = (
    *(f"%d{mark}%{month}{mark}%Y" for mark in "- /." for month in "bB"),
    *(f"%{month} %d{comma} %Y" for month in "bB" for comma in (",", "")),
    *(f"%{month}{mark}%Y" for mark in "- /" for month in "bB"),
    *("%Y-%b-%d", "%Y-%b", "%Y %b", "%Y %B", "%Y %b %d", "%Y %B %d", "%b-%d-%Y"),
)
CLOCKS = (
    *("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f"),
    *(f" %I:%M{seconds}{blank}%p" for seconds in ("", ":%S") for blank in (" ", "")),
)
"""Ways of writing the time of day behind a date, if there is one."""

FORMATS = tuple(day + clock for day in (*_BY_NUMBERS, *_BY_NAMES) for clock in CLOCKS)
"""Ways of writing dates, besides ISO 8601, that are recognised where one alone fits all rows."""

TWO_DIGIT_YEARS = tuple(form.replace("%Y", "%y") for form in FORMATS if not form.startswith("%Y"))
TO_BE_NAMED = (
    *TWO_DIGIT_YEARS,
    *(form.replace("%Y", "%y") for form in FORMATS if form.startswith("%Y")),
    *("%Y%m%d", "%Y%m%d %H%M", "%Y%m%d %H:%M", "%Y%m%d %H", "%d%m%Y", "%Y %j"),
)
"""Ways that have to be named: the century is not written, or the digits may be numbers."""


_DIGITS = re.compile(r"-?\d{1,18}", re.ASCII)
_NANOSECONDS = (1700, 2200)
"""Years that 64 bits hold in nanoseconds, with room for windows that reach beyond the last row."""

_CLOCK = r"\s*(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*([AaPp])?\.?[Mm]?\.?\s*"
"""A time of day: 9:30, 09:30:15, 9:30 PM."""

_PARTS = ("year", "month", "day", "hour", "minute", "second")
_LATEST_YEAR = 9999
_RANGES = {"month": (1, 12), "day": (1, 31), "hour": (0, 24), "minute": (0, 59), "second": (0, 60)}


class TimeColumns(Section):
    """When each row was measured, in one column or several, in a given format."""

    column: str | list[str]
    """The column, or several that make one time: a date and a time of day (`[date, time]`), a date
    and whole hours (`[date, hour]`), or numbers (`[year, month, day, hour]`)."""

    format: str | None = Field(default=None, min_length=1)
    """How the time is written, in the codes of Python's `strptime`, such as `%d.%m.%Y %H:%M`;
    several columns are joined by a space. Default: recognised."""

    @field_validator("column")
    @classmethod
    def _names_columns(cls, column: str | list[str]) -> str | list[str]:
        if isinstance(column, list) and (not column or len(set(column)) < len(column)):
            raise ValueError("expected names of columns that are all different")
        return column

    @classmethod
    def of(cls, given: TimeOption) -> TimeColumns | None:
        """The columns that an option names, in whatever spelling; None: none."""
        return given if given is None or isinstance(given, TimeColumns) else cls(column=given)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in order."""
        return (self.column,) if isinstance(self.column, str) else tuple(self.column)

    @property
    def name(self) -> str:
        """What the time is called: its columns."""
        return ", ".join(self.columns)

    def read(self, columns: Mapping[str, Array]) -> Array:
        """Return the times of the rows, in a form that sorts; see `as_times`.

        Args:
            columns: (n,) numbers, datetime64 or text by name, these columns among them.

        Raises:
            DataError: A time is missing or cannot be read; names the row.
        """
        values = [columns[name] for name in self.columns]
        for name, column in zip(self.columns, values, strict=True):
            refuse_missing_extra(name, column)
        if self.format is not None:
            return _in_format(self.name, [_as_texts(column) for column in values], self.format)
        values = [_without_zeros_in_front(column) for column in values]
        if len(values) == 1:
            return as_times(self.name, values[0])
        numbers = [column.dtype.kind in "iuf" for column in values]
        if all(numbers) and (np.abs(values[0]) <= _LATEST_YEAR).all():
            return _from_numbers(self.columns, values)
        if numbers[0]:
            texts = [_as_texts(column) for column in values]
            first = ", ".join(str(column[0]) for column in texts)
            raise DataError(f"the time cannot be read: {first}; {_to_write(self.columns, texts)}")
        times = as_times(self.columns[0], values[0])
        return times + _time_of_day(self.columns[1:], values[1:])


def _without_zeros_in_front(column: Array) -> Array:
    """A column of text that is nothing but digits, such as 08, as int64; any other as it is."""
    if column.dtype != object or not all(map(_DIGITS.fullmatch, column)):
        return column
    return column.astype(np.int64)


TimeOption = str | list[str] | TimeColumns | None
"""How a config names the time of the rows."""


def as_times(name: str, values: Array) -> Array:
    """Return the times of the rows, in a form that sorts.

    Args:
        name: Name of the column, for messages.
        values: (n,) numbers, datetime64, or text: ISO 8601 (`2024-06-09 11:40`), day, month and
            year separated by dots, with names of months (`9-Jun-2024`, `June 9, 2024 11:40 AM`), or
            day and month in either order before the year, where a day above 12 shows the order.

    Returns:
        (n,) numbers as they are, or datetime64: in nanoseconds, or in microseconds where a date
        lies beyond the years 1700 to 2200.

    Raises:
        DataError: A time is missing, cannot be read, or can be read in two ways; names the row.
    """
    refuse_missing_extra(name, values)
    if values.dtype != object:
        return values
    texts = _series(values).str.strip()
    forms = [form for form in ("ISO8601", *FORMATS) if _fits(texts.iloc[0], form)]
    if not forms:
        raise DataError(
            f"the time '{name}' cannot be read: '{texts.iloc[0]}'; write numbers, or dates as "
            f"2024-06-09 11:40:00, or {_to_write([name], [texts])}"
        )
    read = [(_parsed(texts, form), form) for form in forms]
    whole = [(times, form) for times, form in read if times.notna().all()]
    if not whole:
        best = max((times for times, _ in read), key=lambda times: int(times.notna().sum()))
        row = int(np.flatnonzero(best.isna())[0])
        raise RowError(f"the time '{name}' is not a date", row, detail=f": '{texts.iloc[row]}'")
    times, form = whole[0]
    if other := next((other for found, other in whole if not found.equals(times)), None):
        raise DataError(
            f"the time '{name}' can be read in two ways: '{texts.iloc[0]}' may begin with the day "
            f"or with the month, and no row tells which; say `time: {{column: {name}, format: "
            f"'{form}'}}`, or '{other}'"
        )
    return _plain(times)


def _fits(text: str, form: str) -> bool:
    """Whether a text is written in a format."""
    return may_fit(text, form) and bool(_parsed(_series([text]), form).notna().all())


def may_fit(text: str, form: str) -> bool:
    """Whether a text has the marks and letters of a format; to read it takes pandas a thousand
    times as long, and there are hundreds of formats."""
    if form == "ISO8601":
        return True
    counts = [(text.count(mark), form.count(mark)) for mark in ".:/-,"]
    if any(code in form for code in ("%b", "%B", "%p")):
        return any(map(str.isalpha, text)) and all(found >= least for found, least in counts)
    return not any(map(str.isalpha, text)) and all(found == least for found, least in counts)


def _series(texts: Any) -> pd.Series:
    import pandas as pd

    return pd.Series(texts, dtype=object)


def _to_write(names: Sequence[str], columns: Sequence[Iterable[str]]) -> str:
    """What to write in the config for times such as these texts, of one column or several."""
    joined = _joined(columns)
    of_first = (form for form in (*FORMATS, *TO_BE_NAMED) if _fits(joined.iloc[0], form))
    forms = (form for form in of_first if _parsed(joined, form).notna().all())
    column = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    form = next(forms, "%Y%m%d" if len(names) == 1 else "%Y%m%d %H%M")
    return f"say how it is written: `time: {{column: {column}, format: '{form}'}}`"


def _joined(columns: Sequence[Iterable[str]]) -> pd.Series:
    return _series([" ".join(map(str.strip, row)) for row in zip(*columns, strict=True)])


def _parsed(texts: pd.Series, form: str) -> Any:
    import pandas as pd

    return pd.to_datetime(texts, format=form, errors="coerce", utc=True)


def _plain(times: Any) -> Array:
    return plain_times(times.dt.tz_localize(None))


def plain_times(series: pd.Series) -> Array:
    """Return a column of dates as (n,) datetime64: see `as_times` for the unit."""
    import pandas as pd

    if series.dt.tz is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    years = series.dt.year
    early, late = _NANOSECONDS
    fits = not len(series) or (years.min() >= early and years.max() <= late)
    unit = "ns" if fits or pd.isna(years.min()) else "us"
    return np.asarray(series.to_numpy(dtype=f"datetime64[{unit}]"))


def _as_texts(column: Array) -> Array:
    """(n,) texts: of whole numbers with zeros in front, as many digits in each row."""
    if column.dtype == object:
        return column
    if column.dtype.kind == "M":
        return np.asarray([time_text(value) for value in column], object)
    whole = column.astype(np.int64)
    if (whole != column).any():
        return np.asarray([str(value) for value in column.tolist()], object)
    digits = len(str(int(np.abs(whole).max(initial=0))))
    return np.asarray([f"{value:0{digits}d}" for value in whole.tolist()], object)


def _in_format(name: str, texts: Sequence[Array], form: str) -> Array:
    """Read dates that are written in a given format, over one column or several."""
    joined = _joined(texts)
    try:
        times = _parsed(joined, form)
    except ValueError as error:
        raise DataError(f"the format '{form}' of the time '{name}': {error}") from error
    _refuse_unread(name, times.isna().to_numpy(), joined, f"in the format '{form}'")
    return _plain(times)


def _from_numbers(names: Sequence[str], columns: Sequence[Array]) -> Array:
    """Make dates of columns of years, months, days, hours, minutes and seconds, in this order."""
    if len(columns) > len(_PARTS):
        raise DataError(f"the time '{', '.join(names)}' has more than {len(_PARTS)} columns")
    parts = dict(zip(_PARTS, columns, strict=False))
    for name, part in zip(names, parts, strict=True):
        _refuse_out_of_range(name, part, parts[part])
    years = parts["year"].astype(np.int64) - 1970
    months = parts.get("month", np.ones(len(years))).astype(np.int64) - 1
    firsts = (years * 12 + months).astype("datetime64[M]")
    days = parts.get("day", np.ones(len(years))).astype(np.int64) - 1
    dates = firsts.astype("datetime64[D]") + days
    if (wrong := dates.astype("datetime64[M]") != firsts).any():
        row = int(np.flatnonzero(wrong)[0])
        raise RowError(
            f"the time '{', '.join(names)}' is not a date",
            row,
            detail=f": month {months[row] + 1} has no day {days[row] + 1}",
        )
    times = dates.astype("datetime64[us]")
    if len(names) > 3:
        times += _time_of_day(names[3:], columns[3:])
    import pandas as pd

    return plain_times(pd.Series(times))


def _time_of_day(names: Sequence[str], columns: Sequence[Array]) -> Array:
    """(n,) timedelta64 since the beginning of the day: from one column of text such as 13:30, or
    columns of hours, minutes and seconds."""
    import pandas as pd

    total = np.zeros(len(columns[0]))
    if columns[0].dtype == object:
        found = pd.Series(columns[0]).str.extract(f"^{_CLOCK}$")
        _refuse_unread(names[0], found[0].isna().to_numpy(), columns[0], "a time of day")
        hours = found[0].astype(float)
        half = found[3].str.lower()
        hours = hours.where(half.isna(), hours % 12 + 12.0 * (half == "p"))
        total += 3600 * hours + 60 * found[1].astype(float) + found[2].astype(float).fillna(0)
        names, columns = names[1:], columns[1:]
        parts: tuple[str, ...] = ()
    else:
        parts = _PARTS[3:]
    if len(columns) > len(parts):
        raise DataError(f"the time cannot be read from the column '{names[len(parts)]}' as well")
    for name, part, column, size in zip(names, parts, columns, (3600, 60, 1), strict=False):
        _refuse_out_of_range(name, part, column)
        total += size * column.astype(np.float64)
    return np.round(np.asarray(total) * 1e6).astype("timedelta64[us]")


def _refuse_out_of_range(name: str, part: str, column: Array) -> None:
    if column.dtype.kind not in "iuf":
        raise DataError(f"the time: expected numbers of the {part} in the column '{name}'")
    least, most = _RANGES.get(part, (-_LATEST_YEAR, _LATEST_YEAR))
    wrong = (column < least) | (column > most)
    if part != "second":
        wrong |= column != np.floor(column)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise RowError(
            f"the time: expected a {part} from {least} to {most} in column '{name}', found "
            f"{column[row]:g}",
            row,
            "say how the time is written: `time: {column: ..., format: ...}`",
        )


def _refuse_unread(name: str, wrong: Array, texts: Any, expected: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise RowError(
            f"the time '{name}' is not {expected}", row, detail=f": '{list(texts)[row]}'"
        )


def refuse_missing_extra(name: str, values: Array) -> None:
    """Raise an error where a group or time is missing.

    Raises:
        DataError: It is; names the first row.
    """
    if values.ndim != 1:
        raise DataError(f"'{name}' must have one value a row; its shape is {values.shape}")
    if values.dtype == object:
        missing = np.asarray([value is None for value in values], dtype=bool)
    elif values.dtype.kind in "fM":
        missing = np.isnan(values) if values.dtype.kind == "f" else np.isnat(values)
    else:
        return
    if missing.any():
        row, *others = np.flatnonzero(missing)
        raise RowError(f"'{name}' is missing", int(row), "every row needs one", others=len(others))


def time_text(time: object) -> str:
    """Return a time as messages write it."""
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[s]")).replace("T", " ")
    return f"{time:g}" if isinstance(time, float) else str(time)
