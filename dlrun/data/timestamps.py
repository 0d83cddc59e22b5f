"""Reading the column that orders rows in time."""

from __future__ import annotations

import numpy as np

from dlrun.data.samples import Array
from dlrun.errors import DataError

_FORMATS = (
    "ISO8601",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
)
"""Dates that can be read in one way only; 01/02/2024 is two days."""


def as_times(name: str, values: Array) -> Array:
    """Return the times of the rows, in a form that sorts.

    Args:
        name: Name of the column, for messages.
        values: (n,) numbers, datetime64, or text: ISO 8601 (`2024-06-09 11:40`), or day, month
            and year parted by dots.

    Returns:
        (n,) numbers as they are, or datetime64[ns].

    Raises:
        DataError: A time is missing, or cannot be read; names the row.
    """
    refuse_missing_extra(name, values)
    if values.dtype != object:
        return values
    import pandas as pd

    texts = pd.Series(values, dtype=object)
    for form in _FORMATS:
        times = pd.to_datetime(texts, format=form, errors="coerce", utc=True)
        if times.notna().all():
            return np.asarray(times.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]"))
        if times.notna().any():
            row = int(np.flatnonzero(times.isna())[0])
            raise DataError(
                f"the time '{name}' is no date in row {row} (counted from 0): '{values[row]}'"
            )
    raise DataError(
        f"the time '{name}' cannot be read: '{values[0]}'; write numbers, or dates as 2024-06-09 "
        f"11:40:00"
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
        more = f" and in {len(others)} more" if others else ""
        raise DataError(
            f"'{name}' is missing in row {row} (counted from 0){more}; every row needs one"
        )
