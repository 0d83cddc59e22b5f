"""Numbers as a person would write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.text import (
    duration,
    figure,
    figure_beside,
    figure_near,
    figure_with_spread,
    figures_apart,
    percent,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.88, "0.88"),
        (0.1 + 0.2, "0.3"),
        (0.88419, "0.8842"),
        (0.99999, "1"),
        (9.9996, "10"),
        (2.4131, "2.413"),
        (22.532, "22.53"),
        (-22.532, "-22.53"),
        (1234.5678, "1235"),
        (12345.6, "12346"),
        (123456789.0, "123456789"),
        (1e9, "1e9"),
        (1.2345e12, "1.234e12"),
        (0.00001, "0.00001"),
        (0.000012345, "0.00001234"),
        (1.5e-7, "1.5e-7"),
        (3e-17, "0"),
        (-3e-17, "0"),
        (0.0, "0"),
        (80, "80"),
        (25000, "25000"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (None, "–"),
    ],
)
def test_four_significant_digits(value, text):
    assert figure(value) == text


@given(st.floats(1e-6, 1e9, exclude_max=True))
def test_what_is_written_is_within_rounding_and_has_no_exponent(value):
    text = figure(value)
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=5.001e-4)


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (2.4133, 0.3121, "2.41 ± 0.31"),
        (0.88419, 0.00012, "0.88419 ± 0.00012"),
        (0.88419, 0.0996, "0.88 ± 0.10"),
        (531.2, 87.3, "531 ± 87"),
        (0.9, 0.0, "0.9 ± 0"),
        (0.9, float("nan"), "0.9"),
        (0.9, None, "0.9"),
    ],
)
def test_a_spread_sets_the_place(mean, std, text):
    assert figure_with_spread(mean, std) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (42.4, "42 s"),
        (59.7, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_percent():
    assert percent(0.36412) == "36.4%"
    assert percent(1.0) == "100%"


@pytest.mark.parametrize(
    ("value", "width", "near", "beside"),
    [
        (0.94123, 0.04, "0.941", "0.941"),
        (0.1007, 0.049, "0.101", "0.101"),
        (0.5, 0.0002, "0.50000", "0.5000"),
        (84.4217, 0.00031, "84.42170", "84.42"),
        (0.0004, 0.16, "0.00", "0.0004"),
        (2.4133, None, "2.413", "2.413"),
        (12.3456, 1.6, "12.3", "12.3"),
        (531.2, 87.3, "531", "531"),
        (0.0, 0.1, "0.00", "0"),
        (None, 0.1, "–", "–"),
    ],
)
def test_a_number_is_rounded_by_its_interval(value, width, near, beside):
    assert figure_near(value, width) == near
    assert figure_beside(value, width) == beside


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((36.7, 30.75), ["36.7", "30.8"]),
        ((0.6, 0.28, 0.5), ["0.60", "0.28", "0.50"]),
        ((0.3, 0.3001), ["0.3000", "0.3001"]),
        ((2.5, 2.5), ["2.5", "2.5"]),
        ((2.5, float("nan")), ["2.5", "nan"]),
        ((0.043, 0.000626), ["0.043", "0.00063"]),
        ((0.00043, 0.3, 0.5), ["0.00043", "0.30", "0.50"]),
        ((0.0, 0.043), ["0", "0.043"]),
        ((100, 2.345), ["100", "2.3"]),
    ],
)
def test_compared_numbers_are_rounded_by_how_far_they_are_apart(values, texts):
    assert figures_apart(*values) == texts
