"""Reading the times of rows: what is read, and what could be read in two ways."""

from __future__ import annotations

import numpy as np
import pytest

from dlrun.data.timestamps import as_times
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
            "the month, and no row tells which; write dates as 2024-06-09",
        ),
        (
            ("31/01/2024", "01/31/2024"),
            "the time 'when' is not a date in row 1 (counted from 0): '01/31/2024'",
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
