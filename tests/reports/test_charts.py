"""Charts as facts, and as the SVG of the report; marks in a config."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlrun.reports.charts import Axis, Chart, LineMark, TextMark, axis_holding
from dlrun.reports.drawing import PAGE_WIDTH, page_svg
from dlrun.reports.html.sections import marked_yaml
from dlrun.reports.result_charts import MOST_POINTS, predicted_against_true

NUMBERS = st.lists(
    st.one_of(
        st.floats(-1e9, 1e9, allow_subnormal=False), st.just(float("nan")), st.just(float("inf"))
    )
)


@given(NUMBERS)
def test_a_linear_axis_holds_its_numbers(values):
    finite = [value for value in values if np.isfinite(value)]
    size = max(map(abs, finite), default=1.0)
    assume(size == 0 or np.ptp(finite or [0]) > 1e-6 * size or len(set(finite)) <= 1)
    axis = axis_holding(values)
    assert all(0 <= axis.position(value) <= 1 for value in finite)
    assert axis.position(axis.low) == 0
    assert axis.value(axis.position(axis.high)) == pytest.approx(axis.high)


@given(st.lists(st.floats(1e-8, 1e8), min_size=1))
def test_a_logarithmic_axis_puts_equal_ratios_apart_equally(values):
    axis = axis_holding(values, logarithmic=True)
    assert all(-1e-9 <= axis.position(value) <= 1 + 1e-9 for value in values)
    middle = (axis.low * axis.high) ** 0.5
    assert axis.position(middle) == pytest.approx(0.5)
    assert axis.value(0.5) == pytest.approx(middle)


def svg_of(*marks: LineMark | TextMark, y: Axis, x: Axis | None = None) -> str:
    return str(page_svg(Chart(x or Axis(0, 5), y, marks, "a <description>")))


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis(0, 100), ["0", "20", "40", "60", "80", "100"]),
        (Axis(-0.5, 0.5), ["−0.4", "−0.2", "0.0", "0.2", "0.4"]),
        (Axis(0.01, 1000, logarithmic=True), ["0.01", "0.1", "1", "10", "100", "1000"]),
    ],
)
def test_labels_are_as_one_would_write_them(axis, labels):
    text = svg_of(y=axis, x=Axis(0, 1, ticks=()))
    assert re.findall(r"<text[^>]*>([^<]*)</text>", text) == labels


@pytest.mark.parametrize("count", [30, MOST_POINTS, MOST_POINTS + 500])
def test_of_many_rows_a_sample_is_drawn_the_same_each_time(count):
    rows = np.arange(count, dtype=float)
    chart, again = (predicted_against_true(rows, rows * 2, "y") for _ in range(2))
    x, y = chart.legend[0].x, chart.legend[0].y
    assert len(x) == min(count, MOST_POINTS)
    assert len(set(x)) == len(x)
    assert (y == x * 2).all()
    assert (again.legend[0].x == x).all()
    assert bool(chart.note) == (count > MOST_POINTS)


def test_a_long_line_keeps_its_peaks():
    values = np.zeros(100_000)
    values[31_415], values[92_653] = 1.0, -1.0
    x = Axis(0, len(values), ticks=())
    svg = svg_of(
        LineMark(np.arange(len(values)), values, "validation"), x=x, y=Axis(-1, 1, ticks=())
    )
    path = re.search(r'd="([^"]*)" style="[^"]*var\(--blue\)', svg)
    assert path is not None
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", path[1])]
    frame = re.search(r'd="M [\d.]+ ([\d.]+) L [\d.]+ \1[^"]*" style="[^"]*var\(--axis\)', svg)
    assert frame is not None
    assert max(heights) == pytest.approx(float(frame[1]), abs=1)
    assert min(heights) < 15
    assert len(heights) <= 2_000


def test_a_line_is_broken_where_a_number_is_missing():
    line = LineMark([1, 2, 3, 4, 5], [0.0, 1.0, float("nan"), 0.5, 0.6], "validation")
    paths = re.findall(r'd="([^"]*)" style="[^"]*var\(--blue\)', svg_of(line, y=Axis(0, 1)))
    assert [path.count("M") for path in paths] == [2]
    lonely = LineMark([1, 2, 3], [0.0, float("nan"), 1.0], "validation")
    assert svg_of(lonely, y=Axis(0, 1)).count("stroke-linecap: round") == 2


def test_the_svg_of_the_report_takes_colours_from_the_page_and_leaves_texts_alone():
    text = 'id="x" #0072b2 0.12345 font-family: a; <b>'
    svg = svg_of(TextMark(1, 0.5, text), y=Axis(0, 1, "$a_1$"))
    assert svg.startswith(f'<svg class="chart" viewBox="0 0 {PAGE_WIDTH:g} 270" role="img" ')
    assert 'aria-label="a &lt;description&gt;"' in svg
    assert text.replace("<", "&lt;").replace(">", "&gt;") in svg
    assert ">$a_1$</text>" in svg
    tags = "".join(re.findall(r"<[^>]*>", svg))
    assert not re.search(r"#[0-9a-f]{6}| id=|url\(|font-family|<g|<defs", tags)
    assert "var(--soft)" in tags


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
