"""Reading the column that orders rows in time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.data.samples import Array
from dlrun.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_FORMATS = (
    "ISO8601",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
)
"""Dates that can be read in one way only."""

_TWO_WAYS = re.compile(r"\s*\d{1,2}([/-])\d{1,2}\1\d{4}([ T]\d{1,2}:\d{2}(:\d{2})?)?\s*")
"""Dates whose order of day and month only other dates show: 01/02/2024 may be either."""


def as_times(name: str, values: Array) -> Array:
    """Return the times of the rows, in a form that sorts.

    Args:
        name: Name of the column, for messages.
        values: (n,) numbers, datetime64, or text: ISO 8601 (`2024-06-09 11:40`), day, month and
            year separated by dots, or day and month in either order before the year, separated
            by slashes or hyphens, where a day above 12 shows the order.

    Returns:
        (n,) numbers as they are, or datetime64[ns].

    Raises:
        DataError: A time is missing, cannot be read, or can be read in two ways; names the row.
    """
    refuse_missing_extra(name, values)
    if values.dtype != object:
        return values
    import pandas as pd

    texts = pd.Series(values, dtype=object)
    if match := _TWO_WAYS.fullmatch(str(values[0])):
        return _read_two_ways(name, texts, match)
    for form in _FORMATS:
        times = _parsed(texts, form)
        if times.notna().all():
            return _plain(times)
        if times.notna().any():
            row = int(np.flatnonzero(times.isna())[0])
            raise DataError(
                f"the time '{name}' is not a date in row {row} (counted from 0): '{values[row]}'"
            )
    raise DataError(
        f"the time '{name}' cannot be read: '{values[0]}'; write numbers, or dates as 2024-06-09 "
        f"11:40:00"
    )


def _read_two_ways(name: str, texts: pd.Series, match: re.Match[str]) -> Array:
    """Read dates with day and month in either order; both must not fit all rows."""
    mark, clock = match[1], match[2]
    ending = "" if not clock else f"{clock[0]}%H:%M" + (":%S" if match[3] else "")
    forms = [f"%d{mark}%m{mark}%Y{ending}", f"%m{mark}%d{mark}%Y{ending}"]
    texts = texts.str.strip()
    read = [_parsed(texts, form) for form in forms]
    whole = [times for times in read if times.notna().all()]
    if len(whole) == 1:
        return _plain(whole[0])
    if whole and (whole[0] == whole[1]).all():
        return _plain(whole[0])
    if whole:
        raise DataError(
            f"the time '{name}' can be read in two ways: '{texts.iloc[0]}' may begin with the day "
            "or with the month, and no row tells which; write dates as 2024-06-09"
        )
    best = max(read, key=lambda times: int(times.notna().sum()))
    row = int(np.flatnonzero(best.isna())[0])
    raise DataError(
        f"the time '{name}' is not a date in row {row} (counted from 0): '{texts.iloc[row]}'"
    )


def _parsed(texts: pd.Series, form: str) -> Any:
    import pandas as pd

    return pd.to_datetime(texts, format=form, errors="coerce", utc=True)


def _plain(times: Any) -> Array:
    return np.asarray(times.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]"))


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
        more = f" and in {len(others)} more" if others else ""
        raise DataError(
            f"'{name}' is missing in row {row} (counted from 0){more}; every row needs one"
        )


def time_text(time: object) -> str:
    """Return a time as messages write it."""
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[s]")).replace("T", " ")
    return f"{time:g}" if isinstance(time, float) else str(time)
