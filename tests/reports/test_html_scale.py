"""Axes of the report's charts, and what is left out of long lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlrun.reports.html.plot import Plot, sampled
from dlrun.reports.html.scale import linear, logarithmic, shares, spanning
from dlrun.reports.html.setup import marked_yaml

NUMBERS = st.lists(
    st.one_of(
        st.floats(-1e9, 1e9, allow_subnormal=False), st.just(float("nan")), st.just(float("inf"))
    )
)


@given(NUMBERS)
def test_a_linear_axis_holds_its_numbers_and_labels_round_ones(values):
    finite = [value for value in values if np.isfinite(value)]
    size = max(map(abs, finite), default=1.0)
    assume(size == 0 or np.ptp(finite or [0]) > 1e-6 * size or len(set(finite)) <= 1)
    scale = linear(values)
    assert all(0 <= scale.place(value) <= 1 for value in finite)
    assert scale.place(scale.low) == 0
    assert scale.place(scale.high) == pytest.approx(1)
    assert 1 <= len(scale.ticks) <= 8
    assert len(scale.labels) == len(scale.ticks)
    steps = np.diff(scale.ticks)
    assert steps == pytest.approx(steps[:1].repeat(len(steps)))
    if size < 1e5:
        read = [float(label.replace("−", "-").replace(",", "")) for label in scale.labels]
        assert read == pytest.approx(list(scale.ticks), rel=1e-3, abs=1e-8)


@given(st.lists(st.floats(1e-8, 1e8), min_size=1))
def test_a_logarithmic_axis_puts_equal_ratios_apart_equally(values):
    scale = logarithmic(values)
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in values)
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)
    middle = (scale.low * scale.high) ** 0.5
    assert scale.place(middle) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (shares(), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (spanning(0, 100, most=5), ["0", "20", "40", "60", "80", "100"]),
        (spanning(-0.5, 0.5, most=4), ["−0.50", "−0.25", "0.00", "0.25", "0.50"]),
        (spanning(0, 20_000, most=4), ["0", "5,000", "10,000", "15,000", "20,000"]),
        (logarithmic([0.01, 1000]), ["0.01", "0.1", "1", "10", "100", "1000"]),
    ],
)
def test_labels_are_as_one_would_write_them(scale, labels):
    assert list(scale.labels) == labels


@given(st.integers(0, 10_000), st.integers(1, 3_000))
def test_a_sample_is_ascending_and_the_same_each_time(count, most):
    found = sampled(count, most)
    assert len(found) == min(count, most)
    assert (np.diff(found) > 0).all()
    assert found.size == 0 or (found[0] >= 0 and found[-1] < count)
    assert (sampled(count, most) == found).all()


def test_a_long_line_keeps_its_peaks():
    values = np.zeros(100_000)
    values[31_415], values[92_653] = 1.0, -1.0
    plot = Plot(linear([0, len(values)]), linear(values), "")
    plot.line(list(range(len(values))), list(values), "validation")
    (path,) = re.findall(r'<path class="line validation" d="([^"]+)"', plot.svg())
    heights = [float(y) for _, y in re.findall(r"([\d.]+),([\d.]+)", path)]
    assert min(heights) == pytest.approx(plot.at(0, 1)[1], abs=0.06)
    assert max(heights) == pytest.approx(plot.at(0, -1)[1], abs=0.06)
    assert len(heights) <= 2_000


def test_a_line_is_broken_where_a_number_is_missing():
    plot = Plot(linear([1, 4]), linear([0, 1]), "")
    plot.line([1, 2, 3, 4], [0.0, 1.0, float("nan"), 0.5], "validation")
    (path,) = re.findall(r'<path class="line validation" d="([^"]+)"', plot.svg())
    assert path.count("M") == 2


@given(st.text(alphabet=st.sampled_from(list("ab:#'\"-{}[]<>& \n"))))
def test_marks_leave_the_text_of_a_config_as_it_is(text):
    marked = marked_yaml(text)
    plain = re.sub(r"</?[bi]>", "", marked)
    assert not re.search("[<>]", plain)
    read = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"')
    assert read.replace("&#39;", "'").replace("&amp;", "&") == text.rstrip("\n")


def test_keys_and_comments_of_a_config_are_marked():
    marked = marked_yaml("loss: mse  # the loss\n  - Dense: {units: 1}\nurl: a#b\nx: 'a # b'")
    assert marked == (
        "<b>loss</b>: mse  <i># the loss</i>\n  - <b>Dense</b>: {units: 1}\n<b>url</b>: a#b\n"
        "<b>x</b>: &#39;a # b&#39;"
    )
