"""Reading the times of rows: what is read, and what could be read in two ways."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from dlrun.data.lazy import joined
from dlrun.data.timestamps import FORMATS, TO_BE_NAMED, TimeColumns, as_times, may_fit
from dlrun.errors import DataError


def times(*texts: str) -> list[str]:
    read = as_times("when", np.array(texts, dtype=object))
    assert read.dtype == np.dtype("datetime64[ns]")
    return [str(time.astype("datetime64[s]")) for time in read]


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (("2024-06-09 11:40", "2024-06-09 11:50"), "2024-06-09T11:40:00"),
        (("09.06.2024 11:40:00", "10.06.2024 11:50:00"), "2024-06-09T11:40:00"),
        (("09/06/2024", "31/12/2024"), "2024-06-09T00:00:00"),
        (("06/09/2024 11:40", "12/31/2024 11:50"), "2024-06-09T11:40:00"),
        (("9/6/2024 11:40:05", "13/6/2024 11:50:00"), "2024-06-09T11:40:05"),
        (("09-06-2024", "13-06-2024"), "2024-06-09T00:00:00"),
        (("2024/06/09", "2024/06/10"), "2024-06-09T00:00:00"),
        (("1949-01", "1949-02"), "1949-01-01T00:00:00"),
        (("12/1949", "1/1950"), "1949-12-01T00:00:00"),
        (("9-Jun-2024", "10-JUN-2024"), "2024-06-09T00:00:00"),
        (("June 9, 2024", "July 1, 2024"), "2024-06-09T00:00:00"),
        (("06/09/2024 01:40 PM", "06/13/2024 11:50 AM"), "2024-06-09T13:40:00"),
        (("2024-06-09 12:05 AM", "2024-06-09 12:05 PM"), "2024-06-09T00:05:00"),
    ],
)
def test_a_date_is_read_in_the_one_way_that_fits_all_rows(
    texts: tuple[str, ...], first: str
) -> None:
    assert times(*texts)[0] == first


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ("01/02/2024", "02/03/2024"),
            "the time 'when' can be read in two ways: '01/02/2024' may begin with the day or with "
            "the month, and no row tells which; say `time: {column: when, format: '%d/%m/%Y'}`, or "
            "'%m/%d/%Y'",
        ),
        (
            ("31/01/2024", "01/31/2024"),
            "the time 'when' is not a date in row 1 (counted from 0): '01/31/2024'",
        ),
        (
            ("05-Jan-49", "06-Feb-49"),
            "the time 'when' cannot be read: '05-Jan-49'; write numbers, or dates as 2024-06-09 "
            "11:40:00, or say how it is written: `time: {column: when, format: '%d-%b-%y'}`",
        ),
        (
            ("05-06-2024 10:00", "noon"),
            "the time 'when' is not a date in row 1 (counted from 0): 'noon'",
        ),
    ],
)
def test_dates_that_could_mean_two_days_are_refused(texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError) as error:
        times(*texts)
    assert str(error.value) == message


DAYS = [datetime(1066, 10, 14), datetime(1677, 1, 1), datetime(1970, 1, 1), datetime(9999, 12, 31)]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%d-%b-%Y", "%Y/%m/%d"])
def test_dates_of_any_year_keep_their_order(form: str) -> None:
    texts = np.array([day.strftime(form) for day in DAYS], object)
    assert as_times("when", texts).tolist() == DAYS
    assert TimeColumns(column="when", format=form).read({"when": texts}).tolist() == DAYS


def test_year_month_and_day_of_any_year_and_a_time_of_day() -> None:
    numbers = [
        np.asarray([getattr(day, part) for day in DAYS]) for part in ("year", "month", "day")
    ]
    columns = dict(zip("ymd", numbers, strict=True))
    columns["clock"] = np.asarray(["1:30 PM", "12:00 AM", "9:05", "23:59"], object)
    assert TimeColumns(column=["y", "m", "d"]).read(columns).tolist() == DAYS
    columns["date"] = np.asarray([day.strftime("%d %B %Y") for day in DAYS], object)
    hours = [timedelta(minutes=m) for m in (810, 0, 545, 1439)]
    read = TimeColumns(column=["date", "clock"]).read(columns)
    assert read.tolist() == [day + hour for day, hour in zip(DAYS, hours, strict=True)]


def test_dates_of_near_and_far_years_are_joined_in_order() -> None:
    near, far = (as_times("t", np.array([text], object)) for text in ("2024-06-09", "9999-12-31"))
    assert np.argsort(joined(far, near)).tolist() == [1, 0]


def test_columns_that_need_a_format_are_refused_with_it() -> None:
    columns = {"year": np.asarray([1949, 1950]), "month": np.asarray(["Jan", "Dec"], object)}
    with pytest.raises(DataError) as error:
        TimeColumns(column=["year", "month"]).read(columns)
    written = "`time: {column: [year, month], format: '%Y %b'}`"
    assert (
        str(error.value) == f"the time cannot be read: 1949, Jan; say how it is written: {written}"
    )
    read = TimeColumns(column=["year", "month"], format="%Y %b").read(columns)
    assert read.astype("datetime64[M]").astype(str).tolist() == ["1949-01", "1950-12"]


@pytest.mark.slow
def test_no_format_is_passed_over_that_pandas_reads() -> None:
    forms = (*FORMATS, *TO_BE_NAMED)
    dates = (datetime(2024, 6, 9, 1, 40, 5), datetime(1950, 12, 25, 13, 0, 59, 250_000))
    others = [date.strftime(form) for form in forms[::11] for date in dates]
    for form in forms:
        texts = pd.Series([dates[0].strftime(form), *others])
        read = texts[pd.to_datetime(texts, format=form, errors="coerce").notna()]
        assert texts[0] in set(read), form
        assert all(may_fit(text, form) for text in read), form
