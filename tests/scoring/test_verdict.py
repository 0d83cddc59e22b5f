"""The verdict on a comparison on the same rows."""

from __future__ import annotations

import pytest

from dlrun.scoring.differences import ScoreDifference
from dlrun.scoring.intervals import Interval
from dlrun.scoring.verdict import verdict


@pytest.mark.parametrize(
    ("difference", "ends", "text"),
    [
        (0.31, (0.2, 0.42), "beats the baseline by 0.31 (95% interval 0.20 to 0.42)"),
        (-0.31, (-0.42, -0.2), "worse than the baseline by 0.31 (95% interval 0.20 to 0.42)"),
        (
            0.003,
            (-0.5, 0.5),
            "no clear difference from the baseline: 0.003 better, but the 95% interval -0.5 to 0.5 "
            "includes 0",
        ),
        (
            0.01234,
            (-2.0, 2.0),
            "no clear difference from the baseline: 0.01234 better, but the 95% interval -2.0 to "
            "2.0 includes 0",
        ),
        (
            0.0,
            (-2.0, 2.0),
            "no clear difference from the baseline: the 95% interval -2.0 to 2.0 includes 0",
        ),
        (
            -0.7,
            (-1.7, 0.0487),
            "no clear difference from the baseline: 0.7 worse, but the 95% interval -0.0487 to 1.7 "
            "includes 0",
        ),
    ],
)
def test_a_difference_is_never_rounded_to_none(
    difference: float, ends: tuple[float, float], text: str
) -> None:
    low, high = ends
    found = ScoreDifference(difference, Interval(low, high, 0.95, "t"), 0.5, "t")
    assert verdict(found, "baseline").text == text


@pytest.mark.parametrize(("note", "few"), [("from 20 rows", True), ("from 310 rows", False)])
def test_few_rows_are_called_few(note: str, few: bool) -> None:
    found = ScoreDifference(0.0, Interval(-0.41, 0.41, 0.95, "t", note), 0.5, "t")
    told = "no clear difference from the baseline: the 95% interval -0.41 to 0.41 includes 0"
    assert verdict(found, "baseline").text == told + (" (20 rows are few)" if few else "")
